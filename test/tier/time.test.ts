import t from 'tap'
import { Tier, TierWithClock } from 'tier/client'
import { type Body, dateOf } from '../fixtures/api.ts'
import { openSdk } from './sdk-specification.ts'

/** When usage counts, and for how long, as Tier's contract has it in 3.5 and 5. */

type OrgName = `org:${string}`
const { api, url, client } = await openSdk(t)
const tiers = [{ upto: 10 }]
await api.push({
  'plan:free@0': {
    features: Object.fromEntries([
      ...['sum', 'max', 'last', 'perpetual'].map(aggregate => [`feature:${aggregate}`, { tiers, aggregate }]), ['feature:seat', { base: 1000 }]
    ])
  }
})
const METERED = ['feature:sum', 'feature:max', 'feature:last', 'feature:perpetual']

let orgs = 0
async function newOrg (on: string): Promise<OrgName> {
  await api.on(on)
  const org = `org:time-${(orgs += 1)}` as const
  await api.subscribe(org, 'plan:free@0')
  return org
}
const used = async (org: string): Promise<number[]> => {
  const { usage } = await api.limits(org)
  return METERED.map(feature => (usage as Body[]).find(entry => entry.feature === feature)?.used)
}
const period = async (org: string): Promise<Array<string | null>> => {
  const { current } = await api.phase(org)
  return [dateOf(current.effective), dateOf(current.end)]
}

t.test('3.5 clobber: false is an increment as the aggregate has it, true sets the total of the window, for every aggregate', async t => {
  const org = await newOrg('2024-03-01')
  const after = async (n: number, clobber: boolean): Promise<number[]> => {
    for (const feature of METERED) await api.report(org, feature, n, { clobber })
    return await used(org)
  }
  t.strictSame([await after(5, false), await after(3, false)], [[5, 5, 5, 5], [8, 5, 3, 3]])
  t.strictSame([await after(4, true), await after(2, false), await after(0, true)], [[4, 4, 4, 4], [6, 4, 2, 2], [0, 0, 0, 0]])
})

t.test('3.5 clobber with at: the total of the window that contains it, and of no other', async t => {
  const org = await newOrg('2024-03-01')
  await api.report(org, 'feature:sum', 7)
  await api.on('2024-04-01')
  await api.report(org, 'feature:sum', 2)
  await api.report(org, 'feature:sum', 5, { at: '2024-03-15T00:00:00Z', clobber: true })
  const { current, past } = await api.usage(org, 'feature:sum', { limit: '1' })
  t.strictSame([current.used, past[0].used], [2, 5])
})

t.test('3.5 at: whole milliseconds; absent, null and the zero time are the frozen time', async t => {
  const org = await newOrg('2024-03-01')
  for (const at of [undefined, null, '0001-01-01T00:00:00Z', '2024-03-01T01:00:00.0009+01:00']) {
    t.equal((await api.report(org, 'feature:sum', 1, { at })).window.start, '2024-03-01T00:00:00.000Z')
  }
  t.equal((await api.report(org, 'feature:sum', 1, { at: '2024-02-29T23:59:59.999Z' })).window.start, '2024-02-01T00:00:00.000Z')
})

t.test('3.5 n of two plans with the feature goes to one figure, which both limits are for', async t => {
  await api.push({ 'plan:other@0': { features: { 'feature:sum': { tiers: [{ upto: 20 }] } } } })
  const org = await newOrg('2024-03-01')
  await api.subscribe(org, 'plan:free@0', 'plan:other@0')
  await client.report(org, 'feature:sum', 3)
  t.strictSame(await client.lookupLimit(org, 'feature:sum'), { feature: 'feature:sum', used: 3, limit: 20 })
})

t.test('3.5 window: one minute ahead of a frozen clock counts at once, and the last five minutes of a period are in it', async t => {
  const org = await newOrg('2024-03-01')
  await client.report(org, 'feature:sum', 10)
  await client.report(org, 'feature:sum', 10, { at: new Date('2024-03-01T00:01:00Z') })
  t.equal((await used(org))[0], 20)
  await api.on('2024-03-31T23:59:59.999Z')
  await client.report(org, 'feature:sum', 1)
  t.equal((await used(org))[0], 21)
})

t.test('3.5 a report sent twice counts twice, unless it has an id', async t => {
  const org = await newOrg('2024-03-01')
  const body = { org, feature: 'feature:sum', n: 1 }
  for (const headers of [{}, {}, { 'idempotency-key': 'k' }, { 'idempotency-key': 'k' }]) await api.post('/v1/report', body, headers)
  t.equal((await used(org))[0], 3)
})

t.test('5 item 1: instants come in with any offset, and go out in UTC, with milliseconds', async t => {
  const org = await newOrg('2024-03-01')
  await api.subscribe(org, { effective: '2024-06-01T02:00:00.5+02:00' })
  t.equal((await api.phase(org)).end, '2024-06-01T00:00:00.500Z')
  t.strictSame((await client.lookupPhase(org)).end, new Date('2024-06-01T00:00:00.500Z'))
})

t.test('5 item 2: the billing period begins with the subscription, and rolls by the calendar', async t => {
  const org = await newOrg('2020-01-01')
  await api.on('2020-03-15')
  t.strictSame(await period(org), ['2020-03-01', '2020-04-01'])
  const leap = await newOrg('2024-01-31')
  const ends: unknown[] = []
  for (const on of ['2024-01-31', '2024-02-29', '2024-03-31', '2024-04-30', '2025-02-28']) {
    await api.on(on)
    ends.push(await period(leap))
  }
  t.strictSame(ends, [
    ['2024-01-31', '2024-02-29'], ['2024-02-29', '2024-03-31'], ['2024-03-31', '2024-04-30'], ['2024-04-30', '2024-05-31'], ['2025-02-28', '2025-03-31']
  ])
})

t.test('5 item 2: usage of sum, max and last begins anew with the period, of perpetual it does not', async t => {
  const org = await newOrg('2024-01-31')
  for (const feature of METERED) await api.report(org, feature, 7)
  await api.on('2024-02-28T23:59:59.999Z')
  t.strictSame(await used(org), [7, 7, 7, 7])
  await api.on('2024-02-29')
  t.strictSame(await used(org), [0, 0, 0, 7])
})

t.test('5 item 3: a phase ends where the next begins, a period where its interval does, in a trial, too', async t => {
  const org = await newOrg('2024-01-01')
  const features = ['plan:free@0']
  await api.subscribe(org, { features, trial: true }, { features, effective: '2024-01-15' })
  const { effective, end, trial, current } = await api.phase(org)
  t.strictSame([effective, end, trial].map(String), ['2024-01-01T00:00:00.000Z', '2024-01-15T00:00:00.000Z', 'true'])
  t.strictSame(current, { effective: '2024-01-01T00:00:00.000Z', end: '2024-02-01T00:00:00.000Z' })
  await api.on('2024-01-15')
  t.strictSame([dateOf((await api.phase(org)).effective), await period(org)], ['2024-01-15', ['2024-01-01', '2024-02-01']])
})

t.test('5 item 3: what is held and cancelled in one instant of frozen time was never held, and its usage is not shown', async t => {
  const org = await newOrg('2024-01-01')
  await api.report(org, 'feature:sum', 3)
  await api.subscribe(org, {})
  t.hasStrict(await api.usage(org, 'feature:sum'), { status: 400, code: 'feature_not_found' })
})

t.test('5 item 4: a test clock, as the SDK keeps it', async t => {
  await api.settings({})
  const sent: Array<[string, Body, string | undefined]> = []
  const watched = new Tier({
    baseURL: url,
    apiKey: client.apiKey,
    fetchImpl: (async (input: string, init: RequestInit) => {
      const headers = new Headers(init.headers)
      sent.push([new URL(input).pathname, JSON.parse(String(init.body ?? '{}')), headers.get('tier-clock') ?? undefined])
      return await fetch(input, init)
    }) as never
  })
  const clock = await watched.withClock('walk', new Date('2024-01-31T00:00:00Z'))
  t.ok(clock instanceof TierWithClock && clock.clockID !== '')
  await clock.advance(new Date('2024-02-29T00:00:00Z'))
  t.strictSame(sent, [
    ['/v1/clock', { name: 'walk', present: '2024-01-31T00:00:00.000Z' }, undefined],
    ['/v1/clock', { id: clock.clockID, present: '2024-02-29T00:00:00.000Z' }, clock.clockID], ['/v1/clock', {}, clock.clockID]
  ], 'it is ready when it is first asked')
  const org: OrgName = 'org:on-clock'
  await clock.subscribe(org, 'plan:free@0')
  t.strictSame(String((await clock.lookupOrg(org) as unknown as Body).created), '2024-02-29T00:00:00.000Z', 'created follows the clock')
  t.strictSame((await clock.lookupPhase(org)).effective, new Date('2024-02-29T00:00:00Z'), 'and so do phases')
  t.strictSame(await clock.pull(), await client.pull(), 'plans are shared')
  await t.rejects(client.whois(org), { code: 'org_not_found' }, 'without the header it is not there')
  const other = await client.withClock('other')
  await other.subscribe(org, 'plan:free@0')
  t.not((await other.whois(org)).stripe_id, (await clock.whois(org)).stripe_id, 'the same name on two clocks is two orgs')
  const unknown = new TierWithClock({ baseURL: url, apiKey: client.apiKey, clockID: 'clock-00000000-0000-4000-8000-000000000000' })
  await t.rejects(unknown.whois(org), { status: 400, code: 'org_not_found' })
})

t.end()
