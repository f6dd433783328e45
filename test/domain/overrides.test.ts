import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { test } from 'tap'
import { amountOf } from '../../src/domain/amount.ts'
import {
  type Aggregate, type Entitlement, type Grant, type Instant, overridden, type Override, type Reset, type Term
} from '../../src/domain/entitlement.ts'
import { orgOf, overrideAt, presentOf } from '../../src/domain/org.ts'
import { TIME_BEGIN, type Window } from '../../src/domain/period.ts'
import { timeline, type Timeline } from '../../src/domain/window.ts'
import { sized } from '../fixtures/size.ts'

const SCHEDULES = sized(4_000, 20_000)
const DAY = 86_400_000
const MONTHLY: Entitlement = {
  feature: 'feature:calls', type: 'metered', limit: amountOf(10), overage: false, reset: 'month', aggregate: 'sum', combine: 'highest'
}
const on = (date: string): Instant => Date.parse(date)

function term (start: string, end: string | null, entitlement: Partial<Entitlement> = {}, subscription = 1): Term {
  return {
    subscription,
    start: on(start),
    end: end === null ? null : on(end),
    anchor: { at: on(start), timeZone: 'UTC' },
    entitlement: { ...MONTHLY, ...entitlement }
  }
}

function override (start: string, end: string | null, limit: number | null, overage: boolean | null = null): Override {
  return { start: on(start), end: end === null ? null : on(end), limit: limit === null ? null : amountOf(limit), overage }
}

/** Limit and overage, or nothing where nothing is held. */
function at (line: Timeline, time: string): unknown {
  const grant = line.grantAt(on(time))
  return grant === null ? null : [grant.limit, grant.overage]
}

test('from its start to its end, an override decides the limit', async t => {
  const line = timeline([term('2024-01-01', null)], [override('2024-01-10', '2024-01-20', 50)])
  t.same(at(line, '2024-01-09T23:59:59.999Z'), [amountOf(10), false])
  t.same(at(line, '2024-01-10'), [amountOf(50), false])
  t.same(at(line, '2024-01-19T23:59:59.999Z'), [amountOf(50), false])
  t.same(at(line, '2024-01-20'), [amountOf(10), false])
})

test('it may lower the limit, lift it altogether, and say whether more may be used', async t => {
  const held = [term('2024-01-01', null, { overage: true })]
  t.same(at(timeline(held, [override('2024-01-10', null, 0)]), '2024-01-11'), [0n, true], 'overage is as the plan has it')
  t.same(at(timeline(held, [override('2024-01-10', null, null)]), '2024-01-11'), [null, true])
  t.same(at(timeline(held, [override('2024-01-10', null, 5, false)]), '2024-01-11'), [amountOf(5), false])
  t.same(at(timeline([term('2024-01-01', null)], [override('2024-01-10', null, 5, true)]), '2024-01-11'), [amountOf(5), true])
})

test('it replaces what several plans add up to, not one of them', async t => {
  const held = [term('2024-01-01', null), term('2024-01-01', null, { combine: 'sum', limit: amountOf(5) }, 2)]
  const line = timeline(held, [override('2024-01-10', null, 50)])
  t.same(at(line, '2024-01-09'), [amountOf(15), false])
  t.same(at(line, '2024-01-10'), [amountOf(50), false])
})

test('it gives nothing where nothing is held, and goes on where it is held again', async t => {
  const line = timeline([term('2024-01-01', '2024-02-01'), term('2024-03-01', null)], [override('2024-01-10', null, 50)])
  t.equal(at(line, '2024-02-10'), null)
  t.same(at(line, '2024-03-01'), [amountOf(50), false])
})

test('where there is only access there is nothing to override', async t => {
  const line = timeline([term('2024-01-01', null, { type: 'boolean', limit: null, reset: 'never' })], [override('2024-01-10', null, 5)])
  t.match(line.grantAt(on('2024-01-11')), { type: 'boolean', limit: null })
})

test('a window is judged as a whole by what was in force at its end', async t => {
  const line = timeline([term('2024-01-01', null)], [override('2024-01-10', '2024-02-10', 50), override('2024-02-20', '2024-02-25', 70)])
  const limitOf = (time: string): unknown => line.grantAtEnd(line.windowAt(on(time)))?.limit
  t.same(limitOf('2024-01-05'), amountOf(50), 'also before it began')
  t.same(limitOf('2024-02-05'), amountOf(10), 'it was over by then')
  t.same(limitOf('2024-03-05'), amountOf(10))
})

test('before the first subscription that one decides, as it was at its start', async t => {
  const held = [term('2024-03-01', null)]
  t.same(at(timeline(held, [override('2024-03-10', null, 50)]), '2024-02-01'), [amountOf(10), false])
  t.same(at(timeline(held, [override('2024-03-01', null, 50)]), '2024-02-01'), [amountOf(50), false])
  t.equal(timeline(held, [override('2024-01-01', null, 50)]).start, on('2024-03-01'), 'an override begins nothing')
})

test('an override that a clock ahead of ours made is not in the future; the end of one is kept to the millisecond', async t => {
  const now = on('2024-01-10')
  const facts = { key: 1, environment: 'test', name: 'org:a', version: 1, timeZone: 'UTC', createdAt: 0, subscriptions: [] }
  const orgWith = (start: number, end: number | null) => {
    const list = [{ start: now + start, end: end === null ? null : now + end, limit: 1n, overage: null }]
    return orgOf({ ...facts, overrides: new Map([['feature:calls', { key: 1, list }]]) }, () => { throw new Error('nothing is held') })
  }
  t.equal(presentOf(orgWith(300, null), now), now + 300)
  t.equal(presentOf(orgWith(501, null), now), now)
  t.equal(presentOf(orgWith(-1_000, 300), now), now)
  t.ok(overrideAt(orgWith(-1_000, 300), 'feature:calls', now + 299))
  t.notOk(overrideAt(orgWith(-1_000, 300), 'feature:calls', now + 300))
  t.notOk(overrideAt(orgWith(-1_000, 300), 'feature:other', now))
})

// Random schedules and overrides. What each property says holds for any, so a failure is a bug, not a missing case.

const FROM = Date.UTC(2023, 0, 1)
const DAYS = 800
const instant = fc.tuple(fc.integer({ min: 0, max: DAYS }), fc.constantFrom(0, 0, 0, 1, 13.5))
  .map(([day, hour]) => FROM + day * DAY + hour * DAY / 24)
const limits = fc.constantFrom(null, 0n, amountOf(10), amountOf(20))
const schedule = fc.array(fc.record({
  start: instant,
  length: fc.constantFrom(0, 1, 20, 31, 90, 400, null),
  calendar: fc.boolean(),
  timeZone: fc.constantFrom('UTC', 'UTC', 'Europe/Berlin'),
  limit: limits,
  overage: fc.boolean(),
  type: fc.constantFrom<Array<Entitlement['type']>>('metered', 'metered', 'metered', 'boolean'),
  reset: fc.constantFrom<Reset[]>('day', 'week', 'month', 'month', 'never'),
  aggregate: fc.constantFrom<Aggregate[]>('sum', 'sum', 'max'),
  combine: fc.constantFrom<Array<Entitlement['combine']>>('highest', 'highest', 'sum')
}), { maxLength: 4 }).map(shapes => shapes.map(({ start, length, calendar, timeZone, ...entitlement }, i): Term => ({
  subscription: i + 1,
  start,
  end: length === null ? null : start + length * DAY,
  anchor: { at: calendar ? null : start, timeZone },
  entitlement: { ...MONTHLY, ...entitlement }
})))
/** In order, without overlap: each ends where it says, or where the next one starts. */
const overrides = fc.array(fc.record({
  start: instant, length: fc.constantFrom(1, 10, 45, 200, null), limit: limits, overage: fc.constantFrom(null, true, false)
}), { maxLength: 5 }).map(list => {
  const sorted = [...new Map(list.map(it => [it.start, it])).values()].sort((a, b) => a.start - b.start)
  return sorted.map(({ start, length, limit, overage }, i): Override => {
    const end = Math.min(length === null ? Infinity : start + length * DAY, sorted[i + 1]?.start ?? Infinity)
    return { start, end: end === Infinity ? null : end, limit, overage }
  })
})

test(`overrides never change the shape of windows (${SCHEDULES} schedules)`, async t => {
  fc.assert(fc.property(schedule, overrides, fc.array(instant, { minLength: 1, maxLength: 5 }), (terms, list, instants) => {
    const [plain, overriding] = [timeline(terms), timeline(terms, list)]
    return overriding.start === plain.start && instants.every(at => isDeepStrictEqual(overriding.windowAt(at), plain.windowAt(at)) &&
      isDeepStrictEqual(overriding.windowsBack(at, 5, TIME_BEGIN), plain.windowsBack(at, 5, TIME_BEGIN)))
  }), { numRuns: SCHEDULES })
  t.pass()
})

/** The rule as it is worded: what is held, and in its place the override of that instant. */
function byTheBook (plain: Timeline, list: readonly Override[], at: Instant): Grant | null {
  const grant = plain.grantAt(at)
  const judgedAt = Math.max(at, plain.start)
  const override = list.find(({ start, end }) => start <= judgedAt && judgedAt < (end ?? Infinity))
  return grant === null || override === undefined ? grant : overridden(grant, override)
}

/** The last instant of a window at which something was held. */
function lastHeld (terms: readonly Term[], plain: Timeline, { start, end }: Window): Instant | undefined {
  const ends = [end === null ? FROM + 5_000 * DAY : end - 1, ...terms.flatMap(term => term.end === null ? [] : [term.end - 1])]
  return ends.filter(at => at >= start && (end === null || at < end) && plain.grantAt(at) !== null).sort((a, b) => b - a)[0]
}

test(`at each instant the limit is the override’s or the grant’s, and of a window as at its end (${SCHEDULES} schedules)`, async t => {
  let replaced = 0
  fc.assert(fc.property(schedule, overrides, fc.array(instant, { minLength: 1, maxLength: 5 }), (terms, list, instants) => {
    const [plain, overriding] = [timeline(terms), timeline(terms, list)]
    const edges = list.flatMap(({ start, end }) => [start - 1, start, ...(end === null ? [] : [end - 1, end])])
    return [...instants, ...edges].every(at => {
      const expected = byTheBook(plain, list, at)
      if (!isDeepStrictEqual(expected, plain.grantAt(at))) replaced += 1
      const window = plain.windowAt(at)
      const last = lastHeld(terms, plain, window)
      // A window that was counted backwards, before anything was held, is judged by what came first.
      const whole = last === undefined ? null : byTheBook(plain, list, last)
      return isDeepStrictEqual(overriding.grantAt(at), expected) && isDeepStrictEqual(overriding.grantAtEnd(window), whole)
    })
  }), { numRuns: SCHEDULES })
  t.ok(replaced > SCHEDULES / 2, 'enough limits were replaced')
})
