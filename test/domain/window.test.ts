import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { test } from 'tap'
import { amountOf } from '../../src/domain/amount.ts'
import {
  combine, type Aggregate, type Anchor, type Combine, type Entitlement, type Grant, type Instant, type Reset, type Term
} from '../../src/domain/entitlement.ts'
import { TIME_BEGIN, windowOf, type Window } from '../../src/domain/period.ts'
import { timeline, type Timeline } from '../../src/domain/window.ts'
import { sized } from '../fixtures/size.ts'

const [SCHEDULES, BY_THE_BOOK] = sized([10_000, 3_000], [50_000, 10_000])

const DAY = 86_400_000
const MONTHLY: Entitlement = {
  feature: 'feature:calls', type: 'metered', limit: amountOf(10), overage: false, reset: 'month', aggregate: 'sum', combine: 'highest'
}
const CALENDAR: Anchor = { at: null, timeZone: 'UTC' }

function anchor (at: string, timeZone = 'UTC'): Anchor {
  return { at: Date.parse(at), timeZone }
}

/** A term of the next subscription; anchored at its start unless said otherwise. */
let subscriptions = 0
function term (start: string, end: string | null, entitlement: Partial<Entitlement> = {}, anchored = anchor(start)): Term {
  subscriptions += 1
  return {
    subscription: subscriptions,
    start: Date.parse(start),
    end: end === null ? null : Date.parse(end),
    anchor: anchored,
    entitlement: { ...MONTHLY, ...entitlement }
  }
}

const limit = (whole: number): Partial<Entitlement> => ({ limit: amountOf(whole) })

/** `2024-01-31 2024-02-29`, with the hour where it is not midnight. */
function text ({ start, end }: Window): string {
  return [start, end].map(at => at === null ? 'never' : new Date(at).toISOString().replace(/T00:00:00.000Z|:00:00.000Z/, '')).join(' ')
}

function windowAt (line: Timeline, at: string): string {
  return text(line.windowAt(Date.parse(at)))
}

test('without a subscription nothing is granted, and there is one window', async t => {
  const line = timeline([])
  t.equal(line.grantAt(Date.parse('2024-01-01')), null)
  t.same(line.windowAt(Date.parse('2024-01-01')), { start: TIME_BEGIN, end: null })
  t.equal(line.grantAtEnd({ start: TIME_BEGIN, end: null }), null)
})

test('a subscription that ends where it starts, or before, was never held', async t => {
  const line = timeline([term('2024-05-01', '2024-05-01', { reset: 'day' }), term('2024-05-09', '2024-05-02', { reset: 'day' })])
  t.equal(line.grantAt(Date.parse('2024-05-01')), null)
  t.same(line.windowAt(Date.parse('2024-05-01')), { start: TIME_BEGIN, end: null })
})

test('a use before the first subscription is judged by that one, in windows counted backwards', async t => {
  const line = timeline([term('2024-03-31', '2024-06-30', limit(10)), term('2024-06-30', null, { ...limit(99), reset: 'day' })])
  t.equal(line.grantAt(Date.parse('2023-03-23'))?.limit, amountOf(10))
  t.equal(windowAt(line, '2023-03-23'), '2023-02-28 2023-03-31')
})

test('after a subscription ended nothing is granted, and its windows go on', async t => {
  const line = timeline([term('2024-01-31', '2024-03-10')])
  t.equal(line.grantAt(Date.parse('2024-03-10')), null)
  t.ok(line.grantAt(Date.parse('2024-03-10') - 1))
  t.equal(windowAt(line, '2024-03-20'), '2024-02-29 2024-03-31')
  t.equal(windowAt(line, '2024-07-20'), '2024-06-30 2024-07-31')
})

test('an upgrade that changes only limit, overage or the plan keeps the window and its usage', async t => {
  const anchored = anchor('2024-01-31')
  const line = timeline([term('2024-01-31', '2024-02-10', limit(10), anchored), term('2024-02-10', null, { ...limit(20), overage: true }, anchored)])
  t.equal(windowAt(line, '2024-02-09'), '2024-01-31 2024-02-29')
  t.equal(windowAt(line, '2024-02-10'), '2024-01-31 2024-02-29')
  t.equal(line.grantAt(Date.parse('2024-02-09'))?.limit, amountOf(10))
  t.equal(line.grantAt(Date.parse('2024-02-10'))?.limit, amountOf(20))
})

test('a change of reset, anchor, zone or aggregate cuts the window there, and the next ends at the next new boundary', async t => {
  const changes: Array<[string, Partial<Entitlement>, Anchor, string]> = [
    ['reset', { reset: 'week' }, anchor('2024-01-31'), '2024-02-10 2024-02-14'],
    ['anchor', {}, anchor('2024-02-20'), '2024-02-10 2024-02-20'],
    ['anchor to calendar', {}, CALENDAR, '2024-02-10 2024-03-01'],
    ['zone', {}, anchor('2024-01-31', 'Asia/Tokyo'), '2024-02-10 2024-02-29'],
    ['aggregate', { aggregate: 'max' }, anchor('2024-01-31'), '2024-02-10 2024-02-29'],
    ['reset to never', { reset: 'never' }, anchor('2024-01-31'), '2024-02-10 never']
  ]
  for (const [name, change, anchored, next] of changes) {
    const line = timeline([term('2024-01-31', '2024-02-10'), term('2024-02-10', null, change, anchored)])
    t.equal(windowAt(line, '2024-02-09'), '2024-01-31 2024-02-10', `${name}: scheduled, the window knows its end`)
    t.equal(windowAt(line, '2024-02-10'), next, name)
  }
})

test('a change on a boundary of both grids is just a boundary', async t => {
  const line = timeline([term('2024-01-31', '2024-02-29'), term('2024-02-29', null, { reset: 'day' }, anchor('2024-01-31'))])
  t.equal(windowAt(line, '2024-02-28'), '2024-01-31 2024-02-29')
  t.equal(windowAt(line, '2024-02-29'), '2024-02-29 2024-03-01')
})

test('whoever cancels and comes back with the same plan and anchor finds the usage of that window', async t => {
  const anchored = anchor('2024-01-31')
  const line = timeline([term('2024-01-31', '2024-02-05'), term('2024-02-10', null, limit(50), anchored)])
  for (const at of ['2024-02-04', '2024-02-07', '2024-02-10', '2024-02-28']) t.equal(windowAt(line, at), '2024-01-31 2024-02-29', at)
  t.equal(line.grantAt(Date.parse('2024-02-07')), null)
})

test('whoever comes back on another grid starts afresh on return, not when the old plan ended', async t => {
  const line = timeline([term('2024-01-31', '2024-02-05'), term('2024-02-10', null)])
  t.equal(windowAt(line, '2024-02-07'), '2024-01-31 2024-02-10')
  t.equal(windowAt(line, '2024-02-10'), '2024-02-10 2024-03-10')
})

test('going back to an earlier grid cuts again', async t => {
  const anchored = anchor('2024-01-31')
  const line = timeline([
    term('2024-01-31', '2024-02-05'), term('2024-02-05', '2024-02-07', { reset: 'year' }, anchored), term('2024-02-07', null, {}, anchored)
  ])
  t.same(line.windowsBack(Date.parse('2024-02-29'), 9, Date.parse('2024-02-01')).map(text),
    ['2024-02-07 2024-02-29', '2024-02-05 2024-02-07', '2024-01-31 2024-02-05'])
})

test('a larger plan held beside the base plan brings its own grid, and takes it away again', async t => {
  const line = timeline([term('2024-01-31', null, limit(10)), term('2024-02-05', '2024-02-20', limit(90))])
  t.equal(windowAt(line, '2024-02-01'), '2024-01-31 2024-02-05')
  t.equal(windowAt(line, '2024-02-06'), '2024-02-05 2024-02-20')
  t.equal(windowAt(line, '2024-02-25'), '2024-02-20 2024-02-29')
})

test('an add-on held beside the base plan keeps the window, whatever grid it has', async t => {
  const addon = { ...limit(5), combine: 'sum', reset: 'day' } as const
  const line = timeline([term('2024-01-31', null, limit(10)), term('2024-02-05', '2024-02-20', addon)])
  for (const at of ['2024-02-01', '2024-02-06', '2024-02-25']) t.equal(windowAt(line, at), '2024-01-31 2024-02-29', at)
  t.equal(line.grantAt(Date.parse('2024-02-06'))?.limit, amountOf(15))
})

test('what never resets takes in all time up to a cut, and starts at a cut', async t => {
  const line = timeline([term('2024-01-31', '2024-02-10', { reset: 'never' }), term('2024-02-10', null, { reset: 'never', aggregate: 'max' })])
  t.equal(windowAt(line, '2020-01-01'), '1970-01-01 2024-02-10')
  t.equal(windowAt(line, '2024-02-10'), '2024-02-10 never')
})

test('who cancels and comes back, from another zone even, finds a lifetime allowance as it was', async t => {
  const line = timeline([term('2024-01-31', '2024-02-10', { reset: 'never' }),
    term('2024-03-10', null, { reset: 'never' }, anchor('2024-03-10', 'Asia/Tokyo'))])
  t.equal(windowAt(line, '2024-04-01'), '1970-01-01 never')
})

test('a past window is judged by the limit at its end, or by the last one held in it', async t => {
  const anchored = anchor('2024-01-31')
  const line = timeline([term('2024-01-31', '2024-02-10', limit(1)), term('2024-02-10', '2024-03-31', limit(2), anchored),
    term('2024-03-31', '2024-04-10', limit(3), anchored), term('2024-06-10', '2024-06-20', limit(4), anchored)])
  const limitIn = (at: string): unknown => line.grantAtEnd(line.windowAt(Date.parse(at)))?.limit
  t.equal(limitIn('2023-05-05'), amountOf(1), 'before the first subscription')
  t.equal(limitIn('2024-02-01'), amountOf(2), 'at the end')
  t.equal(limitIn('2024-03-01'), amountOf(2), 'not the one that starts at the end')
  t.equal(limitIn('2024-04-20'), amountOf(3), 'ends in a gap')
  t.equal(limitIn('2024-05-10'), undefined, 'none was held')
  t.equal(limitIn('2024-06-01'), amountOf(4), 'begins and ends in gaps')
  const forever = timeline([term('2024-01-31', '2024-02-10', { ...limit(5), reset: 'never' })])
  t.equal(forever.grantAtEnd(forever.windowAt(Date.parse('2025-01-01')))?.limit, amountOf(5), 'never ends')
})

test('past windows are listed newest first, in pages', async t => {
  const line = timeline([term('2024-01-31', null)])
  const page = line.windowsBack(Date.parse('2024-05-05'), 2, Date.parse('2024-01-31'))
  t.same(page.map(text), ['2024-04-30 2024-05-31', '2024-03-31 2024-04-30'])
  t.same(line.windowsBack(page[1]!.start, 9, Date.parse('2024-02-01')).map(text), ['2024-02-29 2024-03-31', '2024-01-31 2024-02-29'])
  t.same(line.windowsBack(Date.parse('2024-02-29'), 9, Date.parse('2024-01-31')).map(text), ['2024-01-31 2024-02-29'])
  t.same(line.windowsBack(Date.parse('2024-02-29'), 0, 0), [])
  t.same(line.windowsBack(Date.parse('2024-02-29'), 9, Date.parse('2024-02-29')), [])
  t.equal(line.windowsBack(Date.parse('1970-03-01'), 99, -Infinity).length, 3, 'none before the earliest instant')
})

// Random schedules. What each property says holds for any schedule, so a failure is a bug, not a missing case.

const FROM = Date.UTC(2023, 0, 1)
const DAYS = 800
/** Hours mostly, so that starts, ends and boundaries meet; odd milliseconds sometimes. */
const instant = fc.tuple(fc.integer({ min: 0, max: DAYS }), fc.constantFrom(0, 0, 0, 1, 2, 3, 13.5, 12.3456))
  .map(([day, hour]) => FROM + day * DAY + Math.floor(hour * DAY / 24))
const zone = fc.constantFrom('UTC', 'UTC', 'UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe')
/** Few values each: grids must often be equal for a schedule to say something. */
const anchored = fc.constantFrom<Array<'start' | Instant | null>>('start', 'start', null, Date.parse('2023-01-31T01:30Z'), Date.parse('2024-03-31T01:30Z'))
const shape = fc.record({
  start: instant,
  length: fc.constantFrom(0, 1, 20, 31, 31, 90, 400, null),
  anchored,
  timeZone: zone,
  limit: fc.constantFrom(null, 0n, amountOf(10), amountOf(10), amountOf(20)),
  overage: fc.boolean(),
  reset: fc.constantFrom<Reset[]>('hour', 'day', 'week', 'month', 'month', 'month', 'quarter', 'year', 'never'),
  aggregate: fc.constantFrom<Aggregate[]>('sum', 'sum', 'sum', 'max'),
  combine: fc.constantFrom<Combine[]>('highest', 'highest', 'sum')
})
const schedule = fc.array(shape, { maxLength: 4 }).map(shapes => shapes.map(
  ({ start, length, anchored, timeZone, ...entitlement }, index): Term => ({
    subscription: index + 1,
    start,
    end: length === null ? null : start + length * DAY,
    anchor: { at: anchored === 'start' ? start : anchored, timeZone },
    entitlement: { ...MONTHLY, ...entitlement }
  })))

test(`windows partition time: they touch, and each instant in one finds that one (${SCHEDULES} schedules)`, async t => {
  fc.assert(fc.property(schedule, instant, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (terms, at, fraction) => {
    const line = timeline(terms)
    const same = (window: Window, instant: Instant): boolean => isDeepStrictEqual(line.windowAt(instant), window)
    let window = line.windowAt(at)
    if (at < window.start || (window.end !== null && at >= window.end)) return false
    const back = line.windowsBack(at + 1, 3, TIME_BEGIN)
    if (!isDeepStrictEqual(back[0], window) || back.some(({ start }, i) => i > 0 && start >= back[i - 1]!.start)) return false
    if (back.some(({ end }, i) => i > 0 && end !== back[i - 1]!.start)) return false
    for (let steps = 0; steps < 3; steps++) {
      const { start, end } = window
      const inside = start + Math.floor(fraction * ((end ?? start + 999 * DAY) - start))
      if (!same(window, start) || !same(window, inside)) return false
      if (end === null) return true
      window = line.windowAt(end)
      if (window.start !== end || !same({ start, end }, end - 1)) return false
    }
    return true
  }), { numRuns: SCHEDULES })
  t.pass()
})

/** Ends what is held at `from`, drops what would start later, and adds what of `future` starts later. */
function changedFrom (from: Instant, terms: readonly Term[], future: readonly Term[]): Term[] {
  const past = terms.filter(({ start }) => start < from).map(term => ({ ...term, end: Math.min(term.end ?? from, from) }))
  return [...past, ...future.filter(({ start }) => start >= from).map(term => ({ ...term, subscription: term.subscription + 10 }))]
}

test('a schedule changed from the next instant on leaves every past window and its limit as it was, ' +
  `and the current one its start (${SCHEDULES} pairs of schedules)`, async t => {
  let compared = 0
  fc.assert(fc.property(schedule, schedule, instant, (terms, future, sometime) => {
    const held = terms.filter(({ start, end }) => end === null || end > start)
    // What was not held yet has no past: before the first subscription that one decides.
    const now = Math.max(sometime, Math.min(...held.map(({ start }) => start)))
    if (!Number.isFinite(now)) return true
    const [before, after] = [timeline(terms), timeline(changedFrom(now + 1, terms, future))]
    const [current, ...past] = before.windowsBack(now + 1, 5, TIME_BEGIN)
    const [currentAfter, ...pastAfter] = after.windowsBack(now + 1, 5, TIME_BEGIN)
    compared += past.length
    return current?.start === currentAfter?.start && isDeepStrictEqual(past, pastAfter) &&
      isDeepStrictEqual(past.map(it => before.grantAtEnd(it)), past.map(it => after.grantAtEnd(it))) &&
      isDeepStrictEqual(before.grantAt(now), after.grantAt(now))
  }), { numRuns: SCHEDULES })
  t.ok(compared > SCHEDULES, 'enough past windows were compared')
})

/** The rule as the design words it, one breakpoint at a time. */
function windowByTheBook (terms: readonly Term[], at: Instant): Window {
  const points = [...new Set(terms.flatMap(({ start, end }) => end === null ? [start] : [start, end]))].sort((a, b) => a - b)
  const grants = points
    .map(from => ({ from, grant: combine(terms.filter(({ start, end }) => start <= from && from < (end ?? Infinity))) }))
    .filter((each): each is { from: Instant, grant: Grant } => each.grant !== null)
  const cuts = grants.filter(({ grant }, i) => i > 0 && four(grant) !== four(grants[i - 1]!.grant)).map(({ from }) => from)
  const decides = grants.findLast(({ from }) => from <= at) ?? grants[0]
  if (decides === undefined) return { start: TIME_BEGIN, end: null }
  const { start, end } = windowOf(decides.grant, at)
  const nextEnd = Math.min(end ?? Infinity, cuts.find(cut => cut > at) ?? Infinity)
  return { start: Math.max(start, cuts.findLast(cut => cut <= at) ?? start), end: nextEnd === Infinity ? null : nextEnd }
}

/** Where nothing resets there are no boundaries to count, and the anchor and its zone say nothing (docs/adr/0005). */
function four ({ reset, anchor, aggregate }: Grant): string {
  return JSON.stringify(reset === 'never' ? [reset, aggregate] : [reset, anchor.at, anchor.timeZone, aggregate])
}

test(`a window ends at a boundary of its grid, or where reset, anchor, zone or aggregate change (${BY_THE_BOOK} schedules)`, async t => {
  fc.assert(fc.property(schedule, instant, (terms, at) => isDeepStrictEqual(timeline(terms).windowAt(at), windowByTheBook(terms, at))),
    { numRuns: BY_THE_BOOK })
  t.pass()
})
