import type { Instant } from '../domain/entitlement.ts'
import type { Stores } from '../storage/stores.ts'

/** The replicas together delete once in this time; what one of them left undone is done the next time. */
export const PRUNE_EVERY_MS = 3_600_000
const DAY_MS = 86_400_000

export interface PruneOptions {
  readonly keptDays: number
  /** The clock on the wall. */
  readonly now: Instant
  /** Told how many were deleted, page by page. */
  readonly pruned: (events: number) => void
  readonly signal?: AbortSignal
}

/**
 * Deletes events whose instant of use is longer ago than they are kept, page by page. It may run on every replica, and
 * stop anywhere. That events may be gone is noted before the first one is.
 */
export async function pruneEvents ({ retention }: Pick<Stores, 'retention'>, { keptDays, now, pruned, signal }: PruneOptions): Promise<void> {
  const before = now - keptDays * DAY_MS
  if (before <= 0 || !await retention.claim(before, PRUNE_EVERY_MS)) return
  for (let after: number | null = 0; after !== null;) {
    const { found, next }: Awaited<ReturnType<Stores['retention']['old']>> = await retention.old(before, after)
    for (const old of found) {
      for (let deleted = 1; deleted > 0;) {
        if (signal?.aborted === true) return
        deleted = await retention.prune(old, before, now)
        if (deleted > 0) pruned(deleted)
      }
    }
    if (signal?.aborted === true) return
    after = next
  }
}
