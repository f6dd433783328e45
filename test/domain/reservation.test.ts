import fc from 'fast-check'
import { test } from 'tap'
import { type Amount, amountOf, amountText, WHOLE } from '../../src/domain/amount.ts'
import { EMPTY } from '../../src/domain/counter.ts'
import type { Aggregate, Grant } from '../../src/domain/entitlement.ts'
import { decideCommit, heldAmount, hold, type Hold, isExpired, isHeld, keptSince, letGo, type Tally } from '../../src/domain/reservation.ts'

const NOTHING: Tally = { ...EMPTY, reservedUntil: null }

function grant (limit: number | null, aggregate: Aggregate = 'sum', overage = false): Grant {
  return {
    type: 'metered',
    limit: limit === null ? null : amountOf(limit),
    overage,
    reset: 'month',
    aggregate,
    anchor: { at: 0, timeZone: 'UTC' },
    subscriptions: [1]
  }
}

const held = (n: number, expiresAt: number): Hold => ({ amount: amountOf(n), expiresAt, state: 'held' })
const tally = (used: number, reserved: number, reservedUntil: number | null, version = 9): Tally =>
  ({ used: amountOf(used), reserved: amountOf(reserved), version, lastAt: null, reservedUntil })

test('a hold takes its units, one in a count; of what does not add up nothing can be held', async t => {
  t.equal(heldAmount(grant(10), amountOf(7)), amountOf(7))
  t.equal(heldAmount(grant(10, 'count'), amountOf(7)), WHOLE)
  for (const aggregate of ['max', 'last', 'perpetual'] as const) {
    t.throws(() => heldAmount(grant(10, aggregate), WHOLE), { code: 'invalid_request' }, aggregate)
  }
  t.throws(() => heldAmount({ ...grant(null), type: 'boolean' }, WHOLE), { code: 'invalid_request' })
  t.throws(() => heldAmount(null, WHOLE), { code: 'feature_not_found' })
})

test('holding and letting go each make a new version; the earliest expiry is known as long as anything is held', async t => {
  const one = hold(NOTHING, amountOf(3), 100)
  const two = hold(one, amountOf(4), 50)
  t.strictSame([one.reserved, one.reservedUntil, one.version], [amountOf(3), 100, 1])
  t.strictSame([two.reserved, two.reservedUntil, two.version], [amountOf(7), 50, 2])
  const back = letGo(two, held(4, 50))
  t.strictSame([back.reserved, back.reservedUntil, back.version], [amountOf(3), 50, 3], 'too early rather than too late')
  const none = letGo(back, held(3, 100))
  t.strictSame([none.reserved, none.reservedUntil, none.version], [0n, null, 4])
})

test('what expired before the earliest expiry of a counter was left out of it already', async t => {
  const left = tally(0, 4, 50)
  const cases: Array<[hold: Hold, now: number, held: boolean, expired: boolean]> = [
    [held(4, 50), 49, true, false],
    [held(4, 50), 50, true, true],
    [held(4, 80), 49, true, false],
    [held(4, 49), 20, false, true],
    [{ ...held(4, 80), state: 'released' }, 20, false, false],
    [{ ...held(4, 80), state: 'committed' }, 90, false, false]
  ]
  for (const [it, now, isThere, expired] of cases) {
    t.strictSame([isHeld(it, left), isExpired(it, left, now)], [isThere, expired], `${it.state} until ${it.expiresAt}, at ${now}`)
  }
  t.equal(letGo(left, held(4, 49)), left, 'letting it go changes nothing')
  t.ok(isExpired(held(4, 80), tally(0, 0, null), 20), 'nor is it held where nothing is')
})

test('a commit counts as much as was held, and more, or after the expiry, if there is room', async t => {
  const [hour, later] = [100, 101]
  const cases: Array<[
    limit: number | null, used: number, reserved: number, n: number, now: number, ok: boolean, late: boolean, more?: Partial<Grant>
  ]> = [
    [10, 0, 4, 4, 0, true, false],
    [10, 0, 4, 1, 0, true, false],
    [10, 0, 4, 10, 0, true, false],
    [10, 0, 4, 11, 0, false, false],
    [10, 0, 9, 5, 0, true, false],
    [10, 0, 9, 6, 0, false, false],
    [2, 0, 4, 4, 0, true, false],
    [2, 0, 4, 5, 0, false, false],
    [null, 0, 4, 500, 0, true, false],
    [10, 6, 4, 4, hour, false, true],
    [10, 5, 4, 1, later, true, true],
    [10, 5, 4, 2, later, false, true],
    [10, 5, 0, 5, later, true, true],
    [10, 20, 4, 0, later, true, true],
    [10, 8, 4, 9, 0, true, false, { overage: true }],
    [3, 2, 1, 70, 0, true, false, { aggregate: 'count' }],
    [3, 3, 0, 1, later, false, true, { aggregate: 'count' }]
  ]
  for (const [limit, used, reserved, n, now, ok, late, more] of cases) {
    const own = more?.aggregate === 'count' ? held(1, hour) : held(4, hour)
    const state = tally(used, reserved, reserved === 0 ? null : hour)
    const found = decideCommit({ ...grant(limit), ...more }, state, own, { amount: amountOf(n), at: 0 }, now)
    t.hasStrict(found, { ok, late }, `${n} with ${used} used and ${reserved} reserved of ${String(limit)} at ${now}`)
  }
})

test('the figures of a verdict on a commit leave its own hold out', async t => {
  const { verdict } = decideCommit(grant(10), tally(3, 6, 100), held(4, 100), { amount: amountOf(6), at: 0 }, 0)
  t.strictSame([verdict.ok, verdict.used, verdict.reserved, verdict.remaining], [false, amountOf(3), amountOf(2), amountOf(5)])
})

interface Made { readonly amount: Amount, readonly expiresAt: number }
const steps = fc.array(fc.oneof(
  fc.record({ hold: fc.integer({ min: 1, max: 5 }).map(amountOf), ttl: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ letGo: fc.nat(9) }),
  fc.record({ wait: fc.integer({ min: 1, max: 3 }) })
), { maxLength: 25 })

/** What a ledger does with its rows: past the earliest expiry, all that is still held is added up anew. */
function reread (tally: Tally, rows: readonly Made[], now: number): Tally {
  if (tally.reservedUntil === null || tally.reservedUntil > now) return tally
  const left = rows.filter(({ expiresAt }) => expiresAt > now)
  return {
    ...tally,
    reserved: left.reduce((sum, { amount }) => sum + amount, 0n),
    reservedUntil: left.length === 0 ? null : Math.min(...left.map(({ expiresAt }) => expiresAt))
  }
}

test('whatever is held, let go and left to expire, a counter reserves what is held then', async t => {
  fc.assert(fc.property(steps, steps => {
    let [counter, rows, now] = [NOTHING, [] as Made[], 0]
    for (const step of steps) {
      counter = reread(counter, rows, now)
      if ('hold' in step) {
        const made = { amount: step.hold, expiresAt: now + step.ttl }
        counter = hold(counter, made.amount, made.expiresAt)
        rows.push(made)
      } else if ('letGo' in step) {
        const row = rows[step.letGo % Math.max(1, rows.length)]
        if (row === undefined) continue
        counter = letGo(counter, { ...row, state: 'held' })
        rows = rows.filter(other => other !== row)
      } else {
        now += step.wait
      }
      const expected = rows.filter(({ expiresAt }) => expiresAt > now).reduce((sum, { amount }) => sum + amount, 0n)
      const { reserved } = reread(counter, rows, now)
      if (reserved !== expected) throw new Error(`${amountText(reserved)} are reserved, ${amountText(expected)} are held`)
    }
  }), { numRuns: 2_000 })
  t.pass('in 2,000 series')
})

test('a reservation is kept for 30 days after it expired', async t => {
  t.equal(keptSince(Date.parse('2024-03-31T12:00:00Z')), Date.parse('2024-03-01T12:00:00Z'))
})
