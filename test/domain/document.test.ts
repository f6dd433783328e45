import { test } from 'tap'
import { featuresMax, parsePlans, plansMax, tiersMax } from '../../src/domain/plan.ts'
import { TollgateError } from '../../src/errors.ts'

type Json = Record<string, unknown>

function onePlan (members: unknown, planMembers: Json = {}): Json {
  return { plans: { 'plan:x@0': { ...planMembers, features: { 'feature:y': members } } } }
}

function problemsOf (document: unknown): Array<{ pointer: string, detail: string }> {
  try {
    parsePlans(document)
  } catch (error) {
    if (!(error instanceof TollgateError) || error.code !== 'invalid_request') throw error
    if (error.message !== error.problems[0]?.detail) throw new Error(`the message is not the first problem: ${error.message}`)
    return [...error.problems]
  }
  return []
}

test("what is malformed is refused in Tier's words, with a pointer to it", async t => {
  const x = 'plans["plan:x@0"]'
  const y = `${x}.features["feature:y"]`
  const atX = '/plans/plan:x@0'
  const atY = `${atX}/features/feature:y`
  const cases: Array<[document: unknown, detail: string, pointer: string]> = [
    [null, 'the document must be an object', ''],
    [[], 'the document must be an object', ''],
    ['{}', 'the document must be an object', ''],
    [{ plan: {} }, 'unknown field "plan"', '/plan'],
    [{ plans: [] }, 'plans must be an object', '/plans'],
    [{ plans: { 'x@0': {} } }, "plan name must start with 'plan:'", '/plans/x@0'],
    [{ plans: { 'plan:x': {} } }, 'plan must have version', '/plans/plan:x'],
    [{ plans: { 'plan:x@a/~b': {} } }, 'plan version must match [a-zA-Z0-9]+, or letters, digits and ". _ -"', '/plans/plan:x@a~1~0b'],
    [{ plans: { 'plan:x@0': null } }, `${x}: plans must have at least one feature`, `${atX}/features`],
    [{ plans: { 'plan:x@0': { features: {} } } }, `${x}: plans must have at least one feature`, `${atX}/features`],
    [{ plans: { 'plan:x@0': { features: { y: {} } } } }, "feature name must start with 'feature:'", `${atX}/features/y`],
    [{ plans: { 'plan:x@0': { features: { 'feature:y@plan:x@0': {} } } } },
      'feature name must match [a-zA-Z0-9:]+, or any 1 to 240 printable characters without "@" or space', `${atX}/features/feature:y@plan:x@0`],
    [onePlan(true), `${y} must be an object`, atY],
    [onePlan({}, { $schema: '' }), 'unknown field "$schema"', `${atX}/$schema`],
    [onePlan({ Tiers: [] }), 'unknown field "Tiers"', `${atY}/Tiers`],
    [onePlan({ '\ud800/': 1 }), 'unknown field "\\ud800/"', `${atY}/\ud800~1`],
    [onePlan(JSON.parse('{"__proto__":{}}')), 'unknown field "__proto__"', `${atY}/__proto__`],
    [onePlan({ tiers: [{ price: 1, upTo: 1 }] }), 'unknown field "upTo"', `${atY}/tiers/0/upTo`],
    [onePlan({ divide: { by: 1, round: 'up' } }), 'unknown field "round"', `${atY}/divide/round`],
    [onePlan({}, { title: 5 }), `${x}: title must be a string`, `${atX}/title`],
    [onePlan({}, { title: 'a\0b' }), `${x}: title must be at most 240 printable characters`, `${atX}/title`],
    [onePlan({ title: 'a\udc00b' }), `${y}: title must be at most 240 printable characters`, `${atY}/title`],
    [onePlan({ title: 'a'.repeat(241) }), `${y}: title must be at most 240 printable characters`, `${atY}/title`],
    [onePlan({}, { currency: 'USD' }), `${x}: currency must be an ISO 4217 code in lower case`, `${atX}/currency`],
    [onePlan({}, { interval: 1 }), `${x}: interval must be a string`, `${atX}/interval`],
    [onePlan({}, { addon: 'true' }), `${x}: addon must be true or false`, `${atX}/addon`],
    [onePlan({}, { anchor: 'month' }), `${x}: anchor must be one of subscription, calendar`, `${atX}/anchor`],
    [onePlan({ base: 10, tiers: [{}] }), `${y}: base must be zero with tiers`, `${atY}/base`],
    [onePlan({ base: -0.1 }), `${y}: base must be positive`, `${atY}/base`],
    [onePlan({ base: '1' }), `${y}: base must be a number`, `${atY}/base`],
    [onePlan({ base: Infinity }), `${y}: base must be a finite number`, `${atY}/base`],
    [onePlan({ mode: 1 }), `${y}: mode must be a string`, `${atY}/mode`],
    [onePlan({ tiers: {} }), `${y}: tiers must be an array`, `${atY}/tiers`],
    [onePlan({ tiers: [1] }), `${y}.tiers[0] must be an object`, `${atY}/tiers/0`],
    [onePlan({ tiers: [{ upto: 0 }] }), `${y}.tiers[0]: upto must be greater than zero`, `${atY}/tiers/0/upto`],
    [onePlan({ tiers: [{ upto: -1 }] }), `${y}.tiers[0]: upto must be greater than zero`, `${atY}/tiers/0/upto`],
    [onePlan({ tiers: [{ upto: 1.5 }] }), `${y}.tiers[0]: upto must be a whole number`, `${atY}/tiers/0/upto`],
    [onePlan({ tiers: [{ upto: '1' }] }), `${y}.tiers[0]: upto must be a number`, `${atY}/tiers/0/upto`],
    [onePlan({ tiers: [{ upto: '' }] }), `${y}.tiers[0]: upto must be a number`, `${atY}/tiers/0/upto`],
    [onePlan({ tiers: '' }), `${y}: tiers must be an array`, `${atY}/tiers`],
    [onePlan({ base: '' }), `${y}: base must be a number`, `${atY}/base`],
    [onePlan({ tiers: [{}], overage: '' }), `${y}: overage must be true or false`, `${atY}/overage`],
    [onePlan({ tiers: [{ upto: 1e15 }] }), `${y}.tiers[0]: upto must be at most 999999999999999`, `${atY}/tiers/0/upto`],
    [onePlan({ tiers: [{ upto: 5 }, { upto: 5 }] }), `${y}.tiers[1]: upto must be greater than in the tier before`, `${atY}/tiers/1/upto`],
    [onePlan({ tiers: [{}, { upto: 5 }] }), `${y}.tiers[0]: upto may be omitted in the last tier only`, `${atY}/tiers/0/upto`],
    [onePlan({ tiers: [{ price: -1 }] }), `${y}.tiers[0]: price must be positive`, `${atY}/tiers/0/price`],
    [onePlan({ tiers: [{ base: -1 }] }), `${y}.tiers[0]: base must be positive`, `${atY}/tiers/0/base`],
    [onePlan({ tiers: [{ base: 0.5 }] }), `${y}.tiers[0]: base must be a whole number`, `${atY}/tiers/0/base`],
    [onePlan({ divide: 3 }), `${y}.divide must be an object`, `${atY}/divide`],
    [onePlan({ divide: { by: 0 } }), `${y}.divide: by must be greater than zero`, `${atY}/divide/by`],
    [onePlan({ divide: { rounding: 'up' } }), `${y}.divide: by must be greater than zero`, `${atY}/divide/by`],
    [onePlan({ divide: { by: 1, rounding: 'half' } }), `${y}.divide: rounding must be one of down, up`, `${atY}/divide/rounding`],
    [onePlan({ type: 'binary' }), `${y}: type must be one of metered, boolean`, `${atY}/type`],
    [onePlan({ type: 'boolean', tiers: [{}] }), `${y}: a boolean feature must not have tiers`, `${atY}/type`],
    [onePlan({ reset: 'day' }), `${y}: reset is for metered features, which have tiers, a limit or "type": "metered"`, `${atY}/reset`],
    [onePlan({ aggregate: 'max' }), `${y}: aggregate is for metered features, which have tiers, a limit or "type": "metered"`, `${atY}/aggregate`],
    [onePlan({ overage: false }), `${y}: overage is for metered features, which have tiers, a limit or "type": "metered"`, `${atY}/overage`],
    [onePlan({ tiers: [{}], reset: 'monthly' }), `${y}: reset must be one of hour, day, week, month, quarter, year, never`, `${atY}/reset`],
    [onePlan({ tiers: [{}], aggregate: 'perpetual', reset: 'day' }), `${y}: reset must be never with aggregate perpetual`, `${atY}/reset`],
    [onePlan({ tiers: [{}], overage: 1 }), `${y}: overage must be true or false`, `${atY}/overage`],
    [onePlan({ combine: 'max' }), `${y}: combine must be one of highest, sum`, `${atY}/combine`]
  ]
  for (const [document, detail, pointer] of cases) t.same(problemsOf(document), [{ pointer, detail }], JSON.stringify(document))
  t.same(problemsOf({ plans: { 'plan:x@0': 1 } })[0], { pointer: atX, detail: `${x} must be an object` })
  t.same(problemsOf({ plans: { 'plan:x@0': { features: [] } } })[0], { pointer: `${atX}/features`, detail: `${x}.features must be an object` })
})

test('all problems are told at once, in the order of the document, up to a hundred', async t => {
  const problems = problemsOf({ bogus: 1, plans: { 'plan:x@0': { features: { 'feature:y': { base: -1, tiers: [{ upto: 0 }] } } }, 'plan:z@0': {} } })
  t.same(problems.map(({ pointer }) => pointer), [
    '/bogus', '/plans/plan:x@0/features/feature:y/tiers/0/upto', '/plans/plan:x@0/features/feature:y/base', '/plans/plan:z@0/features'
  ])
  const bogus = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`bogus${i}`, 1]))
  t.equal(problemsOf(onePlan(bogus)).length, 100)
})

test('a push, a plan and a feature have room for many, not for any number', async t => {
  const many = (count: number, name: (i: number) => string, value: unknown) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [name(i), value]))
  const features = (count: number) => ({ features: many(count, i => `feature:f${i}`, {}) })
  const tiers = (count: number) => Array.from({ length: count }, (_, i) => ({ upto: i + 1 }))
  t.same(problemsOf({ plans: many(plansMax, i => `plan:x@${i}`, features(1)) }), [])
  t.same(problemsOf({ plans: many(plansMax + 1, i => `plan:x@${i}`, features(1)) }),
    [{ pointer: '/plans', detail: 'plans: there must be at most 1000' }])
  t.same(problemsOf({ plans: { 'plan:x@0': features(featuresMax) } }), [])
  t.same(problemsOf({ plans: { 'plan:x@0': features(featuresMax + 1) } }),
    [{ pointer: '/plans/plan:x@0/features', detail: 'plans["plan:x@0"].features: there must be at most 500' }])
  t.same(problemsOf(onePlan({ tiers: tiers(tiersMax) })), [])
  t.same(problemsOf(onePlan({ tiers: tiers(tiersMax + 1) })),
    [{ pointer: '/plans/plan:x@0/features/feature:y/tiers', detail: 'plans["plan:x@0"].features["feature:y"]: tiers: there must be at most 100' }])
})
