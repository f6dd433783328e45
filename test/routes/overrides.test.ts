import t from 'tap'
import { type Body, openApi, type Reply, timeOf } from '../fixtures/api.ts'
import { everyPage, NOT_CURSORS } from '../fixtures/pages.ts'

const api = await openApi(t)
const elsewhere = await api.as('prv_elsewhere_0123456789abcdef')
await api.on('2024-01-01')
await api.push({
  'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] }, 'feature:sso': {}, 'feature:a/b': { tiers: [{ upto: 1 }], overage: true } } },
  'plan:pro@1': { features: { 'feature:calls': { tiers: [{ upto: 100 }] } } },
  'plan:access@0': { features: { 'feature:calls': {} } }
})

let orgs = 0
async function newOrg (plan = 'plan:free@0'): Promise<string> {
  orgs += 1
  await api.on('2024-01-01')
  await api.subscribe(`org:o${orgs}`, plan)
  return `org:o${orgs}`
}

const at = (org: string, feature = 'feature:calls'): string => `/v1/orgs/${encodeURIComponent(org)}/overrides/${encodeURIComponent(feature)}`
const put = async (org: string, payload: Body | string, feature?: string): Promise<Body> =>
  (await api.send({ method: 'PUT', url: at(org, feature), payload, headers: { 'content-type': 'application/json' } })).body
const end = async (org: string, feature?: string): Promise<Reply> => await api.send({ method: 'DELETE', url: at(org, feature) })
const list = async (org: string, query = {}): Promise<Body[]> => (await api.get(`/v1/orgs/${org}/overrides`, query)).body.overrides
const figures = ({ used, limit, remaining }: Body): unknown[] => [used, limit, remaining]

t.test('from now on every call shows the limit of the override, and the window goes on', async t => {
  const org = await newOrg()
  await api.report(org, 'feature:calls', 8)
  await api.on('2024-01-10')
  t.strictSame(await put(org, { limit: 50, reason: 'a good customer' }), {
    org, feature: 'feature:calls', limit: 50, overage: null, startsAt: '2024-01-10T00:00:00.000Z', endsAt: null, reason: 'a good customer'
  })
  t.strictSame(figures(await api.can(org, 'feature:calls')), [8, 50, 42])
  t.hasStrict(await api.can(org, 'feature:calls', 42), { ok: true, reason: 'within_limit' })
  t.hasStrict(await api.can(org, 'feature:calls', 43), { ok: false, reason: 'limit_reached' })
  t.strictSame(figures(await api.report(org, 'feature:calls', 2)), [10, 50, 40])
  t.hasStrict((await api.usage(org, 'feature:calls')).current, { used: 10, limit: 50, remaining: 40, start: '2024-01-01T00:00:00.000Z', end: '2024-02-01T00:00:00.000Z' })
  t.hasStrict(await api.limits(org), { usage: [{}, { feature: 'feature:calls', used: 10, limit: 50 }, {}] })
  t.hasStrict((await api.can(org)).features.find(({ feature }: Body) => feature === 'feature:calls'), { limit: 50 })
  t.strictSame((await end(org)).body, {})
  t.strictSame(figures(await api.can(org, 'feature:calls')), [10, 10, 0], 'ended, the plan decides again')
})

t.test('it shows in verdicts from exactly its start to exactly its end, without any job', async t => {
  const org = await newOrg()
  await api.on('2024-01-10T12:00:00.000Z')
  await put(org, { limit: 50, until: '2024-01-20T12:00:00.000Z', reason: 'a trial' })
  const limitOn = async (time: string): Promise<unknown> => {
    await api.on(time)
    return (await api.can(org, 'feature:calls')).limit
  }
  t.equal(await limitOn('2024-01-10T11:59:59.999Z'), 10)
  t.equal(await limitOn('2024-01-10T12:00:00.000Z'), 50)
  t.equal(await limitOn('2024-01-20T11:59:59.999Z'), 50)
  t.equal(await limitOn('2024-01-20T12:00:00.000Z'), 10)
})

t.test('a past window has the limit that it had at its end', async t => {
  const org = await newOrg()
  await api.report(org, 'feature:calls', 1)
  await api.on('2024-01-10')
  await put(org, { limit: 50, until: timeOf('2024-02-10'), reason: 'over the turn of the month' })
  await api.on('2024-02-20')
  await put(org, { limit: null, reason: 'as much as they like' })
  await api.on('2024-03-05')
  await end(org)
  const { current, past } = await api.usage(org, 'feature:calls')
  t.strictSame([current, ...past].map(({ start, limit }: Body) => [start.slice(0, 10), limit]), [['2024-03-01', 10], ['2024-02-01', null], ['2024-01-01', 50]])
})

t.test('unlimited, nothing, fractions and overage', async t => {
  const org = await newOrg()
  await put(org, { limit: null, reason: 'x' })
  t.hasStrict(await api.can(org, 'feature:calls', 1e9), { ok: true, reason: 'unlimited', limit: null })
  await put(org, { limit: 0, reason: 'x' })
  t.hasStrict(await api.can(org, 'feature:calls', 1), { ok: false, reason: 'limit_reached', limit: 0 })
  await put(org, { limit: 0, overage: true, reason: 'x' })
  t.hasStrict(await api.can(org, 'feature:calls', 1), { ok: true, reason: 'overage', limit: 0 })
  t.hasStrict(await put(org, { limit: '0.3', overage: null, reason: 'x' }), { limit: 0.3, overage: null })
  await api.report(org, 'feature:calls', 0.1)
  t.hasStrict(await api.can(org, 'feature:calls', 0.2), { ok: true, remaining: 0.2 })
  const { raw } = await api.send({ method: 'PUT', url: at(org), payload: { limit: '1234567890123456789.123456789', reason: 'x' } })
  t.match(raw, '"limit":1234567890123456789.123456789')
  t.hasStrict(await api.can(org, 'feature:a/b', 5), { ok: true, reason: 'overage' })
  await put(org, { limit: 1, overage: false, reason: 'x' }, 'feature:a/b')
  t.hasStrict(await api.can(org, 'feature:a/b', 5), { ok: false, reason: 'limit_reached' })
})

t.test('it outlives a change of plan, gives nothing where the feature is not held, and goes on where it is held again', async t => {
  const org = await newOrg()
  await put(org, { limit: 50, reason: 'x' })
  await api.on('2024-01-10')
  await api.subscribe(org, 'plan:pro@1')
  t.equal((await api.can(org, 'feature:calls')).limit, 50)
  await api.on('2024-01-11')
  await api.subscribe(org, {})
  t.hasStrict(await api.can(org, 'feature:calls'), { ok: false, reason: 'feature_not_found' })
  t.hasStrict(await api.report(org, 'feature:calls'), { status: 400, code: 'feature_not_found' })
  await api.on('2024-01-12')
  await api.subscribe(org, 'plan:free@0')
  t.equal((await api.can(org, 'feature:calls')).limit, 50)
  await api.on('2024-01-13')
  await api.subscribe(org, 'plan:access@0')
  t.hasStrict(await api.can(org, 'feature:calls'), { ok: true, reason: 'granted', limit: null }, 'where there is only access, it says nothing')
})

t.test('history stays: who was given what, when and why', async t => {
  const org = await newOrg()
  await put(org, { limit: 20, reason: 'first' })
  await api.on('2024-01-10')
  await put(org, { limit: 30, until: timeOf('2024-06-01'), reason: 'second' })
  await put(org, { limit: 5, overage: true, reason: 'other' }, 'feature:a/b')
  await api.on('2024-01-20')
  await end(org)
  const entry = (limit: number, startsAt: string, endsAt: string, reason: string): Body => ({
    org, feature: 'feature:calls', limit, overage: null, startsAt: timeOf(startsAt), endsAt: timeOf(endsAt), reason
  })
  t.strictSame(await list(org, { feature: 'feature:calls' }), [
    entry(30, '2024-01-10', '2024-01-20', 'second'), entry(20, '2024-01-01', '2024-01-10', 'first')
  ])
  const pages = await everyPage(api, `/v1/orgs/${org}/overrides`, 'overrides', { limit: '1' }, async () => {
    await api.on('2024-01-25')
    await put(org, { limit: 1, reason: 'meanwhile' })
  })
  t.strictSame(pages.flat().map(({ reason }) => reason).filter(reason => reason !== 'meanwhile').sort(), ['first', 'other', 'second'])
  t.strictSame(await list(org, { feature: 'feature:nope' }), [])
})

t.test('an org is overridden a thousand times at most', async t => {
  const org = await newOrg()
  const [row] = await api.database.run([{ text: 'select id, (select id from features where name = $2 and environment = $3) from orgs where name = $1', params: [org, 'feature:calls', 'test'] }])
  await api.database.run([{
    text: `insert into overrides (org, feature, starts_at, ends_at, "limit", reason)
      select $1::int, $2::int, '2023-01-01'::timestamptz + n * interval '1 hour', '2023-01-01'::timestamptz + (n + 1) * interval '1 hour', n, 'x'
      from generate_series(0, 998) n`,
    params: row?.rows[0] as unknown[]
  }])
  t.hasStrict(await put(org, { limit: 7, reason: 'the last' }), { limit: 7 })
  t.hasStrict(await api.can(org, 'feature:calls'), { limit: 7 })
  await api.on('2024-01-02')
  t.hasStrict(await put(org, { limit: 8, reason: 'one more' }), { status: 400, code: 'invalid_request', errors: [{ pointer: '?feature' }] })
  t.hasStrict((await end(org)).body, {}, 'it can still be ended')
})

t.test('what cannot be overridden is refused, naming the place', async t => {
  const org = await newOrg()
  const before = await list(org)
  const body = { limit: 5, reason: 'x' }
  t.hasStrict(await put(org, body, 'feature:sso'), { status: 400, code: 'invalid_request', message: 'feature:sso is held or not: it has no limit', errors: [{ pointer: '?feature' }] })
  t.hasStrict(await put(org, body, 'feature:nope'), { status: 400, code: 'feature_not_found', errors: [{ pointer: '?feature' }] })
  t.hasStrict(await put(org, body, 'calls'), { status: 400, code: 'invalid_request', errors: [{ pointer: '?feature' }] })
  t.hasStrict(await put(org, body, 'feature:\0'), { status: 400, code: 'invalid_request', errors: [{ pointer: '?feature' }] })
  t.hasStrict(await put('org:nobody', body), { status: 404, code: 'not_found', errors: [{ pointer: '?org' }] })
  t.hasStrict(await put('nobody', body), { status: 400, errors: [{ pointer: '?org' }] })
  t.hasStrict((await end(org)).body, { status: 404, code: 'not_found', message: 'no override of feature:calls is in force', errors: [{ pointer: '?feature' }] })
  t.hasStrict((await end('org:nobody')).body, { status: 404, errors: [{ pointer: '?org' }] })
  t.hasStrict((await api.get('/v1/orgs/org:nobody/overrides')).body, { status: 404, errors: [{ pointer: '?org' }] })
  const bodies: Array<[Body | string, string, string]> = [
    [{}, 'invalid_request', '/limit'],
    [{ limit: 5 }, 'invalid_request', '/reason'],
    [{ reason: 'x' }, 'invalid_request', '/limit'],
    [{ limit: -1, reason: 'x' }, 'invalid_amount', '/limit'],
    [{ limit: '-0.000000001', reason: 'x' }, 'invalid_amount', '/limit'],
    [{ limit: 'many', reason: 'x' }, 'invalid_amount', '/limit'],
    [{ limit: 0.1234567891, reason: 'x' }, 'invalid_amount', '/limit'],
    ['{"limit":100000000000000.00001,"reason":"x"}', 'invalid_amount', '/limit'],
    [{ limit: '10000000000000000000000000000', reason: 'x' }, 'invalid_amount', '/limit'],
    [{ limit: true, reason: 'x' }, 'invalid_request', '/limit'],
    [{ limit: 5, reason: '' }, 'invalid_request', '/reason'],
    [{ limit: 5, reason: ' ' }, 'invalid_request', '/reason'],
    [{ limit: 5, reason: 'a\0' }, 'invalid_request', '/reason'],
    ['{"limit":5,"reason":"\\ud800"}', 'invalid_request', '/reason'],
    [{ limit: 5, reason: 'x'.repeat(501) }, 'invalid_request', '/reason'],
    [{ limit: 5, reason: 'x', overage: 'yes' }, 'invalid_request', '/overage'],
    [{ limit: 5, reason: 'x', until: 'soon' }, 'invalid_request', '/until'],
    [{ limit: 5, reason: 'x', until: timeOf('2024-01-01') }, 'invalid_request', '/until'],
    [{ limit: 5, reason: 'x', from: timeOf('2024-01-01') }, 'invalid_request', '/from']
  ]
  for (const [sent, code, pointer] of bodies) {
    t.hasStrict(await put(org, sent), { status: 400, code, errors: [{ pointer }] }, JSON.stringify(sent))
  }
  for (const query of [{ feature: 'calls' }, { feature: 'feature:\0' }]) {
    t.hasStrict((await api.get(`/v1/orgs/${org}/overrides`, query)).body, { status: 400, errors: [{ pointer: '?feature' }] })
  }
  for (const cursor of NOT_CURSORS) {
    t.hasStrict((await api.get(`/v1/orgs/${org}/overrides`, { cursor })).body, { status: 400, errors: [{ pointer: '?cursor' }] }, cursor)
  }
  const far = Buffer.from(JSON.stringify(['overrides', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER])).toString('base64url')
  t.strictSame((await api.get(`/v1/orgs/${org}/overrides`, { cursor: far })).body, { overrides: [], nextCursor: null })
  t.strictSame(await list(org), before)
  t.hasStrict(await api.can(org, 'feature:calls'), { limit: 10 })
})

t.test('environments do not see each other\'s overrides', async t => {
  const org = await newOrg()
  await put(org, { limit: 50, reason: 'x' })
  await elsewhere.push((await api.pull()).plans)
  await elsewhere.subscribe(org, 'plan:free@0')
  t.hasStrict(await elsewhere.can(org, 'feature:calls'), { limit: 10 })
  t.strictSame((await elsewhere.get(`/v1/orgs/${org}/overrides`)).body.overrides, [])
  t.hasStrict((await elsewhere.send({ method: 'DELETE', url: at(org) })).body, { status: 404 })
})

t.end()
