import t from 'tap'
import { type Api, type Body, openApi } from '../fixtures/api.ts'
import { ask } from '../storage/ledger-fixture.ts'
import { until } from '../storage/until.ts'

const api = await openApi(t)
const live = await api.as('prv_live_0123456789abcdef')
const PLAN = { 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } } }
await api.push(PLAN)

interface OnClock extends Api {
  readonly id: string
  advance (present: string): Promise<boolean>
}

async function newClock (present = '2024-01-31T00:00:00.000Z'): Promise<OnClock> {
  const { id } = (await api.post('/v1/clock', { name: 'n', present })).body
  const clock = await api.onClock(id)
  return { ...clock, id, advance: async present => t.equal((await clock.post('/v1/clock', { id, present })).status, 200) }
}

const ABOUT_ORG: Array<[string, Body?]> = [
  ['/v1/report', { feature: 'feature:calls' }], ['/v1/subscribe', { phases: [{ features: ['plan:free@0'] }] }],
  ['/v1/can?feature=feature:calls'], ['/v1/can'], ['/v1/usage'], ['/v1/limits'], ['/v1/phase'], ['/v1/phases'], ['/v1/whois'],
  ['/report', { feature: 'feature:calls' }], ['/can'], ['/usage']
]

async function answerTo (caller: Api, [path, body]: [string, Body?], org: string): Promise<Body> {
  if (body !== undefined) return (await caller.post(path, { org, ...body })).body
  return (await caller.send({ method: 'GET', url: `${path}${path.includes('?') ? '&' : '?'}org=${org}` })).body
}

t.test('5 item 4: orgs of a clock are there with the header alone, and those of the environment without it', async t => {
  const clock = await newClock()
  await clock.subscribe('org:inside', 'plan:free@0')
  await api.subscribe('org:outside', 'plan:free@0')
  await clock.report('org:inside', 'feature:calls', 3)
  for (const call of ABOUT_ORG.filter(([path]) => path !== '/v1/subscribe')) {
    t.hasStrict(await answerTo(api, call, 'org:inside'), { status: 400, code: 'org_not_found' }, `${call[0]} from outside`)
    t.hasStrict(await answerTo(clock, call, 'org:outside'), { status: 400, code: 'org_not_found' }, `${call[0]} from inside`)
    t.notOk('code' in await answerTo(clock, call, 'org:inside'), call[0])
  }
})

t.test('5 item 4: one name on two clocks and outside is three orgs, each at its own time', async t => {
  const [one, two] = [await newClock('2020-02-29T00:00:00.000Z'), await newClock('2030-06-15T12:00:00.000Z')]
  const stripeIds: string[] = []
  for (const [i, caller] of [one, two, api].entries()) {
    await caller.subscribe('org:same', 'plan:free@0')
    await caller.report('org:same', 'feature:calls', i + 1, { id: 'one' })
    stripeIds.push((await caller.whois('org:same')).stripe_id)
  }
  t.strictSame(await Promise.all([one, two, api].map(async caller => (await caller.can('org:same', 'feature:calls')).used)), [1, 2, 3])
  t.equal(new Set(stripeIds).size, 3)
  t.equal((await one.whois('org:same', { include: 'info' })).created, '2020-02-29T00:00:00.000Z')
  t.equal((await two.can('org:same', 'feature:calls')).resetsAt, '2030-07-15T12:00:00.000Z')
  await one.advance('2020-03-29T00:00:00.000Z')
  t.strictSame(await Promise.all([one, two, api].map(async caller => (await caller.can('org:same', 'feature:calls')).used)), [0, 2, 3])
})

t.test('time stands still: now is the clock\'s, and five minutes ahead of it is the future', async t => {
  const clock = await newClock('2099-12-31T00:00:00.000Z')
  await clock.subscribe('org:still', 'plan:free@0')
  const report = async (at: string): Promise<Body> => await clock.report('org:still', 'feature:calls', 1, { at })
  t.equal((await clock.report('org:still', 'feature:calls')).window.start, '2099-12-31T00:00:00.000Z')
  t.hasStrict(await report('2099-12-31T00:05:00.000Z'), { used: 2 })
  t.hasStrict(await report('2099-12-31T00:05:00.001Z'), {
    status: 400, message: 'at must be at most 5 minutes ahead of 2099-12-31T00:00:00.000Z', errors: [{ pointer: '/at' }]
  })
  t.hasStrict(await report('2026-01-01T00:00:00.000Z'), { used: 1 }, 'what is now elsewhere is long ago here')
  const latest = "select distinct at::text from events where org = (select id from orgs where name = 'org:still') order by 1 desc limit 1"
  t.strictSame(await ask(clock.database, latest), ['2099-12-31 00:05:00+00'])
})

t.test('what begins a moment after the clock has not begun, for verdicts and for reports', async t => {
  const clock = await newClock('2024-01-31T00:00:00.000Z')
  await clock.subscribe('org:soon', { features: ['plan:free@0'], effective: '2024-01-31T00:00:00.300Z' })
  t.hasStrict(await clock.can('org:soon', 'feature:calls'), { ok: false, reason: 'feature_not_found' })
  t.hasStrict(await clock.report('org:soon', 'feature:calls'), { code: 'feature_not_found' })
  await clock.advance('2024-01-31T00:00:00.300Z')
  t.hasStrict(await clock.report('org:soon', 'feature:calls'), { used: 1 })
  t.hasStrict(await clock.can('org:soon', 'feature:calls'), { ok: true, used: 1 })
})

t.test('5 item 4: plans are those of the environment, whoever pushed them', async t => {
  const [one, two] = [await newClock(), await newClock()]
  t.strictSame(await one.pull(), await api.pull())
  const pro = { 'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 99 }] }, 'feature:sso': {} } } }
  t.hasStrict(await one.push(pro), { results: [{ status: 'ok' }, { status: 'ok' }] })
  t.hasStrict(await two.push(pro), { results: [{ reason: 'plan already exists' }, {}] })
  t.strictSame(await one.pull(), await api.pull())
  for (const caller of [one, two, api]) {
    t.strictSame(Object.keys((await caller.pull()).plans), ['plan:free@0', 'plan:pro@0'])
    await caller.subscribe('org:pro', 'feature:calls@plan:pro@0')
    t.hasStrict(await caller.can('org:pro', 'feature:calls'), { ok: true, limit: 99 })
  }
  t.strictSame((await live.pull()).plans, {})
})

t.test('the default plan is the environment\'s', async t => {
  const clock = await newClock()
  t.hasStrict(await clock.can('org:new', 'feature:calls'), { code: 'org_not_found' })
  await api.settings({ defaultPlan: 'plan:free@0' })
  t.hasStrict(await clock.can('org:new', 'feature:calls'), { ok: true, used: 0, limit: 10, resetsAt: '2024-02-29T00:00:00.000Z' })
  t.hasStrict(await clock.report('org:new', 'feature:calls', 4), { used: 4, limit: 10 })
  await api.settings({})
  t.hasStrict(await clock.can('org:new', 'feature:calls'), { used: 4 })
  t.hasStrict(await clock.can('org:newer', 'feature:calls'), { code: 'org_not_found' })
  t.hasStrict(await api.can('org:new', 'feature:calls'), { code: 'org_not_found' })
})

t.test('5 item 4: a clock that does not exist has no orgs, says Tier; a call about anything else is told which clock is missing', async t => {
  const { id: there } = await newClock()
  const before = await api.rows()
  const unknown = 'clock-00000000-0000-4000-8000-000000000000'
  const strange = ['clock', 'Clock-1', 'a b', "';--", '\u00e9', '%00', 'x'.repeat(5_000), `${there}, ${there}`, `${there}x`, there.toUpperCase()]
  for (const id of [unknown, 'test', 'live', ...strange]) {
    const caller = await api.onClock(id)
    for (const call of ABOUT_ORG) {
      const { status, code, message, errors: [{ pointer, detail }] } = await answerTo(caller, call, 'org:a')
      t.strictSame([status, code, message, pointer], [400, 'org_not_found', 'org not found', 'tier-clock'], `${call[0]} on ${id.slice(0, 50)}`)
      t.match(detail, /^there is no (such )?test clock .*in this environment$/)
    }
    t.hasStrict(await caller.pull(), { status: 400, code: 'clock_not_found', errors: [{ pointer: 'tier-clock' }] })
    t.hasStrict(await caller.push({ 'plan:x@0': { features: { 'feature:x': {} } } }), { status: 400, code: 'clock_not_found' })
  }
  t.strictSame(await api.rows(), before)
})

t.test('a key of another environment finds nothing behind the header', async t => {
  const clock = await newClock()
  await clock.subscribe('org:theirs', 'plan:free@0')
  const thief = await live.onClock(clock.id)
  t.hasStrict(await thief.can('org:theirs', 'feature:calls'), { status: 400, code: 'org_not_found' })
  t.hasStrict(await thief.pull(), { status: 400, code: 'clock_not_found', message: `there is no test clock ${clock.id} in this environment` })
  const stranger = await live.send({ method: 'GET', url: '/v1/can?org=org:theirs', headers: { 'tier-clock': clock.id, authorization: 'Bearer nobody' } })
  t.hasStrict(stranger.body, { status: 401 })
})

t.test('a call that names a clock keeps it from expiring', async t => {
  const { id, ...clock } = await newClock()
  const unused = `update environments set last_used_at = now() - interval '29 days' where name = '${id}'`
  await api.database.run([{ text: unused, params: [] }])
  const daysLeft = async (): Promise<number> => {
    const { expiresAt } = (await api.get(`/v1/environments/${id}`)).body
    return Math.round((Date.parse(expiresAt) - Date.now()) / (24 * 3_600_000))
  }
  t.equal(await daysLeft(), 1)
  t.equal(await daysLeft(), 1, 'to look at it is not to use it')
  await clock.pull()
  await until('the use is noted', async () => await daysLeft() === 30)
  await api.database.run([{ text: unused, params: [] }])
  await clock.post('/v1/clock', { id, present: '2024-02-01T00:00:00Z' })
  t.equal(await daysLeft(), 30, 'and to advance it is')
})

t.test('an empty header is none', async t => {
  const nowhere = await api.onClock('')
  await nowhere.subscribe('org:plain', 'plan:free@0')
  t.hasStrict(await api.can('org:plain', 'feature:calls'), { ok: true })
})

t.test('clocks, environments and the key itself are what they are, whatever clock a call names', async t => {
  const clock = await newClock()
  for (const caller of [clock, await api.onClock('clock-of-nobody')]) {
    const { id } = (await caller.post('/v1/clock', { name: 'n', present: '2024-01-31T00:00:00Z' })).body
    t.equal((await caller.get('/v1/clock', { id })).status, 200)
    t.equal((await caller.get(`/v1/environments/${id}`)).body.parent, 'test')
    t.equal((await caller.get('/v1/environments')).body.environments[0].name, 'test')
    t.equal((await caller.get('/v1/whoami')).body.id, 'test')
    t.hasStrict(await caller.settings({ now: null }, 'test'), { name: 'test', now: null })
  }
})

t.end()
