import type { Instant } from '../domain/entitlement.ts'
import { clockUnusedSince } from '../domain/test-clock.ts'
import type { Stores } from '../storage/stores.ts'
import { pageByPage } from './loop.ts'

/** What was under way in a clock when it was removed has ended by then: requests and statements are given up earlier. */
const REMOVED_QUIET_MS = 60_000
const PAGES_MAX = 1_000

/**
 * Removes test clocks that were not used for too long, and deletes what removed ones hold, page by page. It may run on every
 * replica, and stop anywhere: the next run goes on.
 * @param now the clock on the wall
 */
export async function sweepClocks ({ clocks }: Pick<Stores, 'clocks'>, now: Instant, signal?: AbortSignal): Promise<void> {
  await clocks.expire(clockUnusedSince(now), now)
  await pageByPage(async () => await clocks.purge(now - REMOVED_QUIET_MS), PAGES_MAX, signal)
}
