import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { test } from 'tap'
import { amountOf } from '../../src/domain/amount.ts'
import { type Due, duesAt, lineItem, type LineItem, totalsOf } from '../../src/domain/cost.ts'
import { planText } from '../../src/domain/ids.ts'
import { type Org, orgOf, type StoredPlan } from '../../src/domain/org.ts'
import { parsePlans } from '../../src/domain/plan.ts'
import { inForce, type Subscription } from '../../src/domain/schedule.ts'

const DAY = 86_400_000
const FEATURES = ['feature:calls', 'feature:members', 'feature:seat']

const stored: StoredPlan[] = parsePlans({
  plans: {
    'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } },
    'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 100, price: 2, base: 5 }] }, 'feature:seat': { base: 7 } } },
    'plan:daily@0': { features: { 'feature:calls': { tiers: [{ price: 1 }], reset: 'day' }, 'feature:seat': {} } },
    'plan:boost@0': { addon: true, currency: 'eur', features: { 'feature:calls': { tiers: [{ upto: 50, base: 3 }] } } },
    'plan:team@0': { anchor: 'calendar', features: { 'feature:members': { tiers: [{ price: 9 }], aggregate: 'perpetual' }, 'feature:seat': { base: 4 } } }
  }
}).flatMap((parsed, key) => parsed.ok
  ? [{ key, plan: parsed.plan, featureKeys: new Map(parsed.plan.features.map(({ feature }) => [feature, FEATURES.indexOf(feature)])) }]
  : [])
const planNamed = (row: Pick<Subscription, 'plan'>): StoredPlan =>
  stored.find(({ plan }) => planText(plan.ref) === planText(row.plan)) as StoredPlan

const day = (from: number, to: number) => fc.integer({ min: from * 24, max: to * 24 }).map(hours => hours * DAY / 24)
const rows: fc.Arbitrary<Subscription[]> = fc.array(fc.record({
  plan: fc.constantFrom(...stored.map(({ plan }) => plan.ref)),
  startsAt: day(1000, 1200),
  length: fc.option(day(1, 100), { nil: null }),
  status: fc.constantFrom('active', 'active', 'trialing', 'past_due', 'unpaid', 'cancelled')
}), { minLength: 1, maxLength: 6 }).map(given => given.map(({ plan, startsAt, length, status }, i) => ({
  id: i + 1,
  plan,
  feature: null,
  startsAt,
  endsAt: length === null ? null : startsAt + length,
  status,
  anchorAt: startsAt,
  timeZone: 'UTC',
  phaseAt: startsAt
})))
const FACTS = { key: 1, environment: 'test', name: 'org:a', version: 1, timeZone: 'UTC', createdAt: 0 }
const orgs: fc.Arbitrary<Org> = rows.map(subscriptions => orgOf({ ...FACTS, subscriptions }, planNamed))
const instants = fc.tuple(day(950, 1350), day(950, 1350)).map(([a, b]) => ({ at: Math.min(a, b), present: Math.max(a, b) }))

const holds = (row: Subscription, feature: string): boolean => planNamed(row).featureKeys.has(feature)
const of = (dues: readonly Due[], feature: string): Due[] => dues.filter(({ item }) => item.feature === feature)

test('the usage of a feature is priced at most once, and every due is of something that the org holds or held by then', async t => {
  fc.assert(fc.property(orgs, instants, (org, { at, present }) => {
    const dues = duesAt(org, at, present)
    return FEATURES.every(feature => of(dues, feature).filter(({ aggregate }) => aggregate !== null).length <= 1) &&
      dues.every(({ subscription, window, item }) => subscription.startsAt <= present && holds(subscription, item.feature) &&
        window.start <= at && (window.end === null || at < window.end))
  }), { numRuns: 2_000 })
  t.pass('always')
})

test('in a gap at the end of a window, what was held last inside it is owed, and not what gave no access', async t => {
  const row = (id: number, name: string, from: number, to: number, status: Subscription['status'] = 'active'): Subscription => ({
    id,
    plan: { name, version: '0' },
    feature: null,
    startsAt: from * DAY,
    endsAt: to * DAY,
    status,
    anchorAt: 0,
    timeZone: 'UTC',
    phaseAt: from * DAY
  })
  const owed = (subscriptions: Subscription[], at: number, present: number): string[] =>
    duesAt(orgOf({ ...FACTS, subscriptions }, planNamed), at * DAY, present * DAY)
      .map(({ subscription, item, aggregate }) => `${subscription.id} ${item.feature.slice(8)}${aggregate === null ? '' : ' used'}`)
  const paid = row(1, 'plan:pro', 0, 10)
  t.strictSame(owed([paid], 5, 20), ['1 calls used', '1 seat'])
  t.strictSame(owed([paid], 35, 40), [])
  t.strictSame(owed([paid, row(2, 'plan:pro', 10, 15, 'unpaid')], 5, 20), ['1 calls used', '1 seat'])
  t.strictSame(owed([paid, row(2, 'plan:free', 3, 10)], 5, 20), ['1 calls used', '1 seat', '2 calls'], 'both were the last')
  t.strictSame(owed([paid, row(2, 'plan:free', 3, 12)], 5, 20), ['1 seat', '2 calls used'], 'of calls the other one was')
  t.strictSame(owed([paid, row(2, 'plan:pro', 25, 50)], 5, 20), ['1 calls used', '1 seat'], 'what is planned is not held')
  t.strictSame(owed([paid, row(2, 'plan:pro', 25, 50)], 5, 60), ['2 calls used', '2 seat'])
})

test('now, each feature of each plan in force is due once, and priced by the entitlement that decides', async t => {
  fc.assert(fc.property(orgs, day(950, 1350), (org, now) => {
    const dues = duesAt(org, now, now)
    return FEATURES.every(feature => {
      const holders = inForce(org.subscriptions.filter(row => holds(row, feature)), now)
      if (holders.length === 0) return true
      const due = of(dues, feature)
      const decides = org.features.get(feature)?.timeline.grantAt(now)?.subscriptions[0]
      const priced = due.filter(({ aggregate }) => aggregate !== null).map(({ subscription }) => subscription.id)
      const metered = feature !== 'feature:seat'
      return isDeepStrictEqual(due.map(({ subscription }) => subscription.id), holders.map(({ id }) => id)) &&
        isDeepStrictEqual(priced, metered ? [decides] : [])
    })
  }), { numRuns: 2_000 })
  t.pass('always')
})

test('a window that is over costs the same, whichever of its instants is asked for, and whenever', async t => {
  fc.assert(fc.property(orgs, instants, fc.double({ min: 0, max: 1, noNaN: true }), day(0, 400), (org, { at, present }, part, later) => {
    const calls = (at: number, present: number): Due[] => of(duesAt(org, at, present), 'feature:calls')
    const [first] = calls(at, present)
    if (first?.window.end === undefined || first.window.end === null || first.window.end > present) return true
    const { start, end } = first.window
    const other = Math.min(end - 1, start + Math.floor(part * (end - start)))
    return isDeepStrictEqual(calls(other, present), calls(at, present)) && isDeepStrictEqual(calls(at, present + later), calls(at, present))
  }), { numRuns: 2_000 })
  t.pass('always')
})

test('the total is the sum of the lines, by currency, and a trial costs nothing', async t => {
  fc.assert(fc.property(orgs, instants, fc.nat(1_000), (org, { at, present }, used) => {
    const lines = duesAt(org, at, present).flatMap(due => lineItem(due, amountOf(used)) ?? [])
    const sum = (own: readonly LineItem[]): bigint => own.reduce((sum, { amount }) => sum + amount, 0n)
    const totals = totalsOf(lines)
    return [...totals].every(([currency, total]) => total === sum(lines.filter(line => line.currency === currency))) &&
      [...totals.values()].reduce((a, b) => a + b, 0n) === sum(lines.filter(({ trial }) => !trial))
  }), { numRuns: 1_000 })
  t.pass('always')
})
