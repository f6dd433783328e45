import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer, Api } from '../e2e/api.ts'
import type { Scope } from '../fixtures/guard.ts'
import type { PostgresServer } from '../fixtures/postgres.ts'
import type { TcpProxy } from '../fixtures/proxy.ts'
import { until } from '../storage/until.ts'
import type { Replica } from './replica.ts'
import { openWorld, type World } from './world.ts'

/** What callers hear while Postgres is away, and after how long. */
export interface OutageRow {
  readonly outage: string
  readonly call: string
  readonly answer: string
  readonly afterMs: number
  /** undefined: as it was promised. */
  readonly wrong: string | undefined
}

interface Outage {
  readonly name: string
  begin (postgres: PostgresServer, link: TcpProxy): unknown
  end (postgres: PostgresServer, link: TcpProxy): unknown
}

const OUTAGES: readonly Outage[] = [
  { name: 'stopped', begin: postgres => postgres.stop('immediate'), end: postgres => postgres.start() },
  { name: 'frozen', begin: postgres => postgres.pause(), end: postgres => postgres.resume() },
  { name: 'cut off without a word', begin: (_postgres, link) => link.hold(), end: (_postgres, link) => link.pass() },
  { name: 'losing the answers to commits', begin: (_postgres, link) => { void link.dropAnswers({ when: isCommit }) }, end: (_postgres, link) => link.pass() }
]
const LOSING_ANSWERS = OUTAGES.length - 1

function isCommit (request: Buffer): boolean {
  return request.includes('commit')
}

interface Call {
  readonly name: string
  readonly afterMs: number
  readonly right: RegExp
  ask (api: Api, id: string): Promise<Answer>
}

const HELD = { org: 'org:held', feature: 'feature:calls' }
const PLANS = { plans: { 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 1e9 }] }, 'feature:unread': { tiers: [{ upto: 1e9 }] } } } } }
/** Older than readers believe it without asking the ledger. */
const STALE_MS = 1_100
const WITHIN_MS = 20_000
/** By the policy of a feature that has none of its own: what is not known is closed. */
const CLOSED = /^200 .*"ok":false,"reason":"ledger_unavailable".*"degraded":true/
const UNAVAILABLE = /^503 .*"ledger_unavailable"/
const UNKNOWN: Call = {
  name: 'report',
  afterMs: 0,
  right: /^503 .*"outcome_unknown".*"id":/,
  ask: async (api, id) => await api.post('/v1/report', { ...HELD, id })
}

const CALLS: readonly Call[] = [
  { name: 'can, confirmed a moment ago', afterMs: 0, right: /^200 .*"degraded":false/, ask: async api => await api.get('/v1/can', HELD) },
  { name: 'report', afterMs: 0, right: UNAVAILABLE, ask: UNKNOWN.ask },
  { name: 'can, in the mirror', afterMs: STALE_MS, right: /^200 .*"used":1,.*"degraded":true/, ask: async api => await api.get('/v1/can', HELD) },
  { name: 'can, not in the mirror', afterMs: 0, right: CLOSED, ask: async api => await api.get('/v1/can', { ...HELD, feature: 'feature:unread' }) },
  { name: 'can, of an org never seen', afterMs: 0, right: UNAVAILABLE, ask: async api => await api.get('/v1/can', { ...HELD, org: 'org:unseen' }) },
  { name: 'usage', afterMs: 0, right: UNAVAILABLE, ask: async api => await api.get('/v1/usage', HELD) }
]

/** Design 4.4, measured: every call in every outage of Postgres. */
export async function outageTable (t: Scope): Promise<OutageRow[]> {
  const world = await openWorld(t, 'servers', 1)
  const [{ apis: [, api] }] = world.replicas as [Replica & { apis: [Api, Api] }]
  await api.post('/v1/push', PLANS)
  await api.post('/v1/subscribe', { org: HELD.org, phases: [{ features: ['plan:free@0'] }] })
  const rows: OutageRow[] = []
  for (const [i, outage] of OUTAGES.entries()) rows.push(...await during(world, api, outage, i === LOSING_ANSWERS ? [UNKNOWN] : CALLS))
  return rows
}

async function during (
  { postgres, replicas: [replica] }: World, api: Api, { name, begin, end }: Outage, calls: readonly Call[]
): Promise<OutageRow[]> {
  const [server, link] = [postgres as PostgresServer, replica?.toPostgres as TcpProxy]
  const known = async (): Promise<boolean> => (await api.post('/v1/report', { ...HELD, n: 1, clobber: true })).status === 200
  await until('it is well', known, WITHIN_MS)
  await begin(server, link)
  const rows = await Promise.all(calls.map(async call => {
    await sleep(call.afterMs)
    const started = performance.now()
    const { status, text } = await call.ask(api, randomUUID())
    const afterMs = Math.round(performance.now() - started)
    const [, what = ''] = /("code":"\w+"|"degraded":\w+)/.exec(text) ?? []
    const wrong = call.right.test(`${status} ${text}`) ? undefined : `${call.name} while Postgres is ${name} was answered ${status} ${text}`
    return { outage: name, call: call.name, answer: `${status} ${what.replaceAll('"', '').replace('code:', '')}`, afterMs, wrong }
  }))
  await end(server, link)
  await until('it is well again', known, WITHIN_MS)
  return rows
}
