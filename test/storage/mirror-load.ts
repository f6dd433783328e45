import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Mirror } from '../../src/storage/mirror.ts'
import type { RedisServer } from '../fixtures/redis.ts'
import { keyOf, nextOrg, tallyOf } from './mirror-contract.ts'
import { until } from './until.ts'

/** Longer than a command may take, and what a busy machine adds. */
export const CALL_MAX_MS = 1_000
const PAUSE_MS = 15
const ORG_STEP = 1_000_000n

export interface MirrorLoad {
  readonly orgs: readonly number[]
  /** Every org was published and read once more since the call. */
  recovered: () => Promise<void>
  stop: () => Promise<LoadReport>
}

export interface LoadReport {
  /** Readings that nobody can have published so, in words. */
  readonly wrong: readonly string[]
  readonly answered: number
  readonly refused: number
  /** Of any call, answered or refused. */
  readonly longestMs: number
}

interface Lane {
  readonly org: number
  version: number
  /** The version that was published and read back last. */
  confirmed: number
  readonly confirmedAt: Map<number, number>
}

/** Publishes and reads orgs all the time, each by itself, as reports and questions do, and looks at every answer. */
export function loadOn (mirror: Mirror, count: number): MirrorLoad {
  const lanes: Lane[] = Array.from({ length: count }, () => ({ org: nextOrg(), version: 0, confirmed: 0, confirmedAt: new Map() }))
  const wrong: string[] = []
  let [answered, refused, longestMs] = [0, 0, 0]
  const stopping = new AbortController()

  async function timed<Answer> (act: () => Promise<Answer>): Promise<Answer | undefined> {
    const started = performance.now()
    try {
      const answer = await act()
      answered += 1
      return answer
    } catch {
      refused += 1
      return undefined
    } finally {
      longestMs = Math.max(longestMs, performance.now() - started)
    }
  }

  async function round (lane: Lane): Promise<void> {
    const { org, confirmedAt } = lane
    lane.version += 1
    const now = Date.now()
    confirmedAt.set(lane.version, now)
    const used = BigInt(org) * ORG_STEP + BigInt(lane.version)
    const counters = [{ key: keyOf(org), tally: tallyOf(lane.version, { used }) }]
    const published = await timed(async () => await mirror.publish([{ org, version: lane.version, counters, confirmedAt: now }], now))
    const reading = await timed(async () => await mirror.read(org, [keyOf(org)]))
    if (reading === undefined) return
    const { version, counters: [counter] } = reading
    const expected = counter && BigInt(org) * ORG_STEP + BigInt(counter.value.version)
    if (counter?.value.used !== expected) wrong.push(`${org} has ${counter?.value.used}, not ${expected}`)
    const seen = [[version?.value, version?.confirmedAt], [counter?.value.version, counter?.confirmedAt]] as const
    for (const [of, at] of seen) if (of !== undefined && confirmedAt.get(of) !== at) wrong.push(`${org}: version ${of} was not confirmed at ${at}`)
    if (published !== undefined && version?.value === lane.version && counter?.value.version === lane.version) lane.confirmed = lane.version
  }

  const running = Promise.all(lanes.map(async lane => {
    while (!stopping.signal.aborted) {
      await round(lane)
      await sleep(PAUSE_MS)
    }
  }))

  return {
    orgs: lanes.map(({ org }) => org),
    recovered: async () => {
      const from = new Map(lanes.map(({ org, version }) => [org, version]))
      await until('all orgs are published and read', () => lanes.every(({ org, confirmed }) => confirmed > (from.get(org) as number)), 20_000)
    },
    stop: async () => {
      stopping.abort()
      await running
      return { wrong, answered, refused, longestMs }
    }
  }
}

interface Failover {
  /** The one to be killed. */
  readonly master: RedisServer
  /** Resolves when another one is in its place. */
  replaced (master: RedisServer): Promise<unknown>
  /** Resolves when all know each other again. */
  settled (): Promise<unknown>
}

/** A master is killed under load. Its orgs are refused until its replica serves them, nothing is wrong, and it may come back. */
export async function killMaster (t: Test, load: MirrorLoad, { master, replaced, settled }: Failover): Promise<void> {
  await load.recovered()
  await master.kill()
  const killed = performance.now()
  await replaced(master)
  const promoted = performance.now()
  await load.recovered()
  t.comment(`promoted after ${Math.round(promoted - killed)} ms, all served ${Math.round(performance.now() - promoted)} ms later`)
  await master.start()
  await settled()
  await load.recovered()
  const { wrong, answered, refused, longestMs } = await load.stop()
  t.comment(`${answered} calls answered, ${refused} refused, the longest after ${Math.round(longestMs)} ms`)
  t.strictSame(wrong, [])
  t.ok(refused > 0, 'it was missed')
  t.ok(longestMs < CALL_MAX_MS)
}
