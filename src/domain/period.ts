import { Temporal } from 'temporal-polyfill'
import type { Anchor, Instant, Reset } from './entitlement.ts'

/**
 * The earliest instant Tollgate accepts, and the start of a window that never resets: a lifetime total must take in
 * late reports, also those of uses from before the org was created here.
 */
export const TIME_BEGIN: Instant = 0
/** Instants lie before this one: RFC 3339 has four digits for the year. The end of a window may lie past it. */
export const TIME_END: Instant = Date.UTC(10_000, 0, 1)

/** Evenly spaced boundaries: one every `reset`, counted from `anchor`. */
export interface Grid {
  readonly reset: Reset
  readonly anchor: Anchor
}

type Unit = Exclude<Reset, 'never'>

/** Half-open: `start` belongs to it, `end` does not; `end` null: it never resets. */
export interface Window {
  readonly start: Instant
  readonly end: Instant | null
}

/**
 * What the clocks on a zone's walls show, as the epoch milliseconds at which clocks in UTC show the same: dates can
 * then be counted without a zone.
 */
type WallTime = number

const HOUR = 3_600_000
const DAY = 24 * HOUR
/**
 * The calendar is a grid like any other, anchored at local midnight of 2024-01-01: a Monday on which a day, an ISO
 * week, a month, a quarter and a year begin.
 */
const CALENDAR_ORIGIN: WallTime = Date.UTC(2024, 0, 1)
const DAYS = { day: 1, week: 7 } as const
const MONTHS = { month: 1, quarter: 3, year: 12 } as const

/**
 * The n-th boundary, `n` any integer for which the year has 3 to 6 digits; the 0th is the anchor itself.
 *
 * Always counted from the anchor, so that a short month does not move the months after it (31 Jan, 29 Feb, 31 Mar).
 * Days and longer units are counted on the zone's clocks: a time that is skipped there moves forward by what was
 * skipped, of a time that comes twice it is the first. A day that a zone left out altogether gives the same instant
 * as the next day.
 *
 * An hour is 60 elapsed minutes. Calendar hours are counted from the calendar's origin, so a zone whose offset shifts
 * by half an hour (Australia/Lord_Howe in winter, Asia/Kathmandu before 1986) has them begin past the full local hour.
 */
export function boundary (grid: Grid & { readonly reset: Unit }, n: number): Instant {
  return boundaryFrom(originOf(grid.anchor), grid, n)
}

/**
 * The window of a grid that contains `at`. Two boundaries may coincide; the empty window between them contains
 * nothing and is never the answer.
 * @param at from `TIME_BEGIN` to `TIME_END`
 */
export function windowOf (grid: Grid, at: Instant): Window {
  const { reset, anchor } = grid
  if (reset === 'never') return { start: TIME_BEGIN, end: null }
  if (reset === 'hour') return hourOf(anchor, at)
  const origin = originOf(anchor)
  const nth = (n: number): Instant => boundaryFrom(origin, { reset, anchor }, n)
  // Exact in UTC. Elsewhere clocks differ from UTC by less than a day, so it is at most one unit off, or two where a
  // day was left out: that bounds the steps below.
  let n = unitsBetween(origin, at, reset)
  let start = nth(n)
  let end = nth(n + 1)
  while (start > at) {
    n -= 1
    end = start
    start = nth(n)
  }
  while (end <= at) {
    n += 1
    start = end
    end = nth(n + 1)
  }
  return { start, end }
}

/**
 * An IANA name that this runtime knows, in any case, also an alias such as `US/Eastern`. Offsets such as `+01:00` are
 * refused: they know no daylight saving, and whoever sends one rarely means that.
 * @returns the name as IANA writes it; undefined if it is none
 */
export function timeZoneNamed (name: string): string | undefined {
  // Temporal also reads offsets, and takes the zone out of a whole timestamp; both begin with a sign or a digit.
  if (!/^[A-Za-z]/.test(name)) return undefined
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name).timeZoneId
  } catch {
    return undefined
  }
}

function originOf ({ at, timeZone }: Anchor): WallTime {
  return at === null ? CALENDAR_ORIGIN : wallTimeAt(at, timeZone)
}

function boundaryFrom (origin: WallTime, { reset, anchor }: Grid & { readonly reset: Unit }, n: number): Instant {
  if (reset === 'hour') return firstHour(anchor) + n * HOUR
  // Not by way of the wall: an anchor may be the second of two equal local times.
  if (n === 0 && anchor.at !== null) return anchor.at
  return instantOf(shift(origin, reset, n), anchor.timeZone)
}

function firstHour ({ at, timeZone }: Anchor): Instant {
  return at ?? instantOf(CALENDAR_ORIGIN, timeZone)
}

function hourOf (anchor: Anchor, at: Instant): Window {
  const first = firstHour(anchor)
  const start = first + Math.floor((at - first) / HOUR) * HOUR
  return { start, end: start + HOUR }
}

function shift (wall: WallTime, unit: Exclude<Unit, 'hour'>, n: number): WallTime {
  if (unit === 'day' || unit === 'week') return wall + n * DAYS[unit] * DAY
  return shiftMonths(wall, n * MONTHS[unit])
}

/** Stays on the day of the month, or takes the month's last day. */
function shiftMonths (wall: WallTime, n: number): WallTime {
  const months = monthsOf(wall) + n
  const year = Math.floor(months / 12)
  const month = months - year * 12
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  const timeOfDay = wall - Math.floor(wall / DAY) * DAY
  return Date.UTC(year, month, Math.min(new Date(wall).getUTCDate(), lastDay)) + timeOfDay
}

/** The largest n for which `shift(from, unit, n)` is not after `to`. */
function unitsBetween (from: WallTime, to: WallTime, unit: Exclude<Unit, 'hour'>): number {
  if (unit === 'day' || unit === 'week') return Math.floor((to - from) / (DAYS[unit] * DAY))
  const n = Math.floor((monthsOf(to) - monthsOf(from)) / MONTHS[unit])
  return shift(from, unit, n) > to ? n - 1 : n
}

function monthsOf (wall: WallTime): number {
  const date = new Date(wall)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}

function wallTimeAt (at: Instant, timeZone: string): WallTime {
  if (timeZone === 'UTC') return at
  return at + Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone).offsetNanoseconds / 1e6
}

function instantOf (wall: WallTime, timeZone: string): Instant {
  if (timeZone === 'UTC') return wall
  const date = new Date(wall)
  const local = new Temporal.PlainDateTime(
    date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate(),
    date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds(), date.getUTCMilliseconds()
  )
  return local.toZonedDateTime(timeZone, { disambiguation: 'compatible' }).epochMilliseconds
}
