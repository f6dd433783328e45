import type { Instant } from '../domain/entitlement.ts'
import { keptSince } from '../operations/idempotency.ts'
import type { Stores } from '../storage/stores.ts'
import { pageByPage } from './loop.ts'

const PAGES_MAX = 1_000

/**
 * Deletes keys that count no more, page by page. It may run on every replica, and stop anywhere.
 * @param now the clock on the wall
 */
export async function sweepIdempotencyKeys (
  { idempotencyKeys }: Pick<Stores, 'idempotencyKeys'>, now: Instant, signal?: AbortSignal
): Promise<void> {
  await pageByPage(async () => await idempotencyKeys.sweep(keptSince(now)), PAGES_MAX, signal)
}
