import fc from 'fast-check'
import { test } from 'tap'
import { amountOf } from '../../src/domain/amount.ts'
import { combination, combine, type Entitlement, type Term } from '../../src/domain/entitlement.ts'
import { explain } from '../../src/domain/explanation.ts'
import { type FeatureOverrides, type Org, orgOf, type StoredPlan } from '../../src/domain/org.ts'
import type { Subscription } from '../../src/domain/schedule.ts'

const START = Date.parse('2024-01-01T00:00:00Z')
const NOW = Date.parse('2024-02-15T00:00:00Z')
const FEATURE = 'feature:calls'
const ENTITLEMENT: Entitlement = {
  feature: FEATURE, type: 'metered', limit: amountOf(10), overage: false, reset: 'month', aggregate: 'sum', combine: 'highest'
}

/** An org that holds one plan for each, from `START` on. */
function holding (entitlements: ReadonlyArray<Partial<Entitlement>>, overrides?: FeatureOverrides, startsAt = START): Org {
  const subscriptions = entitlements.map((_entitlement, i): Subscription => ({
    id: i + 1,
    plan: { name: `plan:p${i + 1}`, version: '0' },
    feature: null,
    startsAt,
    endsAt: null,
    status: 'active',
    anchorAt: startsAt,
    timeZone: 'UTC',
    phaseAt: startsAt
  }))
  const facts = { key: 1, environment: 'test', name: 'org:acme', version: 1, timeZone: 'UTC', createdAt: START, subscriptions }
  return orgOf({ ...facts, ...(overrides !== undefined && { overrides: new Map([[FEATURE, overrides]]) }) }, ({ id, plan: ref }) => ({
    key: id,
    featureKeys: new Map([[FEATURE, 1]]),
    plan: { ref, anchor: 'subscription', features: [{ ...ENTITLEMENT, ...entitlements[id - 1] }] } as unknown as StoredPlan['plan']
  }))
}

function shown (org: Org, now = NOW): unknown[] {
  return explain(org, FEATURE, now).terms.map(({ role, plan }) => `${role} ${plan}`)
}

test('the highest limit decides, add-ons are added, and the rest is named for what it is', async t => {
  const org = holding([
    { combine: 'sum', limit: amountOf(5) }, { limit: amountOf(10) }, { limit: amountOf(100) }, { type: 'boolean', limit: null }
  ])
  t.strictSame(shown(org), ['decides plan:p3@0', 'adds plan:p1@0', 'outranked plan:p2@0', 'ignored plan:p4@0'])
  t.equal(explain(org, FEATURE, NOW).grant?.limit, amountOf(105))
})

test('where all are added, the oldest decides what cannot be added', async t => {
  t.strictSame(shown(holding([{ combine: 'sum' }, { combine: 'sum' }])), ['decides plan:p1@0', 'adds plan:p2@0'])
})

test('what is not held has no reasons: another feature, and what is only planned', async t => {
  t.same(explain(holding([{}]), 'feature:other', NOW), { grant: null, terms: [], override: null })
  t.same(explain(holding([{}], undefined, NOW + 1), FEATURE, NOW), { grant: null, terms: [], override: null })
})

test('an override in force is named; one that is over is not, nor one of mere access', async t => {
  const lifted = { start: START, end: null, limit: null, overage: null }
  const over = { start: START, end: NOW, limit: amountOf(1), overage: null }
  t.same(explain(holding([{}], { key: 1, list: [lifted] }), FEATURE, NOW).override, lifted)
  t.equal(explain(holding([{}], { key: 1, list: [over] }), FEATURE, NOW).override, null)
  t.equal(explain(holding([{ type: 'boolean', limit: null }], { key: 1, list: [lifted] }), FEATURE, NOW).override, null)
})

test('whatever is held, each entitlement has one role, and those that decide and add are those of the grant', async t => {
  const entitlement = fc.record({
    type: fc.constantFrom('metered' as const, 'metered' as const, 'boolean' as const),
    combine: fc.constantFrom('highest' as const, 'sum' as const),
    limit: fc.option(fc.nat(3).map(amountOf)),
    overage: fc.boolean()
  })
  fc.assert(fc.property(fc.array(entitlement, { minLength: 1, maxLength: 6 }), held => {
    const { terms, grant } = explain(holding(held), FEATURE, NOW)
    t.strictSame(terms.map(({ term }) => term.subscription).sort(), held.map((_entitlement, i) => i + 1))
    const made = terms.filter(({ role }) => role === 'decides' || role === 'adds')
    t.strictSame(made.map(({ term }) => term.subscription), grant?.subscriptions)
    t.equal(terms.filter(({ role }) => role === 'decides').length, 1)
  }), { numRuns: 200 })
})

test('no terms combine to nothing', async t => {
  const none: Term[] = []
  t.equal(combination(none), null)
  t.equal(combine(none), null)
})
