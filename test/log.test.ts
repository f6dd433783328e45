import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { nodeArguments } from './fixtures/node.ts'
import { until } from './storage/until.ts'

interface Writer {
  readonly lost: number
  warn (text: string): void
  /** From now on somebody reads what it writes. @returns all of it */
  read (): () => string[]
}

/** A process that has written so many lines which nobody has read. */
async function writer (t: Test, lines: number, waitingBytesMax: number, ...warning: string[]): Promise<Writer> {
  const child = spawn(process.execPath, [...nodeArguments('test/log-writer.ts'), `${lines}`, `${waitingBytesMax}`, ...warning])
  t.teardown(() => child.kill('SIGKILL'))
  const [lost] = await once(child.stderr, 'data')
  return {
    lost: Number(lost),
    warn: text => child.stdin.write(`${text}\n`),
    read: () => {
      let output = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => { output += text })
      return () => output.split('\n').slice(0, -1).map(line => (JSON.parse(line) as { msg: string }).msg)
    }
  }
}

const linesTo = (count: number): string[] => Array.from({ length: count }, (_, i) => `line ${i}`)

t.test('nobody waits for whoever reads the log: what waits has a bound, what comes then is lost and counted, and then it goes on', async t => {
  // More than a pipe holds by itself.
  const { lost, warn, read } = await writer(t, 10_000, 300_000)
  t.ok(lost > 0, 'it is more than may wait')
  const found = read()
  await until('it is read', () => found().length > 0)
  warn('later')
  await until('it goes on', () => found().at(-1) === 'later')
  t.strictSame(found(), [...linesTo(10_000 - lost), 'later'], 'whole and in order')
})

t.test('a warning is written at once, and what came before it: the process may be about to end', async t => {
  const { warn, read } = await writer(t, 2, 300_000)
  const found = read()
  warn('something is wrong')
  await until('all is there', () => found().length === 3)
  t.strictSame(found(), [...linesTo(2), 'something is wrong'])
})

t.test('also while lines before it are being written', async t => {
  const { read } = await writer(t, 1_200, 3_000_000, 'something is wrong')
  const found = read()
  await until('all is there', () => found().length === 1_201)
  t.strictSame(found(), [...linesTo(1_200), 'something is wrong'])
})
