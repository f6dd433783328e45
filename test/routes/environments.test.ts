import t from 'tap'
import { type Body, openApi } from '../fixtures/api.ts'

const api = await openApi(t)
const live = await api.as('prv_live_0123456789abcdef')
await api.push({ 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] }, 'feature:peak': { tiers: [{}], aggregate: 'max' } } } })

const read = async (name: string): Promise<Body> => (await api.get(`/v1/environments/${name}`)).body

t.test('settings are read, replaced, and reset where they are left out', async t => {
  const { createdAt } = await read('test')
  const unset = { name: 'test', parent: null, defaultPlan: null, now: null, createdAt, expiresAt: null }
  t.strictSame(await read('test'), unset)
  const set = { ...unset, defaultPlan: 'plan:free@0', now: '2024-01-31T12:00:00.000Z' }
  t.strictSame(await api.settings({ defaultPlan: 'plan:free@0', now: '2024-01-31T13:00:00+01:00' }), set)
  t.strictSame(await read('test'), set)
  t.strictSame(await api.settings({ defaultPlan: 'plan:free@0' }), { ...set, now: null })
  t.strictSame(await api.settings({ now: null, defaultPlan: null }), unset)
  t.strictSame(await api.settings({}), unset)
})

t.test('a key opens one environment and says nothing of the others, not even whether they exist', async t => {
  for (const name of ['live', 'nobody-has-it', 'Test', '%00']) {
    for (const method of ['GET', 'PUT'] as const) {
      const { body } = await api.send({ method, url: `/v1/environments/${name}`, ...(method === 'PUT' && { payload: {} }) })
      t.hasStrict(body, { status: 403, code: 'forbidden', message: 'this key is for environment test' }, `${method} ${name}`)
    }
  }
  t.hasStrict((await live.get('/v1/environments/live')).body, { name: 'live', defaultPlan: null, now: null })
  t.hasStrict((await live.get('/v1/environments/test')).body, { status: 403, code: 'forbidden' })
})

t.test('settings that make no sense are refused, naming the field, and change nothing', async t => {
  await api.settings({ defaultPlan: 'plan:free@0' })
  t.hasStrict(await api.settings({ defaultPlan: 'plan:nope@0' }), { status: 400, code: 'TERR1020', errors: [{ pointer: '/defaultPlan' }] })
  t.hasStrict(await api.settings({ defaultPlan: 'free' }), { status: 400, code: 'invalid_request', errors: [{ pointer: '/defaultPlan' }] })
  t.hasStrict(await api.settings({ now: 'noon' }), { status: 400, code: 'invalid_request', errors: [{ pointer: '/now' }] })
  for (const now of ['9999-12-31T23:59:59-23:59', '9999-12-31T23:59:59Z', '9998-01-01T00:00:00Z', '1969-12-31T23:59:59Z']) {
    t.hasStrict(await api.settings({ now }), { status: 400, code: 'invalid_request', errors: [{ pointer: '/now' }] }, now)
  }
  t.hasStrict(await api.settings({ defaultplan: 'plan:free@0' }), { status: 400, errors: [{ pointer: '/defaultplan' }] })
  t.hasStrict(await live.settings({ defaultPlan: 'plan:free@0' }), { status: 400, code: 'TERR1020' }, 'a plan of another environment is none')
  t.hasStrict(await read('test'), { defaultPlan: 'plan:free@0' })
})

t.test('frozen time is the time of everything: reports, verdicts, subscriptions', async t => {
  await api.on('2024-01-31')
  await api.subscribe('org:frozen', 'plan:free@0')
  t.equal((await api.report('org:frozen', 'feature:calls', 3)).window.start, '2024-01-31T00:00:00.000Z')
  t.hasStrict(await api.report('org:frozen', 'feature:calls', 1, { at: '2024-02-01T00:00:00Z' }), { status: 400 }, 'tomorrow is the future')
  await api.on('2024-02-29')
  t.hasStrict(await api.can('org:frozen', 'feature:calls'), { used: 0, resetsAt: '2024-03-31T00:00:00.000Z' })
  await api.settings({})
  t.ok((await api.can('org:frozen', 'feature:calls')).resetsAt > new Date().toISOString(), 'null is the real time')
})

t.test('with a default plan, an org is subscribed to it when something is first reported for it', async t => {
  await api.on('2024-01-31', 'plan:free@0')
  t.hasStrict(await api.report('org:first', 'feature:calls', 3), { used: 3, limit: 10, window: { start: '2024-01-31T00:00:00.000Z' } })
  t.hasStrict(await api.phase('org:first'), { effective: '2024-01-31T00:00:00.000Z', plans: ['plan:free@0'] })
  await api.on('2024-02-10', 'plan:free@0')
  t.hasStrict(await api.report('org:first', 'feature:calls', 1), { used: 4, window: { end: '2024-02-29T00:00:00.000Z' } }, 'once')
})

t.test('with a default plan, asking about an org that was never seen answers as if it held the plan, and writes nothing', async t => {
  await api.on('2024-01-31', 'plan:free@0')
  const before = await api.rows()
  t.strictSame(await api.can('org:unseen', 'feature:calls'), {
    ok: true,
    reason: 'within_limit',
    org: 'org:unseen',
    feature: 'feature:calls',
    used: 0,
    reserved: 0,
    limit: 10,
    remaining: 10,
    overage: 0,
    resetsAt: '2024-02-29T00:00:00.000Z',
    degraded: false
  })
  t.hasStrict(await api.can('org:unseen', 'feature:calls', 11), { ok: false, reason: 'limit_reached' })
  t.hasStrict(await api.can('org:unseen', 'feature:other'), { ok: false, reason: 'feature_not_found' })
  t.equal((await api.can('org:unseen')).features.length, 2)
  t.hasStrict(await api.usage('org:unseen', 'feature:calls'), { current: { used: 0, limit: 10 }, past: [], nextCursor: null })
  t.equal((await api.usage('org:unseen')).features.length, 2)
  t.hasStrict(await api.usage('org:unseen', 'feature:other'), { code: 'feature_not_found' })
  t.hasStrict(await api.whois('org:unseen'), { code: 'org_not_found' }, 'it is not stored')
  t.strictSame(await api.rows(), before)
})

t.test('who cancelled is not subscribed again by a report', async t => {
  await api.on('2024-01-31', 'plan:free@0')
  await api.report('org:left', 'feature:calls')
  await api.subscribe('org:left', {})
  t.hasStrict(await api.report('org:left', 'feature:calls'), { status: 400, code: 'feature_not_found' })
})

t.test('a report that is refused for its own content creates no org', async t => {
  await api.on('2024-01-31', 'plan:free@0')
  const before = await api.rows()
  t.hasStrict(await api.report('org:refused', 'feature:calls', 'x'), { status: 400 })
  t.hasStrict(await api.report('org:refused', 'feature:calls', 1, { at: '2030-01-01T00:00:00Z' }), { status: 400 })
  t.hasStrict(await api.report('org:refused', 'feature:other'), { status: 400, code: 'feature_not_found' })
  t.hasStrict(await api.report('org:refused', 'feature:peak', -1), { status: 400, code: 'invalid_amount' })
  t.strictSame(await api.rows(), before)
})

t.test('time may be frozen as late as its windows still end in a year of four digits', async t => {
  await api.push({ 'plan:yearly@0': { anchor: 'calendar', interval: '@yearly', features: { 'feature:late': { tiers: [{}] } } } })
  await api.on('9997-12-31T23:59:59.999Z')
  await api.subscribe('org:late', 'plan:yearly@0')
  const at = '9998-01-01T00:04:59.999Z'
  t.hasStrict(await api.report('org:late', 'feature:late', 1, { at }), { used: 1, window: { end: '9999-01-01T00:00:00.000Z' } })
  t.hasStrict(await api.usage('org:late', 'feature:late'), { current: { end: '9998-01-01T00:00:00.000Z' } })
  t.hasStrict(await api.usage('org:late', 'feature:late', { to: '9999-12-31T23:59:59Z' }), { current: { used: 0 } })
})

t.end()
