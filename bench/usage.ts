import postgres from 'postgres'
import { FEATURE, orgName, ORGS } from './load.ts'
import type { Servers } from './servers.ts'

/** What was set up to be counted, and what was counted in the end. */

const PLAN = 'plan:bench@0'
const DOCUMENT = { plans: { [PLAN]: { title: 'Bench', features: { [FEATURE]: { tiers: [{ upto: 1_000_000_000 }] } } } } }
const AT_ONCE = 20

/**
 * Every org is subscribed, by its first report, to a plan with one metered feature and a limit out of reach.
 * @returns how many reports that took
 */
export async function prepare (url: string): Promise<number> {
  await send(url, 'POST', '/v1/push', DOCUMENT)
  await send(url, 'PUT', '/v1/environments/test', { defaultPlan: PLAN })
  await forEachOrg(async org => { await send(url, 'POST', '/v1/report', { org, feature: FEATURE, n: 1 }) })
  return ORGS
}

export interface Count {
  readonly where: string
  /** Reports that were answered with 200. */
  readonly answered: number
  readonly counters: number
  /** Rows, and their sum; undefined where only the API can be asked. */
  readonly events: { readonly rows: number, readonly sum: number } | undefined
}

/** Speed that was bought with loss, or with double counting, is none. */
export function isExact ({ answered, counters, events }: Count): boolean {
  return counters === answered && (events === undefined || (events.rows === answered && events.sum === answered))
}

/** @param answered by side */
export async function countAll (servers: Servers, answered: { embedded: number, servers: number, hand: number }): Promise<Count[]> {
  return [
    { where: 'PostgreSQL + Redis', answered: answered.servers, ...await countIn(servers.ledgerUrl, 'delta') },
    { where: 'embedded', answered: answered.embedded, counters: await countOver(servers.embedded), events: undefined },
    { where: 'hand-written', answered: answered.hand, ...await countIn(servers.handUrl, 'amount') }
  ]
}

async function countIn (url: string, amount: string): Promise<Omit<Count, 'where' | 'answered'>> {
  const sql = postgres(url, { max: 1 })
  const [counters] = await sql`select coalesce(sum(used), 0)::float8 as sum from counters`
  const [events] = await sql`select count(*)::float8 as rows, coalesce(sum(${sql(amount)}), 0)::float8 as sum from events`
  await sql.end()
  return { counters: counters?.sum as number, events: { rows: events?.rows as number, sum: events?.sum as number } }
}

async function countOver (url: string): Promise<number> {
  let sum = 0
  await forEachOrg(async org => {
    const query = `org=${encodeURIComponent(org)}&feature=${encodeURIComponent(FEATURE)}`
    const verdict = await send(url, 'GET', `/v1/can?${query}`) as { used: number }
    sum += verdict.used
  })
  return sum
}

async function forEachOrg (work: (org: string) => Promise<void>): Promise<void> {
  for (let i = 0; i < ORGS; i += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, ORGS - i) }, async (_, j) => await work(orgName(i + j))))
  }
}

async function send (url: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const answer = await fetch(`${url}${path}`, init)
  const text = await answer.text()
  if (!answer.ok || text.includes('"status":"failed"')) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`)
  return JSON.parse(text)
}
