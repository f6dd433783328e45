import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { test } from 'tap'
import { amountOf } from '../../src/domain/amount.ts'
import { planText } from '../../src/domain/ids.ts'
import { parsePlans, type Plan, planDocument } from '../../src/domain/plan.ts'
import { TollgateError } from '../../src/errors.ts'
import { planDocuments } from './plan-documents.ts'

type Json = Record<string, unknown>

/** The figures of Tier's documents (tier.md 4.2). */
const TIER_EXAMPLE = {
  plans: {
    'plan:free@0': {
      title: 'Free',
      features: {
        'feature:grad': { tiers: [{ upto: 10, price: 2 }, { upto: 100, price: 1 }] },
        'feature:seat': { base: 1000 },
        'feature:vol': { title: 'Vol', mode: 'volume', aggregate: 'max', tiers: [{ upto: 5, price: 1.5 }, { price: 1 }] }
      }
    }
  }
}

function accepted (document: unknown): Plan[] {
  return parsePlans(document).map(parsed => {
    if (!parsed.ok) throw new Error(parsed.reason)
    return parsed.plan
  })
}

/** The only feature of a plan that says nothing else. */
function feature (members: Json, planMembers: Json = {}) {
  const [plan] = accepted(onePlan(members, planMembers))
  return plan?.features[0]
}

function onePlan (members: unknown, planMembers: Json = {}): Json {
  return { plans: { 'plan:x@0': { ...planMembers, features: { 'feature:y': members } } } }
}

function canonical (members: Json, planMembers: Json = {}): unknown {
  const { plans } = planDocument(accepted(onePlan(members, planMembers)))
  const { features, ...rest } = plans['plan:x@0'] as Json
  return { ...rest, ...(features as Json)['feature:y'] as Json }
}

test("Tier's own example is pulled as it was pushed", async t => {
  t.same(planDocument(accepted(TIER_EXAMPLE)), TIER_EXAMPLE)
  t.equal(JSON.stringify(planDocument(accepted(TIER_EXAMPLE))), JSON.stringify(TIER_EXAMPLE))
})

test('a plan that says nothing is monthly, in dollars, a base plan, titled with its id', async t => {
  t.same(accepted(onePlan({})), [{
    ref: { name: 'plan:x', version: '0' },
    title: 'plan:x@0',
    currency: 'usd',
    interval: '@monthly',
    addon: false,
    anchor: 'subscription',
    features: [{
      feature: 'feature:y',
      title: 'feature:y@plan:x@0',
      type: 'boolean',
      limit: null,
      overage: false,
      reset: 'never',
      aggregate: 'sum',
      combine: 'highest',
      price: { mode: 'graduated', base: 0, tiers: [] }
    }]
  }])
})

test('without tiers a feature is boolean; with tiers, or if it says so, it is metered', async t => {
  t.match(feature({}), { type: 'boolean', limit: null })
  t.match(feature({ tiers: [] }), { type: 'boolean', limit: null })
  t.match(feature({ type: 'boolean', base: 5 }), { type: 'boolean', price: { base: 5 } })
  t.match(feature({ type: 'metered' }), { type: 'metered', limit: null, reset: 'month', price: { tiers: [] } })
  t.match(feature({ tiers: [{}] }), { type: 'metered', limit: null, price: { tiers: [{ upto: null, price: 0, base: 0 }] } })
})

test("the last tier's upto is the limit, however many tiers there are", async t => {
  t.equal(feature({ tiers: [{ upto: 10 }] })?.limit, amountOf(10))
  t.equal(feature({ tiers: [{ upto: 10 }, { upto: 999_999_999_999_999 }] })?.limit, amountOf(999_999_999_999_999))
  t.equal(feature({ tiers: [{ upto: 10 }, {}] })?.limit, null)
})

test('usage resets with the interval of the plan unless the feature says otherwise', async t => {
  const resets = { '@daily': 'day', '@weekly': 'week', '@monthly': 'month', '@quarterly': 'quarter', '@yearly': 'year' }
  for (const [interval, reset] of Object.entries(resets)) t.equal(feature({ tiers: [{}] }, { interval })?.reset, reset)
  t.equal(feature({ tiers: [{}], reset: 'hour' }, { interval: '@yearly' })?.reset, 'hour')
  t.equal(feature({ tiers: [{}], reset: 'never' })?.reset, 'never')
  t.equal(feature({ tiers: [{}], aggregate: 'perpetual' })?.reset, 'never')
  t.equal(feature({ tiers: [{}], aggregate: 'perpetual', reset: 'never' })?.reset, 'never')
})

test('features of an add-on sum, those of a base plan compete, unless they say otherwise', async t => {
  t.equal(feature({})?.combine, 'highest')
  t.equal(feature({}, { addon: true })?.combine, 'sum')
  t.equal(feature({ combine: 'sum' })?.combine, 'sum')
  t.equal(feature({ combine: 'highest' }, { addon: true })?.combine, 'highest')
})

test('null, and the empty text, is what a member is that is not there', async t => {
  const set = (value: unknown, ...members: string[]) => Object.fromEntries(members.map(member => [member, value]))
  const texts = ['title', 'mode', 'aggregate', 'type', 'reset', 'combine']
  t.same(feature(set('', ...texts), set('', 'title', 'currency', 'interval', 'anchor')), feature({}))
  t.same(feature(set(null, ...texts, 'base', 'tiers', 'divide', 'overage'), set(null, 'title', 'currency', 'interval', 'addon')), feature({}))
  t.same(feature({ tiers: [{ upto: null, price: null, base: null }] }), feature({ tiers: [{}] }))
  t.same(accepted(onePlan(null)), accepted(onePlan({})))
  t.same(feature({ tiers: [null] }), feature({ tiers: [{}] }))
  t.same(feature({ divide: {} }), feature({}))
  t.same(accepted({}), [])
  t.same(accepted({ plans: null }), [])
})

test('pull never shows what goes without saying', async t => {
  t.same(canonical({ title: 'feature:y@plan:x@0', base: 0, aggregate: '' }, { currency: 'usd', interval: '@monthly', addon: false }), { title: 'plan:x@0' })
  t.same(canonical({ tiers: [{ price: 0, base: 0 }], mode: 'graduated', aggregate: 'sum', type: 'metered', reset: 'month', overage: false }),
    { title: 'plan:x@0', tiers: [{}] }, 'one unlimited free tier')
  t.same(canonical({ tiers: [{ upto: 7, price: 1 }], mode: 'volume' }), { title: 'plan:x@0', tiers: [{ upto: 7, price: 1 }] },
    'one tier without a base has no mode')
  t.same(canonical({ tiers: [{ upto: 7, base: 1 }], mode: 'volume' }), { title: 'plan:x@0', mode: 'volume', tiers: [{ upto: 7, base: 1 }] })
  t.same(canonical({ base: -0, combine: 'sum' }, { addon: true }), { title: 'plan:x@0', addon: true })
  t.same(canonical({ divide: { by: 3, rounding: 'down' } }), { title: 'plan:x@0', divide: { by: 3 } })
})

test('pull shows what Tier does not know only where it says something', async t => {
  const members = { type: 'metered', reset: 'hour', aggregate: 'count', overage: true, combine: 'sum', divide: { by: 3, rounding: 'up' } }
  t.same(canonical(members, { anchor: 'calendar', title: 'X', interval: '@yearly', currency: 'eur' }),
    { title: 'X', currency: 'eur', interval: '@yearly', anchor: 'calendar', ...members })
})

test('plans and features are pulled in order of their ids', async t => {
  const features = { 'feature:b': {}, 'feature:B': {}, 'feature:a': {} }
  const { plans } = planDocument(accepted({ plans: { 'plan:b@1': { features }, 'plan:a@10': { features }, 'plan:a@1': { features } } }))
  t.same(Object.keys(plans), ['plan:a@1', 'plan:a@10', 'plan:b@1'])
  t.same(Object.keys(plans['plan:b@1']?.features ?? {}), ['feature:B', 'feature:a', 'feature:b'])
})

test('a title may be any text that a person reads, and the default title may be as long as its id', async t => {
  for (const title of ['Für 10 €/Monat', '👩‍👩‍👧 Family', 'a'.repeat(240)]) t.equal(feature({ title })?.title, title)
  const id = `plan:${'x'.repeat(240)}@${'1'.repeat(240)}`
  const plans = accepted({ plans: { [id]: { features: { 'feature:y': {} } } } })
  t.same(accepted(planDocument(plans)), plans)
})

test("what Tier reports for one plan leaves the others of the push alone, in the document's order", async t => {
  const ref = (name: string) => ({ name, version: '0' })
  const refused: Array<[Json, Json, string]> = [
    [{}, { interval: '@hourly' }, 'unknown interval: "@hourly"'],
    [{ tiers: [{}], aggregate: 'avg' }, {}, 'unknown aggregate: "avg"'],
    [{ tiers: [{}], mode: 'stairs' }, {}, 'unknown mode: "stairs"'],
    [{ tiers: [{ price: 0.1111111111111111 }] }, {}, 'invalid price: 0.1111111111111; tier prices must not exceed 12 decimal places'],
    [{ tiers: [{ price: 1e-13 }] }, {}, 'invalid price: 0.0000000000001; tier prices must not exceed 12 decimal places'],
    [{ base: 0.1111111111111 }, {}, 'invalid base: 0.1111111111111; base must not exceed 12 decimal places']
  ]
  for (const [members, planMembers, reason] of refused) {
    const bad = { ...planMembers, features: { 'feature:z': {}, 'feature:y': members } }
    const [b, a] = parsePlans({ plans: { 'plan:b@0': bad, 'plan:a@0': { features: { 'feature:y': {} } } } })
    t.same(b, { ref: ref('plan:b'), ok: false, features: ['feature:y', 'feature:z'], reason })
    t.match(a, { ref: ref('plan:a'), ok: true })
  }
  t.match(parsePlans(onePlan({ tiers: [{ price: 0.111111111111 }] })), [{ ok: true }], '12 decimals are fine')
  t.match(parsePlans(onePlan({ tiers: [{ price: 1e-12 }] })), [{ ok: true }])
  t.match(parsePlans(onePlan({ base: 0.111111111111 })), [{ ok: true }])
  t.match(parsePlans(onePlan({ tiers: [{ price: 1e21 }] })), [{ ok: true }])
})

test('whatever can be pushed is pulled in a form that means the same, and stays in that form', async t => {
  fc.assert(fc.property(planDocuments, document => {
    const plans = accepted(document)
    const pulled = planDocument(plans)
    const again = accepted(JSON.parse(JSON.stringify(pulled)))
    const byId = (plan: Plan) => [planText(plan.ref), plan]
    return isDeepStrictEqual(Object.fromEntries(again.map(byId)), Object.fromEntries(plans.map(byId))) &&
      JSON.stringify(planDocument(again)) === JSON.stringify(pulled)
  }), { numRuns: 500 })
  t.pass()
})

/** Puts `value` at one of the places in `json`. */
function spoiled (json: unknown, place: number, value: unknown): unknown {
  let count = 0
  const walk = (item: unknown): unknown => {
    if (count++ === place) return value
    if (Array.isArray(item)) return item.map(walk)
    if (typeof item !== 'object' || item === null) return item
    return Object.fromEntries(Object.entries(item).map(([key, value]) => [key, walk(value)]))
  }
  return walk(json)
}

test('no document whatever makes push fail in another way than with a reason', async t => {
  const value = fc.oneof(fc.anything({ withBigInt: true, withNullPrototype: true, withDate: true }), fc.jsonValue(), fc.double())
  fc.assert(fc.property(planDocuments, fc.nat(40), value, (document, place, value) => {
    const bad = spoiled(document, place, value)
    try {
      return parsePlans(bad).every(parsed => parsed.ok ? planDocument([parsed.plan]) : parsed.reason !== '')
    } catch (error) {
      return error instanceof TollgateError && error.problems.length > 0 && error.message === error.problems[0]?.detail
    }
  }), { numRuns: 2000 })
  t.pass()
})
