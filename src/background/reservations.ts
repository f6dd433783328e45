import type { Instant } from '../domain/entitlement.ts'
import { keptSince } from '../domain/reservation.ts'
import type { Stores } from '../storage/stores.ts'
import { pageByPage } from './loop.ts'

const PAGES_MAX = 1_000

/**
 * Deletes reservations that expired long ago, page by page. They hold nothing since: nobody's figures change. It may run on every
 * replica, and stop anywhere: the next run goes on.
 * @param now the clock on the wall
 */
export async function tidyReservations ({ reservations }: Pick<Stores, 'reservations'>, now: Instant, signal?: AbortSignal): Promise<void> {
  await pageByPage(async () => await reservations.tidy(keptSince(now)), PAGES_MAX, signal)
}
