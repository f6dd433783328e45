import t from 'tap'
import { type Body, openApi } from '../fixtures/api.ts'

/** The model of plans, field by field, as Tier's contract has it in 4.2, and what push answers, 4.3: pushed and pulled over HTTP. */

const api = await openApi(t)
await api.on('2024-01-01')

let plans = 0
const nextPlan = (): string => `plan:model@${(plans += 1)}`

/** What is pulled of a plan that was pushed; or, where it was not stored, why. */
async function pulled (members: Body): Promise<Body> {
  const plan = nextPlan()
  const { results, message } = await api.push({ [plan]: members })
  if (results === undefined) return { refused: message.replace(plan, 'plan:x') }
  const [{ status, reason }] = results
  return status === 'ok' ? (await api.pull()).plans[plan] : { failed: reason }
}

const x = (members: Body): Body => ({ title: 'T', features: { 'feature:x': members } })
/** The same for a plan's only feature. */
async function feature (members: Body): Promise<Body> {
  const { features, ...rest } = await pulled(x(members))
  return features === undefined ? rest : features['feature:x']
}

async function costOf (feature: Body, n: number): Promise<number> {
  const plan = nextPlan()
  await api.push({ [plan]: { features: { 'feature:x': feature } } })
  const org = `org:${plan}`
  await api.subscribe(org, plan)
  await api.report(org, 'feature:x', n)
  return (await api.get('/v1/cost', { org })).body.total.usd
}

t.test('4.2 plans is the only key of the root', async t => {
  for (const [document, name] of [[{ plans: {}, $schema: 'https://example.com' }, '$schema'], [{ plan: {} }, 'plan']] as const) {
    t.hasStrict((await api.post('/v1/push', document)).body, { status: 400, message: `unknown field "${name}"` })
  }
})

t.test('4.2 plan title: the id of the plan if nothing is said, and always shown', async t => {
  const { title, ...rest } = await pulled({ features: { 'feature:x': {} } })
  t.strictSame([title, rest], [`plan:model@${plans}`, { features: { 'feature:x': {} } }])
  t.equal((await pulled({ title: 'Any é', features: { 'feature:x': {} } })).title, 'Any é')
})

t.test('4.2 plan currency: three small letters, and not shown where it is usd', async t => {
  t.equal((await pulled({ ...x({}), currency: 'eur' })).currency, 'eur')
  t.equal((await pulled({ ...x({}), currency: 'usd' })).currency, undefined)
  for (const currency of ['EUR', 'eu', 'euro', 5]) t.match((await pulled({ ...x({}), currency })).refused, 'currency')
})

t.test('4.2 plan interval: not shown where it is @monthly; @quarterly is in Tier\'s documents, and taken', async t => {
  for (const interval of ['@daily', '@weekly', '@quarterly', '@yearly']) t.equal((await pulled({ ...x({}), interval })).interval, interval)
  t.equal((await pulled({ ...x({}), interval: '@monthly' })).interval, undefined)
})

t.test('4.2 plan features: at least one', async t => {
  for (const members of [{}, { features: {} }]) t.match((await pulled(members)).refused, /: plans must have at least one feature$/)
})

t.test('4.2 feature title: not shown where it is the feature\'s id in its plan', async t => {
  t.strictSame(await feature({ title: 'X' }), { title: 'X' })
  t.strictSame(await feature({ title: `feature:x@plan:model@${plans + 1}` }), {})
})

t.test('4.2 feature base: decimals of cents, and not together with tiers', async t => {
  t.strictSame([await feature({ base: 0.5 }), await feature({ base: 0 })], [{ base: 0.5 }, {}])
  t.match((await feature({ base: 1, tiers: [{}] })).refused, /: base must be zero with tiers$/)
})

t.test('4.2 feature tiers: absent or empty is licensed: unlimited, and not reportable', async t => {
  for (const members of [{}, { tiers: [] }, { base: 1000 }]) {
    const plan = nextPlan()
    const org = `org:licensed-${plans}`
    await api.push({ [plan]: { features: { 'feature:x': members } } })
    await api.subscribe(org, plan)
    t.match((await api.get('/v1/limits', { org })).raw, '{"feature":"feature:x","used":1,"limit":9223372036854775807}')
    t.hasStrict(await api.report(org, 'feature:x'), { status: 400, code: 'invalid_request', message: 'feature not reportable' })
  }
  t.strictSame(await feature({ tiers: [] }), {}, 'an empty list is not kept')
})

t.test('4.2 feature mode: not shown where it is graduated, nor kept for a single tier without base', async t => {
  const tiers = [{ upto: 1, price: 2 }, { price: 1 }]
  t.strictSame(await feature({ tiers, mode: 'volume' }), { tiers, mode: 'volume' })
  t.strictSame(await feature({ tiers, mode: 'graduated' }), { tiers })
  t.strictSame(await feature({ tiers: [{ price: 1 }], mode: 'volume' }), { tiers: [{ price: 1 }] })
  t.strictSame(await feature({ tiers: [{ base: 1 }], mode: 'volume' }), { tiers: [{ base: 1 }], mode: 'volume' })
})

t.test('4.2 feature aggregate: sum, max, last, perpetual; not shown where it is sum', async t => {
  for (const aggregate of ['max', 'last', 'perpetual']) t.equal((await feature({ tiers: [{}], aggregate })).aggregate, aggregate)
  t.strictSame(await feature({ tiers: [{}], aggregate: 'sum' }), { tiers: [{}] })
})

t.test('4.2 feature divide: rounded up, or else down; it changes the bill and not what is used', async t => {
  const tiers = [{ price: 2 }]
  t.strictSame(await feature({ tiers, divide: { by: 3, rounding: 'up' } }), { tiers, divide: { by: 3, rounding: 'up' } })
  t.strictSame(await feature({ tiers, divide: { by: 3 } }), { tiers, divide: { by: 3 } })
  t.strictSame([await costOf({ tiers, divide: { by: 3, rounding: 'up' } }, 100), await costOf({ tiers, divide: { by: 3 } }, 100)], [68, 66])
  t.equal((await api.limits(`org:plan:model@${plans}`)).usage[0].used, 100)
  t.match((await feature({ tiers, divide: { by: 3, rounding: 'Up' } })).refused, /: rounding must be one of down, up$/, 'what is mistyped is refused')
})

t.test('4.2 tier upto: a whole number from 1; absent: unbounded; the last one\'s is the limit', async t => {
  t.strictSame(await feature({ tiers: [{ upto: 10, price: 2 }, { upto: 100 }] }), { tiers: [{ upto: 10, price: 2 }, { upto: 100 }] })
  for (const upto of [0, -1]) t.match((await feature({ tiers: [{ upto }] })).refused, /\.tiers\[0\]: upto must be greater than zero$/)
  t.match((await feature({ tiers: [{ upto: 1.5 }] })).refused, 'upto must be a whole number')
})

t.test('4.2 tier price: up to 12 decimals of a cent', async t => {
  t.strictSame(await feature({ tiers: [{ price: 0.000000000001 }] }), { tiers: [{ price: 0.000000000001 }] })
  t.strictSame(await feature({ tiers: [{ price: 0 }] }), { tiers: [{}] })
  t.match((await feature({ tiers: [{ price: -1 }] })).refused, /: price must be positive$/)
})

t.test('4.2 tier base: whole cents', async t => {
  t.strictSame(await feature({ tiers: [{ base: 7 }] }), { tiers: [{ base: 7 }] })
  t.match((await feature({ tiers: [{ base: -1 }] })).refused, /: base must be positive$/)
  t.match((await feature({ tiers: [{ base: 0.5 }] })).refused, 'base must be a whole number')
})

t.test('4.2 money: 15 units at 2 up to 10 and 1 from there are 25 graduated, 15 by volume', async t => {
  const tiers = [{ upto: 10, price: 2 }, { price: 1 }]
  t.strictSame([await costOf({ tiers }, 15), await costOf({ tiers, mode: 'volume' }, 15)], [25, 15])
})

t.test('4.2 additional members are refused on every level', async t => {
  for (const [at, members] of [
    ['plan', { ...x({}), bogus: 1 }], ['feature', x({ bogus: 1 })], ['tier', x({ tiers: [{ bogus: 1 }] })], ['divide', x({ tiers: [{}], divide: { by: 1, bogus: 1 } })]
  ] as const) t.equal((await pulled(members)).refused, 'unknown field "bogus"', at)
})

t.test('4.2 pull output: keys in order, nothing that is a default; Tier\'s own example comes back as it is', async t => {
  const elsewhere = await api.as('prv_example_0123456789abcdef')
  const example = '{"plans":{"plan:free@0":{"title":"Free","features":{"feature:grad":{"tiers":[{"upto":10,"price":2},{"upto":100,"price":1}]},' +
    '"feature:seat":{"base":1000},"feature:vol":{"title":"Vol","mode":"volume","aggregate":"max","tiers":[{"upto":5,"price":1.5},{"price":1}]}}}}}'
  await elsewhere.post('/v1/push', example)
  t.equal((await elsewhere.get('/v1/pull')).raw, example)
  await elsewhere.push({ 'plan:all@0': { features: { 'feature:b': { tiers: [{}] }, 'feature:a': {} } } })
  const { raw } = await elsewhere.get('/v1/pull')
  t.match(raw, '"plan:all@0":{"title":"plan:all@0","features":{"feature:a":{},"feature:b":{"tiers":[{}]}}},"plan:free@0"')
})

t.test('4.3 created, one result per feature', async t => {
  const { results } = await api.push({ 'plan:results@0': { features: { 'feature:b': {}, 'feature:a': {} } } })
  t.strictSame(results, ['feature:a', 'feature:b'].map(name => ({ feature: `${name}@plan:results@0`, status: 'ok', reason: 'created' })))
})

t.test('4.3 plan already exists: plans are immutable, and other plans of the push are created', async t => {
  const { results } = await api.push({ 'plan:results@0': { features: { 'feature:b': {} } }, 'plan:results@1': { features: { 'feature:b': {} } } })
  t.strictSame((results as Body[]).map(({ status, reason }) => [status, reason]), [['failed', 'plan already exists'], ['ok', 'created']])
})

t.test('4.3 invalid price, unknown interval, unknown aggregate: nothing of the plan is stored, and it can be pushed once it is right', async t => {
  const plan = 'plan:refused@0'
  for (const [members, reason] of [
    [x({ tiers: [{ price: 0.1111111111111111 }] }), 'invalid price: 0.1111111111111; tier prices must not exceed 12 decimal places'],
    [{ ...x({}), interval: '@hourly' }, 'unknown interval: "@hourly"'],
    [x({ tiers: [{}], aggregate: 'avg' }), 'unknown aggregate: "avg"']
  ] as const) {
    t.strictSame((await api.push({ [plan]: members })).results, [{ feature: `feature:x@${plan}`, status: 'failed', reason }])
  }
  t.strictSame((await api.push({ [plan]: x({}) })).results, [{ feature: `feature:x@${plan}`, status: 'ok', reason: 'created' }])
})

t.test('4.3 validation texts, which Tier lost in a 500, are 400 in its words, all at once', async t => {
  const at = 'plans["plan:x@0"]'
  const y = `${at}.features["feature:y"]`
  const { body } = await api.post('/v1/push', {
    plans: {
      'plan:x@0': { features: { 'feature:y': { base: -1, tiers: [{ upto: 0 }, { upto: 5, price: -1, base: -1 }] }, 'feature:z': { base: 1, tiers: [{}] } } },
      'plan:z@0': {}
    }
  })
  t.strictSame((body.errors as Body[]).map(({ detail }) => detail), [
    `${y}.tiers[0]: upto must be greater than zero`, `${y}.tiers[1]: price must be positive`, `${y}.tiers[1]: base must be positive`,
    `${y}: base must be positive`, `${at}.features["feature:z"]: base must be zero with tiers`, 'plans["plan:z@0"]: plans must have at least one feature'
  ])
})

t.test('4.3 bounds that do not rise, which only Stripe refused, are refused', async t => {
  t.match((await feature({ tiers: [{ upto: 5 }, { upto: 5 }] })).refused, 'upto must be greater than in the tier before')
  t.match((await feature({ tiers: [{}, { upto: 5 }] })).refused, 'upto may be omitted in the last tier only')
})

t.end()
