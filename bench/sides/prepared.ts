import { FEATURE, MANY, orgName, type Orgs, THOUSAND } from '../load/load.ts'
import { PLAN, seed } from './seed.ts'
import { send } from './service.ts'
import type { Servers } from './servers.ts'

const DOCUMENT = { plans: { [PLAN]: { title: 'Bench', features: { [FEATURE]: { tiers: [{ upto: 1_000_000_000 }] } } } } }
const AT_ONCE = 20
const EVENTS_STORED = 2_000_000
const ORGS_VERIFIED = 20
const QUESTIONS = 1_000

/** Every org that is asked for holds a plan with one metered feature and a limit out of reach, and has used it. */
export async function prepareLedgers ({ ledgers, urls }: Servers, tell: (text: string) => void): Promise<void> {
  for (const [name, { service, database }] of ledgers) {
    if (service === undefined) continue
    await preparePlan(service)
    if (name === 'stored') {
      tell(`storing ${EVENTS_STORED.toLocaleString('en-US')} events`)
      await seed(database as string, THOUSAND, EVENTS_STORED / THOUSAND.count)
      await verifySome(service, THOUSAND)
    }
    await reportOnce(service, THOUSAND)
    if (name === 'main' && urls.has('many')) {
      tell(`storing ${MANY.count.toLocaleString('en-US')} orgs`)
      await seed(database as string, MANY, 1)
      await verifySome(service, MANY)
      const [many] = urls.get('many') as readonly [string]
      await askOnce(many, MANY)
    }
  }
}

export async function preparePlan (url: string): Promise<void> {
  await send(url, 'POST', '/v1/push', DOCUMENT)
  await send(url, 'PUT', '/v1/environments/test', { defaultPlan: PLAN })
}

/** By its first report an org is subscribed to the default plan. */
export async function reportOnce (url: string, orgs: Orgs): Promise<void> {
  await forEachOrg(orgs, async org => { await send(url, 'POST', '/v1/report', { org, feature: FEATURE, n: 1 }) })
}

/** After it the process has met every org: how fast it meets new ones is another question. */
export async function askOnce (url: string, orgs: Orgs): Promise<void> {
  for (let first = 0; first < orgs.count; first += QUESTIONS) {
    const count = Math.min(QUESTIONS, orgs.count - first)
    const questions = Array.from({ length: count }, (_, i) => ({ org: orgName(orgs, first + i), feature: FEATURE }))
    const { results } = await send(url, 'POST', '/v1/can', { questions }) as { results: Array<{ ok?: boolean }> }
    if (!results.every(({ ok }) => ok === true)) throw new Error(`an org from ${first} on may not use ${FEATURE}`)
  }
}

/** What was not stored by the service itself has to be as it would have stored it. */
async function verifySome (url: string, orgs: Orgs): Promise<void> {
  for (let i = 0; i < ORGS_VERIFIED; i += 1) {
    const org = orgName(orgs, Math.floor(i * orgs.count / ORGS_VERIFIED))
    const { ok, checked, differences } = await send(url, 'POST', '/v1/verify', { org }) as
      { ok: boolean, checked: { events: number }, differences: unknown[] }
    if (!ok || checked.events === 0) throw new Error(`${org}: ${checked.events} events, ${JSON.stringify(differences)}`)
  }
}

/** What its counters say, where only the API can be asked. */
export async function usedOver (url: string, orgs: Orgs): Promise<number> {
  let sum = 0
  await forEachOrg(orgs, async org => {
    const query = `org=${encodeURIComponent(org)}&feature=${encodeURIComponent(FEATURE)}`
    const { used } = await send(url, 'GET', `/v1/can?${query}`) as { used: number }
    sum += used
  })
  return sum
}

async function forEachOrg (orgs: Orgs, work: (org: string) => Promise<void>): Promise<void> {
  for (let i = 0; i < orgs.count; i += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, orgs.count - i) }, async (_, j) => await work(orgName(orgs, i + j))))
  }
}
