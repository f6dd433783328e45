import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { test } from 'tap'
import { amountOf } from '../../src/domain/amount.ts'
import { combine, type Entitlement, type Term } from '../../src/domain/entitlement.ts'

const METERED: Entitlement = {
  feature: 'feature:calls', type: 'metered', limit: amountOf(10), overage: false, reset: 'month', aggregate: 'sum', combine: 'highest'
}
const BOOLEAN: Entitlement = { ...METERED, type: 'boolean', limit: null, reset: 'never' }

const METERED_GRANT = { type: 'metered', overage: false, reset: 'month', aggregate: 'sum' }

/** Each subscription has an anchor of its own, so that the deciding one can be told by it. */
function anchorOf (subscription: number): Term['anchor'] {
  return { at: subscription * 1000, timeZone: 'UTC' }
}

function term (subscription: number, entitlement: Partial<Entitlement>): Term {
  return {
    subscription, start: 0, end: null, anchor: anchorOf(subscription), entitlement: { ...METERED, ...entitlement }
  }
}

const limit = (whole: number | null): Partial<Entitlement> => ({ limit: whole === null ? null : amountOf(whole) })
const adds = (whole: number | null): Partial<Entitlement> => ({ ...limit(whole), combine: 'sum' })

test('nothing held grants nothing', async t => {
  t.equal(combine([]), null)
})

test('one plan grants what it says', async t => {
  t.same(combine([term(7, { limit: amountOf(5), overage: true, reset: 'day', aggregate: 'max' })]), {
    type: 'metered',
    limit: amountOf(5),
    overage: true,
    reset: 'day',
    aggregate: 'max',
    anchor: { at: 7000, timeZone: 'UTC' },
    subscriptions: [7]
  })
})

test('the highest limit decides limit, overage, reset, aggregate and anchor; the others add nothing', async t => {
  const grant = combine([
    term(1, { ...limit(10), overage: true, reset: 'year', aggregate: 'last' }),
    term(2, { ...limit(30), reset: 'week', aggregate: 'count' }),
    term(3, limit(20))
  ])
  t.same(grant, { ...METERED_GRANT, limit: amountOf(30), reset: 'week', aggregate: 'count', anchor: anchorOf(2), subscriptions: [2] })
})

test('unlimited is higher than any limit, and no limit is higher than nought', async t => {
  t.match(combine([term(1, limit(1e9)), term(2, limit(null))]), { limit: null, subscriptions: [2] })
  t.match(combine([term(1, limit(0)), term(2, limit(1))]), { limit: amountOf(1), subscriptions: [2] })
})

test('of equal limits the one with overage decides, then the older subscription', async t => {
  t.match(combine([term(1, limit(10)), term(2, { ...limit(10), overage: true })]), { overage: true, subscriptions: [2] })
  t.match(combine([term(5, limit(10)), term(3, limit(10)), term(4, limit(10))]), { subscriptions: [3], anchor: anchorOf(3) })
  t.match(combine([term(5, limit(null)), term(3, limit(null))]), { limit: null, subscriptions: [3] })
  t.match(combine([term(1, { ...limit(10), overage: true }), term(2, limit(11))]), { overage: false, subscriptions: [2] }, 'a higher limit beats overage')
})

test('an add-on adds its limit to the deciding plan, and nothing else', async t => {
  const grant = combine([term(1, { ...adds(5), overage: true, reset: 'day' }), term(2, limit(10)), term(3, limit(8)), term(4, adds(7))])
  t.same(grant, { ...METERED_GRANT, limit: amountOf(22), anchor: anchorOf(2), subscriptions: [2, 1, 4] })
})

test('an unlimited add-on makes the feature unlimited, and an add-on leaves unlimited as it is', async t => {
  t.match(combine([term(1, limit(10)), term(2, adds(null))]), { limit: null, subscriptions: [1, 2] })
  t.match(combine([term(1, limit(null)), term(2, adds(5))]), { limit: null, subscriptions: [1, 2] })
})

test('an add-on of a larger size does not decide while a base plan is held', async t => {
  t.match(combine([term(1, { ...adds(1000), reset: 'day' }), term(2, limit(1))]), { reset: 'month', anchor: anchorOf(2), limit: amountOf(1001) })
})

test('add-ons alone add up, and the oldest decides the rest', async t => {
  const grant = combine([term(4, { ...adds(7), reset: 'day' }), term(2, { ...adds(5), reset: 'week' })])
  t.same(grant, { ...METERED_GRANT, limit: amountOf(12), reset: 'week', anchor: anchorOf(2), subscriptions: [2, 4] })
})

test('access held beside a metered entitlement changes nothing, though access alone has no limit', async t => {
  t.match(combine([term(1, BOOLEAN)]), { type: 'boolean', limit: null, subscriptions: [1] })
  t.match(combine([term(1, BOOLEAN), term(2, limit(10))]), { type: 'metered', limit: amountOf(10), subscriptions: [2] })
  t.match(combine([term(1, { ...BOOLEAN, combine: 'sum' }), term(2, limit(10))]), { type: 'metered', limit: amountOf(10), subscriptions: [2] })
})

test('the order in which terms are listed never matters, and the list is left as it was (2,000 cases)', async t => {
  const entitlement = fc.record({
    type: fc.constantFrom('metered' as const, 'boolean' as const),
    limit: fc.constantFrom(null, 0n, amountOf(10), amountOf(20)),
    overage: fc.boolean(),
    combine: fc.constantFrom('highest' as const, 'sum' as const)
  })
  const terms = fc.array(entitlement, { maxLength: 5 }).map(list => list.map((each, index) => term(index + 1, each)))
  const orders = terms.chain(list => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })))
  fc.assert(fc.property(orders, ([list, shuffled]) => {
    const before = [...shuffled]
    return isDeepStrictEqual(combine(shuffled), combine(list)) && before.every((each, index) => each === shuffled[index])
  }), { numRuns: 2000 })
  t.pass()
})
