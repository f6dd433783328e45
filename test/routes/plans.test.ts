import t from 'tap'
import { type Body, openApi } from '../fixtures/api.ts'

const api = await openApi(t)
const elsewhere = await api.as('prv_elsewhere_0123456789abcdef')
const calls = (upto: number): Body => ({ 'feature:calls': { tiers: [{ upto }] } })

/** `[feature@plan, status, reason]` of each result. */
function results ({ results }: Body): unknown[] {
  return (results as Body[]).map(({ feature, status, reason }) => [feature, status, reason])
}

t.test('push says what became of each feature, plan by plan', async t => {
  t.strictSame(results(await api.push({
    'plan:b@0': { features: { 'feature:z': {}, 'feature:a': {} } },
    'plan:a@1': { features: calls(10) }
  })), [
    ['feature:a@plan:b@0', 'ok', 'created'],
    ['feature:z@plan:b@0', 'ok', 'created'],
    ['feature:calls@plan:a@1', 'ok', 'created']
  ])
  t.strictSame(await api.push({}), { results: [] })
})

t.test('a plan never changes: pushed again, the same or not, it is refused, and others of the document are not', async t => {
  const plans = { 'plan:fixed@0': { features: calls(10) } }
  await api.push(plans)
  t.strictSame(results(await api.push(plans)), [['feature:calls@plan:fixed@0', 'failed', 'plan already exists']])
  t.strictSame(results(await api.push({
    'plan:fixed@0': { features: { ...calls(99), 'feature:more': {} } }, 'plan:fixed@1': { features: calls(20) }
  })), [
    ['feature:calls@plan:fixed@0', 'failed', 'plan already exists'],
    ['feature:more@plan:fixed@0', 'failed', 'plan already exists'],
    ['feature:calls@plan:fixed@1', 'ok', 'created']
  ])
  const { plans: { 'plan:fixed@0': first, 'plan:fixed@1': second } } = await api.pull()
  t.strictSame([first.features, second.features], [calls(10), calls(20)])
})

t.test('a plan that cannot be is refused as a whole, and can be pushed once it is right', async t => {
  const wrong = { 'feature:a': { tiers: [{ price: 0.1111111111111 }] }, 'feature:b': {} }
  t.strictSame(results(await api.push({ 'plan:wrong@0': { features: wrong }, 'plan:right@0': { features: calls(1) } })), [
    ['feature:a@plan:wrong@0', 'failed', 'invalid price: 0.1111111111111; tier prices must not exceed 12 decimal places'],
    ['feature:b@plan:wrong@0', 'failed', 'invalid price: 0.1111111111111; tier prices must not exceed 12 decimal places'],
    ['feature:calls@plan:right@0', 'ok', 'created']
  ])
  t.notOk('plan:wrong@0' in (await api.pull()).plans)
  t.strictSame(results(await api.push({ 'plan:wrong@0': { interval: '@hourly', features: calls(1) } })),
    [['feature:calls@plan:wrong@0', 'failed', 'unknown interval: "@hourly"']])
  t.strictSame(results(await api.push({ 'plan:wrong@0': { features: calls(1) } })), [['feature:calls@plan:wrong@0', 'ok', 'created']])
})

t.test('a document that is malformed is refused whole, naming every bad place', async t => {
  const before = [await api.pull(), await api.rows()]
  const { body } = await api.post('/v1/push', {
    plans: {
      'plan:good@7': { features: calls(1) },
      'plan:bad@7': {
        features: { 'feature:a': { base: 5, tiers: [{ upto: 0 }] }, 'feature:b': { tier: [] }, c: {} }, color: 'red'
      },
      'plan:none@7': {},
      'good@7': { features: calls(1) }
    }
  })
  t.hasStrict(body, { status: 400, code: 'invalid_request' })
  const detail = (text: string): string => `plans["plan:bad@7"]${text}`
  t.strictSame(body.errors, [
    { pointer: '/plans/plan:bad@7/color', detail: 'unknown field "color"' },
    { pointer: '/plans/plan:bad@7/features/feature:a/tiers/0/upto', detail: detail('.features["feature:a"].tiers[0]: upto must be greater than zero') },
    { pointer: '/plans/plan:bad@7/features/feature:a/base', detail: detail('.features["feature:a"]: base must be zero with tiers') },
    { pointer: '/plans/plan:bad@7/features/feature:b/tier', detail: 'unknown field "tier"' },
    { pointer: '/plans/plan:bad@7/features/c', detail: "feature name must start with 'feature:'" },
    { pointer: '/plans/plan:none@7/features', detail: 'plans["plan:none@7"]: plans must have at least one feature' },
    { pointer: '/plans/good@7', detail: "plan name must start with 'plan:'" }
  ])
  t.strictSame([await api.pull(), await api.rows()], before, 'nothing was stored')
  for (const [document, pointer] of [[{ plan: {} }, '/plan'], [{ plans: [] }, '/plans'], [{ plans: 1 }, '/plans']] as const) {
    t.hasStrict((await api.post('/v1/push', document)).body, { status: 400, code: 'invalid_request', errors: [{ pointer }] }, JSON.stringify(document))
  }
  for (const document of [[], 'plans', null]) t.hasStrict((await api.post('/v1/push', document)).body, { status: 400, code: 'invalid_request' })
})

t.test('what was pulled from one environment and pushed into another is pulled from there identically', async t => {
  await api.push({
    'plan:rich@2024-01': {
      title: 'Rich "quoted" é',
      currency: 'eur',
      interval: '@yearly',
      addon: true,
      anchor: 'calendar',
      features: {
        'feature:grad': { title: 'Graduated', tiers: [{ upto: 10, price: 2.5 }, { upto: 100, price: 1, base: 7 }] },
        'feature:vol': { mode: 'volume', aggregate: 'max', tiers: [{ upto: 5, price: 0.000000000001 }, {}] },
        'feature:seat': { base: 1000.5 },
        'feature:pack': { tiers: [{ price: 1 }], divide: { by: 3, rounding: 'up' }, reset: 'day', overage: true, combine: 'highest' },
        'feature:files': { tiers: [{ upto: 3 }], aggregate: 'perpetual' },
        'feature:visits': { type: 'metered', aggregate: 'count', reset: 'never' },
        'feature:api-calls.v2_ü': { tiers: [{ upto: 999_999_999_999_999 }] }
      }
    }
  })
  const first = await api.get('/v1/pull')
  const pushed = await elsewhere.push(first.body.plans)
  t.ok((pushed.results as Body[]).every(({ status }) => status === 'ok'))
  t.equal((await elsewhere.get('/v1/pull')).raw, first.raw)
})

t.test('environments do not see each other\'s plans, orgs or usage', async t => {
  await api.push({ 'plan:mine@0': { features: calls(10) } })
  await api.subscribe('org:shared', 'plan:mine@0')
  await api.report('org:shared', 'feature:calls', 3)
  t.hasStrict(await elsewhere.subscribe('org:shared', 'plan:mine@0'), { status: 400, code: 'TERR1020' })
  t.hasStrict(await elsewhere.can('org:shared', 'feature:calls'), { status: 400, code: 'org_not_found' })
  await elsewhere.push({ 'plan:mine@0': { features: calls(20) } })
  await elsewhere.subscribe('org:shared', 'plan:mine@0')
  t.hasStrict(await elsewhere.can('org:shared', 'feature:calls'), { used: 0, limit: 20 })
  t.hasStrict(await api.can('org:shared', 'feature:calls'), { used: 3, limit: 10 })
})

t.test('the same plan pushed twice at once is created once, and whole', async t => {
  const plans = { 'plan:race@0': { features: { 'feature:a': {}, 'feature:b': {} } } }
  const answers = await Promise.all([api.push(plans), api.push(plans), api.push(plans)])
  const created = answers.filter(({ results }) => (results as Body[]).every(({ reason }) => reason === 'created'))
  t.equal(created.length, 1)
  t.strictSame(Object.keys((await api.pull()).plans['plan:race@0'].features), ['feature:a', 'feature:b'])
})

t.test('a document may be large', async t => {
  const plans = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`plan:large@${i}`, {
    features: Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`feature:large-${n}`, { tiers: [{ upto: n + 1 }] }]))
  }]))
  t.ok(JSON.stringify(plans).length > 64 * 1024)
  t.ok(((await api.push(plans)).results as Body[]).every(({ status }) => status === 'ok'))
})

t.end()
