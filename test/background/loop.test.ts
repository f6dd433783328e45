import t from 'tap'
import { every } from '../../src/background/loop.ts'

interface Counted {
  /** It has run as often as was asked for. */
  readonly done: Promise<void>
  readonly runs: () => number
  readonly job: (signal: AbortSignal) => Promise<void>
}

function counted (runsWanted: number, work: (n: number, signal: AbortSignal) => Promise<void> = async () => {}): Counted {
  let n = 0
  let reached: () => void = () => {}
  const done = new Promise<void>(resolve => { reached = resolve })
  return {
    done,
    runs: () => n,
    job: async signal => {
      n += 1
      if (n === runsWanted) reached()
      await work(n, signal)
    }
  }
}

const fail = (error: unknown): never => { throw error }

t.test('the job runs again and again, also after it failed, and what it threw is told', async t => {
  const told: string[] = []
  const { job, done } = counted(4, async n => { if (n < 3) throw new Error(`run ${n}`) })
  const loop = every(1, job, error => { told.push((error as Error).message) })
  await done
  await loop.stop()
  t.strictSame(told, ['run 1', 'run 2'])
})

t.test('it never runs twice at once', async t => {
  let running = 0
  let most = 0
  const { job, done } = counted(5, async () => {
    most = Math.max(most, running += 1)
    await new Promise<void>(resolve => setImmediate(resolve))
    running -= 1
  })
  const loop = every(1, job, fail)
  await done
  await loop.stop()
  t.equal(most, 1)
})

t.test('to stop is to wait for the run that is under way, which is told; then there is none', async t => {
  let ended = false
  const { job, done, runs } = counted(1, async (_n, signal) => {
    await new Promise<void>(resolve => signal.addEventListener('abort', () => setImmediate(resolve)))
    ended = true
  })
  const loop = every(1, job, fail)
  await done
  await loop.stop()
  t.strictSame([runs(), ended], [1, true])
})

t.test('stopped before its first run, it never runs', async t => {
  const { job, runs } = counted(1)
  const loop = every(60_000, job, fail)
  await loop.stop()
  t.equal(runs(), 0)
})

t.end()
