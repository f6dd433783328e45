import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { test } from 'tap'
import { Temporal } from 'temporal-polyfill'
import type { Instant, Reset } from '../../src/domain/entitlement.ts'
import { boundary, TIME_BEGIN, TIME_END, timeZoneNamed, windowOf, type Grid, type Window } from '../../src/domain/period.ts'

type Unit = Exclude<Reset, 'never'>
type Boundaries = Grid & { reset: Unit }

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const UNITS: Unit[] = ['hour', 'day', 'week', 'month', 'quarter', 'year']
const ZONES = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'Asia/Kathmandu', 'Pacific/Apia',
  'America/Sao_Paulo', 'America/St_Johns', 'Antarctica/Casey', 'Africa/Casablanca']

function from (anchor: string, reset: Unit, timeZone = 'UTC'): Boundaries {
  return { reset, anchor: { at: Date.parse(anchor), timeZone } }
}

function calendar (reset: Unit, timeZone: string): Boundaries {
  return { reset, anchor: { at: null, timeZone } }
}

/** As a clock on the wall there shows it. */
function local (at: Instant | null, timeZone: string): string {
  return at === null ? 'never' : Temporal.Instant.fromEpochMilliseconds(at).toString({ timeZone, smallestUnit: 'minute' })
}

function boundaries (grid: Boundaries, first: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => local(boundary(grid, first + i), grid.anchor.timeZone))
}

function windowText (grid: Grid, at: string): string[] {
  const { start, end } = windowOf(grid, Date.parse(at))
  return [start, end].map(instant => local(instant, grid.anchor.timeZone))
}

test('a month from the 31st ends on the last day of a short month, and is back on the 31st after it', async t => {
  const dates = (grid: Boundaries, first: number, count: number): string => boundaries(grid, first, count).map(d => d.slice(0, 10)).join(' ')
  t.equal(dates(from('2023-10-31T10:00Z', 'month'), 0, 7),
    '2023-10-31 2023-11-30 2023-12-31 2024-01-31 2024-02-29 2024-03-31 2024-04-30')
  t.equal(dates(from('2025-01-31T10:00Z', 'month'), 0, 3), '2025-01-31 2025-02-28 2025-03-31')
  t.equal(dates(from('2025-01-30T10:00Z', 'month'), 0, 3), '2025-01-30 2025-02-28 2025-03-30')
  t.equal(dates(from('2025-01-31T10:00Z', 'month'), -3, 3), '2024-10-31 2024-11-30 2024-12-31')
  t.equal(dates(from('2024-02-29T10:00Z', 'month'), 0, 3), '2024-02-29 2024-03-29 2024-04-29')
  t.equal(dates(from('2023-08-31T10:00Z', 'quarter'), 0, 4), '2023-08-31 2023-11-30 2024-02-29 2024-05-31')
})

test('a year from 29 February ends on the 28th, and on the 29th in leap years; 2100 is none', async t => {
  const grid = from('2024-02-29T23:59Z', 'year')
  const days = (first: number, count: number): string => boundaries(grid, first, count).map(d => d.slice(0, 10)).join(' ')
  t.equal(days(-4, 5), '2020-02-29 2021-02-28 2022-02-28 2023-02-28 2024-02-29')
  t.equal(days(1, 4), '2025-02-28 2026-02-28 2027-02-28 2028-02-29')
  t.equal(days(76, 1), '2100-02-28')
})

test('an instant before the anchor lies in a window counted backwards from it', async t => {
  t.same(windowText(from('2024-03-31T10:00Z', 'month'), '2023-03-23T00:00Z'), ['2023-02-28T10:00+00:00', '2023-03-31T10:00+00:00'])
  t.same(windowText(from('2024-03-31T10:00Z', 'week'), '2024-03-31T09:59Z'), ['2024-03-24T10:00+00:00', '2024-03-31T10:00+00:00'])
  t.same(windowText(from('2024-03-31T10:15Z', 'hour'), '2024-03-31T10:14Z'), ['2024-03-31T09:15+00:00', '2024-03-31T10:15+00:00'])
  t.same(windowText(from('2024-03-31T10:00Z', 'year'), '1970-01-01T00:00Z'), ['1969-03-31T10:00+00:00', '1970-03-31T10:00+00:00'])
})

test('a window contains its start and not its end', async t => {
  const grid = from('2024-01-31T10:00Z', 'month')
  t.same(windowText(grid, '2024-02-29T09:59:59.999Z'), ['2024-01-31T10:00+00:00', '2024-02-29T10:00+00:00'])
  t.same(windowText(grid, '2024-02-29T10:00Z'), ['2024-02-29T10:00+00:00', '2024-03-31T10:00+00:00'])
})

test('a local time that the clocks skip moves forward on that day only; of one that comes twice it is the first', async t => {
  t.same(boundaries(from('2024-03-30T02:30+01:00', 'day', 'Europe/Berlin'), 0, 3),
    ['2024-03-30T02:30+01:00', '2024-03-31T03:30+02:00', '2024-04-01T02:30+02:00'])
  t.same(boundaries(from('2024-10-26T02:30+02:00', 'day', 'Europe/Berlin'), 0, 3),
    ['2024-10-26T02:30+02:00', '2024-10-27T02:30+02:00', '2024-10-28T02:30+01:00'])
  t.same(boundaries(from('2024-03-03T02:30-05:00', 'week', 'America/New_York'), 0, 3),
    ['2024-03-03T02:30-05:00', '2024-03-10T03:30-04:00', '2024-03-17T02:30-04:00'])
  t.same(boundaries(from('2024-09-03T01:30-04:00', 'month', 'America/New_York'), 1, 3),
    ['2024-10-03T01:30-04:00', '2024-11-03T01:30-04:00', '2024-12-03T01:30-05:00'])
  t.same(boundaries(from('2024-10-05T02:15+10:30', 'day', 'Australia/Lord_Howe'), 0, 3),
    ['2024-10-05T02:15+10:30', '2024-10-06T02:45+11:00', '2024-10-07T02:15+11:00'])
  t.same(boundaries(from('2024-04-06T01:45+11:00', 'day', 'Australia/Lord_Howe'), 0, 3),
    ['2024-04-06T01:45+11:00', '2024-04-07T01:45+11:00', '2024-04-08T01:45+10:30'])
})

test('a subscription that starts in the second of two equal hours has its first window start there', async t => {
  const grid = from('2024-10-27T02:30+01:00', 'day', 'Europe/Berlin')
  t.same(windowText(grid, '2024-10-27T02:30+01:00'), ['2024-10-27T02:30+01:00', '2024-10-28T02:30+01:00'])
  t.same(windowText(grid, '2024-10-27T02:30+02:00'), ['2024-10-26T02:30+02:00', '2024-10-27T02:30+01:00'])
})

test('calendar windows begin where the local day, ISO week, month, quarter and year begin', async t => {
  const berlin = (reset: Unit): string[] => windowText(calendar(reset, 'Europe/Berlin'), '2024-03-31T12:00+02:00')
  t.same(berlin('day'), ['2024-03-31T00:00+01:00', '2024-04-01T00:00+02:00'], '23 hours long')
  t.same(berlin('week'), ['2024-03-25T00:00+01:00', '2024-04-01T00:00+02:00'], 'from Monday')
  t.same(berlin('month'), ['2024-03-01T00:00+01:00', '2024-04-01T00:00+02:00'])
  t.same(berlin('quarter'), ['2024-01-01T00:00+01:00', '2024-04-01T00:00+02:00'])
  t.same(berlin('year'), ['2024-01-01T00:00+01:00', '2025-01-01T00:00+01:00'])
  t.same(windowText(calendar('day', 'Asia/Kathmandu'), '2024-05-05T20:00Z'), ['2024-05-06T00:00+05:45', '2024-05-07T00:00+05:45'])
  t.same(windowText(calendar('day', 'America/Sao_Paulo'), '2018-11-04T12:00Z'), ['2018-11-04T01:00-02:00', '2018-11-05T00:00-02:00'],
    'midnight was skipped')
  t.same(windowText(calendar('week', 'UTC'), '1970-01-01T00:00Z'), ['1969-12-29T00:00+00:00', '1970-01-05T00:00+00:00'])
})

test('calendar hours are full local hours; where the clocks shift by half an hour they stay 60 minutes', async t => {
  t.same(windowText(calendar('hour', 'Asia/Kolkata'), '2024-05-05T10:40+05:30'), ['2024-05-05T10:00+05:30', '2024-05-05T11:00+05:30'])
  t.same(windowText(calendar('hour', 'Asia/Kathmandu'), '2024-05-05T10:59+05:45'), ['2024-05-05T10:00+05:45', '2024-05-05T11:00+05:45'])
  t.same(windowText(calendar('hour', 'Europe/Berlin'), '2024-10-27T02:30+01:00'), ['2024-10-27T02:00+01:00', '2024-10-27T03:00+01:00'])
  t.same(windowText(calendar('hour', 'Australia/Lord_Howe'), '2024-12-05T10:40+11:00'), ['2024-12-05T10:00+11:00', '2024-12-05T11:00+11:00'])
  t.same(windowText(calendar('hour', 'Australia/Lord_Howe'), '2024-07-05T10:40+10:30'), ['2024-07-05T10:30+10:30', '2024-07-05T11:30+10:30'])
})

test('hours from an anchor are 60 elapsed minutes, also when the clocks change', async t => {
  const grid = from('2024-03-30T22:30+01:00', 'hour', 'Europe/Berlin')
  t.same(boundaries(grid, 3, 3), ['2024-03-31T01:30+01:00', '2024-03-31T03:30+02:00', '2024-03-31T04:30+02:00'])
  t.same(windowText(grid, '2024-03-31T03:00+02:00'), ['2024-03-31T01:30+01:00', '2024-03-31T03:30+02:00'])
})

test('the day that Samoa left out has no window, and the windows around it touch', async t => {
  const grid = from('2011-12-28T10:00-10:00', 'day', 'Pacific/Apia')
  t.same(boundaries(grid, 1, 4),
    ['2011-12-29T10:00-10:00', '2011-12-31T10:00+14:00', '2011-12-31T10:00+14:00', '2012-01-01T10:00+14:00'])
  t.same(windowText(grid, '2011-12-29T23:59-10:00'), ['2011-12-29T10:00-10:00', '2011-12-31T10:00+14:00'])
  t.same(windowText(grid, '2011-12-31T10:00+14:00'), ['2011-12-31T10:00+14:00', '2012-01-01T10:00+14:00'])
  const days = calendar('day', 'Pacific/Apia')
  t.same(windowText(days, '2011-12-29T23:59-10:00'), ['2011-12-29T00:00-10:00', '2011-12-31T00:00+14:00'])
  t.same(windowText(days, '2011-12-31T00:00+14:00'), ['2011-12-31T00:00+14:00', '2012-01-01T00:00+14:00'])
  t.same(windowText(from('2011-12-30T00:00Z', 'day', 'Pacific/Apia'), '2030-05-05T02:00Z')[0], '2030-05-05T14:00+13:00')
})

test('what never resets has one window, from the earliest instant there is', async t => {
  for (const at of [null, Date.parse('2024-01-31T00:00Z')]) {
    t.same(windowOf({ reset: 'never', anchor: { at, timeZone: 'UTC' } }, TIME_BEGIN), { start: TIME_BEGIN, end: null })
  }
})

test('time zones are IANA names; offsets, timestamps and unknown names are refused', async t => {
  const names = ['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'US/Eastern', 'Etc/GMT+1', ...Intl.supportedValuesOf('timeZone')]
  t.same(names.filter(name => timeZoneNamed(name) !== name), [])
  t.same(['europe/berlin', 'utc', 'us/EASTERN'].map(timeZoneNamed), ['Europe/Berlin', 'UTC', 'US/Eastern'])
  const others = ['', ' ', 'Z', '+01:00', '-0530', '+01', 'GMT+1', 'UTC+1', 'Mars/Olympus', 'Europe/Berlin ', 'calendar', 'Europe/Berlin\0',
    '2024-01-01T00:00[Europe/Berlin]', '2024-01-01T00:00Z']
  t.same(others.filter(name => timeZoneNamed(name) !== undefined), [])
})

const unit = fc.constantFrom(...UNITS)
const instant = fc.integer({ min: TIME_BEGIN, max: Date.UTC(2080, 0, 1) })
const zone = fc.oneof(fc.constant('UTC'), fc.constantFrom(...ZONES))
const anchorAt = fc.oneof(instant, fc.constantFrom('2024-01-31T10:00Z', '2024-02-29T00:00Z', '2011-12-30T10:00Z', '2024-10-27T01:30Z',
  '2024-03-31T01:30Z', '2024-03-10T02:30-05:00').map(Date.parse))

function isWindowAt ({ start, end }: Window, at: Instant): boolean {
  return start <= at && end !== null && at < end
}

test('the n-th boundary is n units after the anchor as Temporal counts them, in UTC and elsewhere (5,000 cases)', async t => {
  const plural = { hour: ['hours', 1], day: ['days', 1], week: ['weeks', 1], month: ['months', 1], quarter: ['months', 3], year: ['years', 1] } as const
  fc.assert(fc.property(unit, anchorAt, zone, fc.integer({ min: -400, max: 400 }), (reset, at, timeZone, n) => {
    const [name, factor] = plural[reset]
    const expected = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone).add({ [name]: n * factor })
    return boundary({ reset, anchor: { at, timeZone } }, n) === expected.epochMilliseconds
  }), { numRuns: 5000 })
  t.pass()
})

test('a month, quarter or year begins on the day and time of its anchor, or on the last day of a short month, ' +
  'and later in the day only where the clocks skip that time (5,000 cases)', async t => {
  const since1990 = anchorAt.filter(at => at > Date.UTC(1990, 0, 1))
  const reset = fc.constantFrom('month' as const, 'quarter' as const, 'year' as const)
  fc.assert(fc.property(reset, since1990, zone, fc.integer({ min: -20, max: 40 }), (reset, at, timeZone, n) => {
    const [first, nth] = [at, boundary({ reset, anchor: { at, timeZone } }, n)]
      .map(instant => Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(timeZone)) as
      [Temporal.ZonedDateTime, Temporal.ZonedDateTime]
    const isDay = nth.day === first.day || (nth.day < first.day && nth.day === nth.daysInMonth)
    const meant = nth.toPlainDate().toPlainDateTime(first.toPlainTime())
    const moved = Temporal.PlainDateTime.compare(nth.toPlainDateTime(), meant)
    return isDay && (moved === 0 || (moved > 0 && isSkipped(meant, timeZone)))
  }), { numRuns: 5000 })
  t.pass()
})

function isSkipped (local: Temporal.PlainDateTime, timeZone: string): boolean {
  return !local.toZonedDateTime(timeZone).toPlainDateTime().equals(local)
}

/** Steps from the anchor, one unit at a time, as no server should. */
function steppedWindow (unit: 'days' | 'weeks' | 'months', size: number, anchor: Instant, timeZone: string, at: Instant): Window {
  const first = Temporal.Instant.fromEpochMilliseconds(anchor).toZonedDateTimeISO(timeZone)
  const nth = (n: number): Instant => n === 0
    ? anchor
    : first.toPlainDate().add({ [unit]: n * size }).toZonedDateTime({ timeZone, plainTime: first.toPlainTime() }).epochMilliseconds
  let n = 0
  while (nth(n) > at) n -= 1
  while (nth(n + 1) <= at) n += 1
  return { start: nth(n), end: nth(n + 1) }
}

test('a window is the one that stepping from date to date finds (3,000 anchored cases)', async t => {
  const kinds = [['day', 'days', 1, 1], ['week', 'weeks', 1, 7], ['month', 'months', 1, 31], ['quarter', 'months', 3, 92], ['year', 'months', 12, 366]] as const
  fc.assert(fc.property(fc.constantFrom(...kinds), anchorAt, zone, fc.integer({ min: -12_000, max: 12_000 }),
    ([reset, unit, size, days], anchor, timeZone, thousandths) => {
      const at = anchor + Math.floor(thousandths / 1000 * days * DAY)
      const window = windowOf({ reset, anchor: { at: anchor, timeZone } }, at)
      return isDeepStrictEqual(window, steppedWindow(unit, size, anchor, timeZone, at))
    }), { numRuns: 3000 })
  t.pass()
})

/** From the local date of `at`, without an anchor. */
function calendarWindow (reset: Unit, timeZone: string, at: Instant): Window {
  const day = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone).toPlainDate()
  const quarter = day.with({ day: 1, month: day.month - (day.month - 1) % 3 })
  const [first, next] = {
    hour: [day, day],
    day: [day, day.add({ days: 1 })],
    week: [day.subtract({ days: day.dayOfWeek - 1 }), day.add({ days: 8 - day.dayOfWeek })],
    month: [day.with({ day: 1 }), day.with({ day: 1 }).add({ months: 1 })],
    quarter: [quarter, quarter.add({ months: 3 })],
    year: [day.with({ day: 1, month: 1 }), day.with({ day: 1, month: 1, year: day.year + 1 })]
  }[reset]
  return { start: first!.toZonedDateTime(timeZone).epochMilliseconds, end: next!.toZonedDateTime(timeZone).epochMilliseconds }
}

test('a calendar window is that of the local date (3,000 cases)', async t => {
  fc.assert(fc.property(fc.constantFrom(...UNITS.slice(1)), zone, instant, (reset, timeZone, at) =>
    isDeepStrictEqual(windowOf(calendar(reset, timeZone), at), calendarWindow(reset, timeZone, at))
  ), { numRuns: 3000 })
  t.pass()
})

test('every instant up to the year 9999 lies in its window, and neighbours touch (5,000 cases)', async t => {
  const later = fc.integer({ min: TIME_BEGIN, max: TIME_END - 1 })
  fc.assert(fc.property(unit, fc.option(anchorAt), zone, fc.oneof(instant, later), (reset, anchor, timeZone, at) => {
    const grid = { reset, anchor: { at: anchor, timeZone } }
    const window = windowOf(grid, at)
    if (!isWindowAt(window, at)) return false
    return windowOf(grid, window.start - 1).end === window.start && windowOf(grid, window.end!).start === window.end
  }), { numRuns: 5000 })
  t.pass()
})
