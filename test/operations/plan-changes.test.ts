import t from 'tap'
import { type Body, dateOf, openApi } from '../fixtures/api.ts'

const api = await openApi(t)
await api.on('2024-01-01')
const calls = (upto: number, more: Body = {}): Body => ({ 'feature:calls': { tiers: [{ upto }], ...more } })
await api.push({
  'plan:free@0': { features: calls(10) },
  'plan:pro@0': { features: { ...calls(100), 'feature:exports': { tiers: [{ upto: 5 }] }, 'feature:sso': {} } },
  'plan:soft@0': { features: calls(50, { overage: true }) },
  'plan:open@0': { features: { 'feature:calls': { tiers: [{}] } } },
  'plan:pack@0': { addon: true, features: calls(20) },
  'plan:floor@0': { addon: true, features: calls(30, { combine: 'highest' }) }
})

let orgs = 0
async function newOrg (date: string, ...held: string[]): Promise<string> {
  orgs += 1
  await api.on(date)
  if (held.length > 0) await api.subscribe(`org:s${orgs}`, ...held)
  return `org:s${orgs}`
}

/** `[used, limit, end of the window]` */
async function standing (org: string, feature = 'feature:calls'): Promise<unknown[]> {
  const { used, limit, resetsAt } = await api.can(org, feature)
  return [used, limit, dateOf(resetsAt)]
}

async function phases (org: string): Promise<unknown[]> {
  const { phases } = await api.phases(org)
  return (phases as Body[]).map(({ effective, end, plans, trial }) => [dateOf(effective), dateOf(end ?? null), plans ?? [], trial ?? false])
}

t.test('of two plans with one feature the highest limit decides', async t => {
  t.strictSame(await standing(await newOrg('2024-01-01', 'plan:free@0', 'plan:pro@0')), [0, 100, '2024-02-01'])
  t.strictSame(await standing(await newOrg('2024-01-01', 'plan:pro@0', 'plan:open@0')), [0, null, '2024-02-01'], 'unlimited is the highest')
  const soft = await newOrg('2024-01-01', 'plan:free@0', 'plan:soft@0')
  t.hasStrict(await api.can(soft, 'feature:calls', 51), { ok: true, reason: 'overage', limit: 50 })
  const hard = await newOrg('2024-01-01', 'plan:soft@0', 'plan:pro@0')
  t.hasStrict(await api.can(hard, 'feature:calls', 101), { ok: false, reason: 'limit_reached', limit: 100 }, 'its overage too')
})

t.test('an add-on adds its limit, unless it says that the highest counts', async t => {
  t.strictSame(await standing(await newOrg('2024-01-01', 'plan:free@0', 'plan:pack@0')), [0, 30, '2024-02-01'])
  t.strictSame(await standing(await newOrg('2024-01-01', 'plan:pack@0')), [0, 20, '2024-02-01'], 'alone as well')
  t.strictSame(await standing(await newOrg('2024-01-01', 'plan:free@0', 'plan:pack@0', 'plan:floor@0')), [0, 50, '2024-02-01'])
  t.strictSame(await standing(await newOrg('2024-01-01', 'plan:open@0', 'plan:pack@0')), [0, null, '2024-02-01'])
})

t.test('an add-on bought and returned within a month changes the limit and not the usage', async t => {
  const org = await newOrg('2024-01-01', 'plan:free@0')
  await api.report(org, 'feature:calls', 10)
  await api.on('2024-01-20')
  await api.subscribe(org, 'plan:free@0', 'plan:pack@0')
  t.strictSame(await standing(org), [10, 30, '2024-02-01'])
  await api.report(org, 'feature:calls', 5)
  await api.subscribe(org, 'plan:free@0')
  t.strictSame(await standing(org), [15, 10, '2024-02-01'])
  t.hasStrict(await api.can(org, 'feature:calls'), { ok: false, reason: 'limit_reached' })
})

t.test('one feature of a plan may be held alone', async t => {
  const org = await newOrg('2024-01-01', 'feature:exports@plan:pro@0')
  t.strictSame(await standing(org, 'feature:exports'), [0, 5, '2024-02-01'])
  t.hasStrict(await api.can(org, 'feature:calls'), { ok: false, reason: 'feature_not_found' })
  t.hasStrict(await api.can(org, 'feature:sso'), { ok: false, reason: 'feature_not_found' })
  t.strictSame(await standing(await newOrg('2024-01-01', 'plan:free@0', 'feature:calls@plan:pro@0')), [0, 100, '2024-02-01'])
})

t.test('a change of plan keeps the anchor and the usage, up and down', async t => {
  const org = await newOrg('2024-01-15', 'plan:free@0')
  await api.report(org, 'feature:calls', 8)
  await api.on('2024-01-20')
  await api.subscribe(org, 'plan:pro@0')
  t.strictSame(await standing(org), [8, 100, '2024-02-15'])
  await api.report(org, 'feature:calls', 30)
  await api.on('2024-02-01')
  await api.subscribe(org, 'plan:free@0')
  t.strictSame(await standing(org), [38, 10, '2024-02-15'])
  await api.on('2024-02-15')
  t.strictSame(await standing(org), [0, 10, '2024-03-15'])
})

t.test('a trial gives what its plan gives, and the plan after it goes on', async t => {
  const org = await newOrg('2024-01-01')
  await api.subscribe(org, { features: ['plan:pro@0'], trial: true }, { features: ['plan:pro@0'], effective: '2024-01-15' })
  t.hasStrict(await api.phase(org), { trial: true, end: '2024-01-15T00:00:00.000Z' })
  await api.report(org, 'feature:calls', 7)
  t.strictSame(await standing(org), [7, 100, '2024-02-01'])
  await api.on('2024-01-15')
  t.strictSame(await standing(org), [7, 100, '2024-02-01'])
  const { trial, end, effective } = await api.phase(org)
  t.strictSame([trial, end, effective], [undefined, undefined, '2024-01-15T00:00:00.000Z'])
})

t.test('a trial without anything after it has no end', async t => {
  const org = await newOrg('2024-01-01')
  await api.subscribe(org, { features: ['plan:pro@0'], trial: true })
  await api.on('2029-01-01')
  t.hasStrict(await api.phase(org), { trial: true })
  t.equal((await api.can(org, 'feature:calls')).ok, true)
})

t.test('phases that are planned take effect at their instants, the last one cancels', async t => {
  const org = await newOrg('2024-01-01', 'plan:free@0')
  await api.subscribe(org, { features: ['plan:pro@0'], effective: '2024-02-10' }, { effective: '2024-03-10' })
  t.strictSame(await phases(org), [
    ['2024-01-01', '2024-02-10', ['plan:free@0'], false], ['2024-02-10', '2024-03-10', ['plan:pro@0'], false], ['2024-03-10', null, [], false]
  ])
  t.strictSame(await standing(org), [0, 10, '2024-02-01'])
  await api.on('2024-02-09T23:59:59.999Z')
  t.strictSame(await standing(org), [0, 10, '2024-03-01'])
  await api.on('2024-02-10')
  t.strictSame(await standing(org), [0, 100, '2024-03-01'])
  await api.on('2024-03-10')
  t.hasStrict(await api.can(org, 'feature:calls'), { ok: false, reason: 'feature_not_found' })
  t.hasStrict(await api.phase(org), { status: 404, code: 'not_found' })
})

t.test('a new schedule replaces what was planned', async t => {
  const org = await newOrg('2024-01-01', 'plan:free@0')
  await api.subscribe(org, { features: ['plan:pro@0'], effective: '2024-02-10' })
  await api.subscribe(org, 'plan:free@0')
  t.strictSame(await phases(org), [['2024-01-01', null, ['plan:free@0'], false]])
  await api.on('2024-02-10')
  t.strictSame(await standing(org), [0, 10, '2024-03-01'])
})

t.test('before its first plan begins, an org may use nothing', async t => {
  const org = await newOrg('2024-01-01')
  await api.subscribe(org, { features: ['plan:pro@0'], effective: '2024-01-15' })
  t.hasStrict(await api.can(org, 'feature:calls'), { ok: false, reason: 'feature_not_found' })
  t.hasStrict(await api.can(org, 'feature:sso'), { ok: false, reason: 'feature_not_found' })
  t.strictSame((await api.can(org)).features, [])
  t.strictSame((await api.limits(org)).usage, [])
  t.hasStrict(await api.report(org, 'feature:calls'), { status: 400, code: 'feature_not_found' })
  t.hasStrict(await api.phase(org), { status: 404, code: 'not_found' })
  await api.on('2024-01-15')
  t.strictSame(await standing(org), [0, 100, '2024-02-15'])
})

t.test('who cancels and comes back in the same window finds the usage there', async t => {
  const org = await newOrg('2024-01-01', 'plan:free@0')
  await api.report(org, 'feature:calls', 9)
  await api.on('2024-01-10')
  await api.subscribe(org, {})
  t.hasStrict(await api.report(org, 'feature:calls', 1), { code: 'feature_not_found' })
  await api.subscribe(org, 'plan:free@0')
  t.hasStrict(await api.can(org, 'feature:calls', 2), { ok: false, used: 9, limit: 10 })
})

t.test('subscribing again to what is held changes nothing', async t => {
  const org = await newOrg('2024-01-01', 'plan:free@0')
  await api.report(org, 'feature:calls', 4)
  await api.on('2024-01-20')
  const before = [await api.phases(org), await api.rows()]
  await api.subscribe(org, 'plan:free@0')
  t.strictSame([await api.phases(org), await api.rows()], before)
  t.strictSame(await standing(org), [4, 10, '2024-02-01'])
})

t.test('a date in the past without usage after it: the plan is held from then, and periods are counted from then', async t => {
  const org = await newOrg('2024-01-20')
  await api.subscribe(org, { features: ['plan:pro@0'], effective: '2024-01-05' })
  t.strictSame(await standing(org), [0, 100, '2024-02-05'])
  t.equal((await api.phase(org)).effective, '2024-01-05T00:00:00.000Z')
  const change = await newOrg('2024-01-01', 'plan:free@0')
  await api.report(change, 'feature:calls', 3)
  await api.on('2024-01-20')
  await api.subscribe(change, { features: ['plan:pro@0'], effective: '2024-01-10' })
  t.strictSame(await standing(change), [0, 100, '2024-02-10'])
  t.hasStrict(await api.report(change, 'feature:calls', 1, { at: '2024-01-09T00:00:00Z' }), { used: 4, limit: 10 }, 'before it nothing changed')
})

t.test('a date in the past with usage after it: that usage stays as it was judged, the change is now', async t => {
  const org = await newOrg('2024-01-01', 'plan:free@0')
  await api.report(org, 'feature:calls', 3, { at: '2023-12-31T23:00:00Z' })
  await api.on('2024-01-15')
  await api.report(org, 'feature:calls', 5)
  await api.on('2024-01-20')
  await api.subscribe(org, { features: ['plan:pro@0'], effective: '2024-01-10' })
  t.strictSame(await standing(org), [0, 100, '2024-02-10'], 'the anchor is the date that was given')
  const { past } = await api.usage(org, 'feature:calls')
  t.strictSame((past as Body[]).map(({ start, end, used, limit }) => [dateOf(start), dateOf(end), used, limit]), [
    ['2024-01-01', '2024-01-20', 5, 10], ['2023-12-01', '2024-01-01', 3, 10]
  ])
})

t.test('a schedule that makes no sense is refused whole, naming the place', async t => {
  const org = await newOrg('2024-01-01', 'plan:free@0')
  const before = await api.phases(org)
  const pro = { features: ['plan:pro@0'] }
  const cases: Array<[phases: unknown[], code: string, pointer: string]> = [
    [[{ features: ['plan:nope@0'] }], 'TERR1020', '/phases/0/features/0'],
    [[pro, { features: ['plan:free@0', 'feature:nope@plan:pro@0'], effective: '2024-02-01T00:00:00Z' }], 'TERR1020', '/phases/1/features/1'],
    [[{ features: ['plan:pro@0', 'plan:pro@0'] }], 'feature_not_found', '/phases/0/features/1'],
    [[{ features: ['plan:pro@0', 'feature:sso@plan:pro@0'] }], 'feature_not_found', '/phases/0/features/1'],
    [[pro, pro], 'invalid_request', '/phases/1/effective'],
    [[pro, { ...pro, effective: '2023-12-01T00:00:00Z' }], 'invalid_request', '/phases/1/effective'],
    [[{}, { ...pro, effective: '2024-02-01T00:00:00Z' }], 'invalid_request', '/phases/0'],
    [[{ ...pro, effective: 'soon' }], 'invalid_request', '/phases/0/effective'],
    [[{ features: ['pro'] }], 'invalid_request', '/phases/0/features/0'],
    [[{ features: ['feature:calls'] }], 'invalid_request', '/phases/0/features/0'],
    [[{ features: 'plan:pro@0' }], 'invalid_request', '/phases/0/features'],
    [[{ ...pro, coupon: 'x' }], 'invalid_request', '/phases/0/coupon']
  ]
  for (const [phases, code, pointer] of cases) {
    const { body } = await api.post('/v1/subscribe', { org, phases })
    t.hasStrict(body, { status: 400, code, errors: [{ pointer }] }, JSON.stringify(phases))
  }
  t.strictSame(await api.phases(org), before)
})

t.end()
