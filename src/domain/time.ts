import { TollgateError } from '../errors.ts'
import type { Instant } from './entitlement.ts'
import { TIME_BEGIN } from './period.ts'

/** Clocks differ, and a caller's may be ahead of ours: this much of the future is accepted. */
export const AHEAD_MAX_MS = 5 * 60_000

/** The end of year 9999: what is later has no RFC 3339 text. */
export const LAST_INSTANT: Instant = Date.UTC(10_000, 0) - 1

/** Time can be frozen before this: the windows of then, which last a year at most, still end before year 10000. */
export const FROZEN_BEFORE: Instant = Date.UTC(9998, 0)

/** Clocks of replicas differ by no more, on a bad day. */
export const CLOCK_SKEW_MAX_MS = 500

const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/
/** How Go writes an unset time; Tier's clients send it. */
const GO_ZERO = '0001-01-01T00:00:00Z'

/**
 * Reads an RFC 3339 instant, cut to milliseconds. Absent, null and Go's zero time are null.
 * @throws TollgateError `invalid_request`, naming `pointer`
 */
export function parseInstant (text: string | null | undefined, pointer: string): Instant | null {
  if (text === undefined || text === null || text === GO_ZERO) return null
  const match = RFC3339.exec(text)
  const at = match === null ? undefined : instantOf(match)
  if (at === undefined) {
    throw new TollgateError('invalid_request', `${nameOf(pointer)} must be an RFC 3339 time such as 2026-01-31T12:00:00Z`, { pointer })
  }
  if (at < TIME_BEGIN) {
    throw new TollgateError('invalid_request', `${nameOf(pointer)} must not be before 1970-01-01T00:00:00Z`, { pointer })
  }
  if (at > LAST_INSTANT) {
    throw new TollgateError('invalid_request', `${nameOf(pointer)} must not be after 9999-12-31T23:59:59.999Z`, { pointer })
  }
  return at
}

function instantOf ([, year, month, day, hour, minute, second, fraction = '', sign, offsetHour, offsetMinute]: RegExpExecArray): Instant | undefined {
  const local = Date.UTC(Number(year), Number(month) - 1, Number(day))
  const date = new Date(local)
  const exists = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day) && Number(year) >= 100
  if (!exists || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  if (Number(offsetHour ?? 0) > 23 || Number(offsetMinute ?? 0) > 59) return undefined
  const offset = (Number(offsetHour ?? 0) * 60 + Number(offsetMinute ?? 0)) * (sign === '-' ? -60_000 : 60_000)
  const time = (Number(hour) * 3_600 + Number(minute) * 60 + Number(second)) * 1_000
  return local + time + Number(fraction.padEnd(3, '0').slice(0, 3)) - offset
}

/**
 * The instant of use: the given one, else now.
 * @throws TollgateError `invalid_request` if it is more than five minutes ahead
 */
export function instantOfUse (at: Instant | null, now: Instant, pointer = '/at'): Instant {
  if (at === null) return now
  if (at > now + AHEAD_MAX_MS) {
    throw new TollgateError('invalid_request',
      `at must be at most 5 minutes ahead of ${new Date(now).toISOString()}`, { pointer })
  }
  return at
}

function nameOf (pointer: string): string {
  return pointer.slice(1)
}
