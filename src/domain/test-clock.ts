import type { Instant } from './entitlement.ts'

/** A test clock that no call has named for so long is deleted, with everything in it. */
export const CLOCK_UNUSED_DAYS_MAX = 30
/** In one environment. Enough for thirteen an hour, each left to expire. */
export const CLOCKS_MAX = 10_000

const DAY_MS = 24 * 3_600_000

/** @param lastUsedAt by the clock on the wall: a test clock's own time may stand still for ever */
export function clockExpiresAt (lastUsedAt: Instant): Instant {
  return lastUsedAt + CLOCK_UNUSED_DAYS_MAX * DAY_MS
}

/** Clocks last used before it have expired. */
export function clockUnusedSince (now: Instant): Instant {
  return now - CLOCK_UNUSED_DAYS_MAX * DAY_MS
}
