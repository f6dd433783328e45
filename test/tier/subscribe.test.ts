import t from 'tap'
import { Tier } from 'tier/client'
import { type Body, dateOf } from '../fixtures/api.ts'
import { linkFor, visitor } from '../pages/checkout-visitor.ts'
import { openSdk } from './sdk-specification.ts'

/** Subscribing, as Tier's contract has it in 3.6 and 3.7: what its SDK sends for each call, and the rules of what happens then. */

type OrgName = `org:${string}`
const DAY_MS = 86_400_000

const { api, url, client: { apiKey } } = await openSdk(t)
const msg = (upto: number): Body => ({ 'feature:msg': { tiers: [{ upto }] } })
await api.push({
  'plan:free@0': { features: msg(10) },
  'plan:free@1': { features: msg(20) },
  'plan:pro@0': { features: { ...msg(100), 'feature:seat': { base: 1000 } } },
  'plan:year@0': { interval: '@yearly', currency: 'eur', features: { 'feature:year': { tiers: [{ upto: 5 }] } } }
})

let sent: Body = {}
const client = new Tier({
  baseURL: url,
  apiKey,
  fetchImpl: (async (input: string, init: RequestInit) => {
    sent = JSON.parse(String(init.body))
    return await fetch(input, init)
  }) as never
})

let orgs = 0
async function newOrg (on: string, ...held: string[]): Promise<OrgName> {
  await api.on(on)
  const org = `org:subscribes-${(orgs += 1)}` as const
  if (held.length > 0) await api.subscribe(org, ...held)
  return org
}

/** `plans effective..end`, with a mark where it is a trial. */
async function phases (org: string): Promise<string[]> {
  const { phases } = await api.phases(org)
  return (phases as Body[]).map(({ effective, end, trial, plans = [], fragments = [] }) =>
    `${[...plans, ...fragments].join(' ')} ${dateOf(effective)}..${end === undefined ? '' : dateOf(end)}${trial === true ? ' trial' : ''}`)
}
const period = async (org: string): Promise<Array<string | null>> => {
  const { current } = await api.phases(org)
  return [dateOf(current.effective), dateOf(current.end)]
}

t.test('3.6 calls of the SDK: what each sends, and what is then held', async t => {
  await api.on('2024-01-01')
  const free = { features: ['plan:free@0'] }
  const start = new Date('2024-01-01T00:00:00Z')
  const end = new Date(start.getTime() + 14 * DAY_MS)
  const later = new Date('2024-02-01T00:00:00Z')
  const json = (date: Date): string => date.toJSON()
  const info = { email: 'a@example.com', name: 'Acme', description: '', phone: '', metadata: {} }
  const cases: Array<[call: string, make: (org: OrgName) => Promise<unknown>, body: Body, held: string[] | null]> = [
    ["subscribe(o, 'plan')", async o => await client.subscribe(o, 'plan:free@0'), { phases: [free] }, ['plan:free@0 2024-01-01..']],
    ['with effective', async o => await client.subscribe(o, 'plan:free@0', { effective: later }),
      { phases: [{ ...free, effective: json(later) }] }, ['plan:free@0 2024-02-01..']],
    ['with trialDays', async o => await client.subscribe(o, 'plan:free@0', { trialDays: 14, effective: start }),
      { phases: [{ ...free, trial: true, effective: json(start) }, { ...free, effective: json(end) }] },
      ['plan:free@0 2024-01-01..2024-01-15 trial', 'plan:free@0 2024-01-15..']],
    ['subscribe(o, [])', async o => await client.subscribe(o, []), { phases: [] }, null],
    ['subscribe(o, [], { info })', async o => await client.subscribe(o, [], { info }),
      { phases: [], info: { ...info, invoice_settings: { default_payment_method: '' } } }, []],
    ['cancel(o)', async o => await client.cancel(o), { phases: [{}] }, []],
    ['schedule(o)', async o => await client.schedule(o), {}, null],
    ['schedule(o, phases)', async o => await client.schedule(o, [{ features: ['plan:free@0'] }, { features: ['plan:pro@0'], effective: later }]),
      { phases: [free, { features: ['plan:pro@0'], effective: json(later) }] }, ['plan:free@0 2024-01-01..2024-02-01', 'plan:pro@0 2024-02-01..']],
    ['updateOrg', async o => await client.updateOrg(o, info), { info: { ...info, invoice_settings: { default_payment_method: '' } } }, []]
  ]
  for (const [call, make, body, held] of cases) {
    const org = await newOrg('2024-01-01')
    t.strictSame(await make(org), {}, call)
    t.strictSame(sent, { org, ...body }, call)
    if (held === null) t.equal((await api.whois(org)).code, 'org_not_found', `${call} does nothing`)
    else t.strictSame(await phases(org), held, call)
  }
  for (const trialDays of [0, -1]) await t.rejects(client.subscribe('org:local', 'plan:free@0', { trialDays }), TypeError)
})

t.test('3.6 rule 1: info first, then all phases are read, then the org is made', async t => {
  const refused = async (members: Body): Promise<unknown> => {
    const org = await newOrg('2024-01-01')
    const { body: { code } } = await api.post('/v1/subscribe', { org, ...members })
    const { body } = await api.get('/v1/whois', { org, include: 'info' })
    return [code, body.code ?? body.name]
  }
  const unknown = [{ features: ['plan:free@0'] }, { features: ['plan:none@0'], effective: '2024-02-01T00:00:00Z' }]
  t.strictSame(await refused({ phases: unknown, info: { name: 'Acme' } }), ['TERR1020', 'Acme'])
  t.strictSame(await refused({ phases: unknown }), ['TERR1020', 'org_not_found'], 'nothing of it happened')
  t.strictSame(await refused({ phases: [{ features: ['plan:free'] }] }), ['invalid_request', 'org_not_found'])
  t.strictSame(await refused({ phases: unknown, info: { email: 'none' } }), ['invalid_email', 'org_not_found'], 'info is looked at first')
})

t.test('3.6 rule 2: a plan is all of its features; the same twice in a phase is refused', async t => {
  const org = await newOrg('2024-01-01', 'plan:pro@0')
  t.strictSame((await api.phase(org)).features, ['feature:msg@plan:pro@0', 'feature:seat@plan:pro@0'])
  for (const [features, code] of [
    [['plan:pro@0', 'feature:seat@plan:pro@0'], 'feature_not_found'], [['feature:seat'], 'invalid_request'], [['feature:seat@0'], 'TERR1020']
  ] as const) t.equal((await api.post('/v1/subscribe', { org, phases: [{ features }] })).body.code, code)
  t.strictSame(await phases(org), ['plan:pro@0 2024-01-01..'], 'what was held stays')
})

t.test('3.6 rule 3: a first phase without a date is now, and replaces all; the billing period goes on', async t => {
  const org = await newOrg('2024-01-31', 'plan:free@0')
  await api.subscribe(org, { features: ['plan:pro@0'], effective: '2024-06-01' })
  await api.on('2024-02-10')
  await api.subscribe(org, 'plan:pro@0')
  t.strictSame(await phases(org), ['plan:pro@0 2024-01-31..'], 'in the first period: from its start, and nothing is to come')
  t.strictSame(await period(org), ['2024-01-31', '2024-02-29'])
  await api.on('2024-03-10')
  await api.subscribe(org, 'plan:free@0')
  t.strictSame(await phases(org), ['plan:free@0 2024-02-29..'], 'later: from the start of the period in which it happens')
  t.strictSame(await period(org), ['2024-02-29', '2024-03-31'], 'and periods are counted from the 31st as before')
})

t.test('3.6 rule 4: a first phase with a date follows what is held; without that, nothing is held until then', async t => {
  const org = await newOrg('2024-01-01', 'plan:free@0')
  await api.subscribe(org, { features: ['plan:pro@0'], effective: '2024-02-10' }, { features: ['plan:free@1'], effective: '2024-03-10' })
  t.strictSame(await phases(org), ['plan:free@0 2024-01-01..2024-02-10', 'plan:pro@0 2024-02-10..2024-03-10', 'plan:free@1 2024-03-10..'])
  const later = await newOrg('2024-01-01')
  await api.subscribe(later, { features: ['plan:free@0'], effective: '2024-02-01' })
  t.equal((await api.phase(later)).code, 'not_found')
  t.strictSame(await api.limits(later), { org: later, usage: [] })
  await api.on('2024-02-01')
  t.strictSame((await api.phase(later)).plans, ['plan:free@0'])
})

t.test('3.6 rule 5: an empty phase is the last; alone it cancels at once, for who holds nothing, too, and makes the org', async t => {
  const org = await newOrg('2024-01-01', 'plan:free@0')
  const { body } = await api.post('/v1/subscribe', { org, phases: [{}, { features: ['plan:pro@0'], effective: '2024-02-01T00:00:00Z' }] })
  t.hasStrict(body, { status: 400, code: 'invalid_request', errors: [{ pointer: '/phases/0' }] })
  await api.subscribe(org, { features: ['plan:pro@0'] }, { effective: '2024-02-01' })
  t.strictSame(await phases(org), ['plan:pro@0 2024-01-01..2024-02-01', ' 2024-02-01..'])
  await api.report(org, 'feature:msg', 3)
  await api.on('2024-01-02')
  await api.subscribe(org, {})
  t.strictSame(await phases(org), [])
  t.equal((await api.usage(org, 'feature:msg', { limit: '1' })).past[0].used, 3, 'what was used stays to be billed')
  const nobody = await newOrg('2024-01-01')
  t.strictSame(await api.subscribe(nobody, {}), {})
  t.equal((await api.whois(nobody)).org, nobody)
})

t.test('3.6 rule 6: a trial with nothing after it has no end, and its period rolls on', async t => {
  const org = await newOrg('2024-01-31')
  await api.subscribe(org, { features: ['plan:pro@0'], trial: true })
  await api.on('2025-03-10')
  t.strictSame(await phases(org), ['plan:pro@0 2024-01-31.. trial'])
  t.strictSame(await period(org), ['2025-02-28', '2025-03-31'])
  t.strictSame((await api.get('/v1/cost', { org })).body.total, { usd: 0 })
})

t.test('3.6 rule 6: a trial and then what is paid for, replaced by the latter: the end is gone', async t => {
  const org = await newOrg('2024-01-01')
  await api.subscribe(org, { features: ['plan:pro@0'], trial: true }, { features: ['plan:pro@0'], effective: '2024-01-15' })
  await api.subscribe(org, 'plan:pro@0')
  t.strictSame(await phases(org), ['plan:pro@0 2024-01-01..'])
})

t.test('3.6 rule 7: another version of a plan keeps the usage of the period, where Tier began at 0', async t => {
  const org = await newOrg('2024-01-01', 'plan:free@0')
  await api.report(org, 'feature:msg', 8)
  await api.subscribe(org, 'plan:free@1')
  t.hasStrict((await api.limits(org)).usage, [{ used: 8, limit: 20 }])
  await api.subscribe(org, 'plan:free@1')
  t.hasStrict((await api.limits(org)).usage, [{ used: 8, limit: 20 }], 'and so does the same plan')
})

t.test('3.6 rule 8: what Stripe limits is not limited: plans of other intervals and currencies, phases by the dozen', async t => {
  const org = await newOrg('2024-01-01', 'plan:free@0', 'plan:year@0')
  t.strictSame((await api.phase(org)).plans, ['plan:free@0', 'plan:year@0'])
  const many = Array.from({ length: 40 }, (_, i) => ({ features: [`plan:free@${i % 2}`], effective: `20${25 + i}-01-01` }))
  t.strictSame(await api.subscribe(org, ...many), {})
  t.equal((await phases(org)).length, 41)
})

t.test('3.7 checkout: of what was checked out, one can cancel (#249), and it replaces what was held (#224)', async t => {
  const org = await newOrg('2024-01-01', 'plan:free@0')
  await api.settings({})
  const manual = await api.as(apiKey, undefined, { manualCheckoutInLive: true })
  t.equal((await visitor(manual).confirm(await linkFor(manual, org, { features: ['plan:pro@0'] }))).status, 303)
  const { plans, fragments } = await api.phase(org)
  t.strictSame([plans, fragments], [['plan:pro@0'], undefined])
  await client.cancel(org)
  t.strictSame(await api.limits(org), { org, usage: [] })
})

t.test('3.7 checkout: of an org that was never seen, with features or without, makes the org; it is a URL either way', async t => {
  const manual = await api.as(apiKey, undefined, { manualCheckoutInLive: true })
  for (const features of [{}, { features: ['plan:free@0'] }]) {
    const org = await newOrg('2024-01-01')
    t.match(await linkFor(manual, org, features), /^http/)
    t.strictSame([(await api.whois(org)).org, await api.limits(org)], [org, { org, usage: [] }])
  }
  const { body } = await manual.post('/v1/checkout', { org: await newOrg('2024-01-01'), success_url: 'https://app.example.com', features: ['plan:none@0'] })
  t.hasStrict(body, { status: 400, code: 'TERR1020', message: 'feature or plan not found' })
})

t.end()
