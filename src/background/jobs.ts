import type { Stores } from '../storage/stores.ts'
import { sweepClocks } from './clocks.ts'
import { purgeDeletedOrgs } from './deleted-orgs.ts'
import { sweepIdempotencyKeys } from './idempotency-keys.ts'
import { every, type Loop } from './loop.ts'
import { applyOrgImports, sweepOrgImports } from './org-imports.ts'
import { PRUNE_EVERY_MS, pruneEvents } from './retention.ts'
import { tidyReservations } from './reservations.ts'
import { type MappingPlace, mapSegmentEvents, sweepSegmentEvents } from './segment.ts'

/** Whoever needs their locks is refused until then. */
const END_ABANDONED_EVERY_MS = 5_000
const SWEEP_CLOCKS_EVERY_MS = 60_000
/** Soon, also after a start: what was deleted should be gone. */
const PURGE_ORGS_EVERY_MS = 5_000
const SWEEP_IDEMPOTENCY_KEYS_EVERY_MS = 60_000
/** Somebody waits for it. */
const APPLY_IMPORTS_EVERY_MS = 1_000
const SWEEP_IMPORTS_EVERY_MS = 60_000
const MAP_SEGMENT_EVENTS_EVERY_MS = 15_000
const SWEEP_SEGMENT_EVENTS_EVERY_MS = 600_000
/** Looks whether it is time, and is mostly told that it is not. */
const PRUNE_ASKED_EVERY_MS = PRUNE_EVERY_MS / 10
const TIDY_RESERVATIONS_EVERY_MS = 600_000

export interface JobsOptions {
  /** undefined: for ever */
  readonly eventsKeptDays: number | undefined
  /** Told how many were deleted for their age, page by page. */
  readonly eventsPruned: (events: number) => void
  /** Told how many were ended whose process was not heard of any more; not of none. */
  readonly transactionsAbandoned: (transactions: number) => void
  /** Told about failures that no caller hears of. */
  readonly warn: (error: unknown, message: string) => void
}

/** Everything that happens without being asked for. */
export function startJobs (stores: Stores, { eventsKeptDays, eventsPruned, transactionsAbandoned, warn }: JobsOptions): Loop {
  let mapped: MappingPlace | undefined
  const jobs = [
    every(END_ABANDONED_EVERY_MS, async () => {
      const ended = await stores.endAbandoned()
      if (ended > 0) transactionsAbandoned(ended)
    }, error => warn(error, 'abandoned transactions could not be looked for')),
    every(SWEEP_CLOCKS_EVERY_MS, async signal => await sweepClocks(stores, Date.now(), signal),
      error => warn(error, 'test clocks could not be swept')),
    every(PURGE_ORGS_EVERY_MS, async signal => await purgeDeletedOrgs(stores, signal),
      error => warn(error, 'deleted orgs could not be purged')),
    every(TIDY_RESERVATIONS_EVERY_MS, async signal => await tidyReservations(stores, Date.now(), signal),
      error => warn(error, 'reservations could not be tidied')),
    every(SWEEP_IDEMPOTENCY_KEYS_EVERY_MS, async signal => await sweepIdempotencyKeys(stores, Date.now(), signal),
      error => warn(error, 'old idempotency keys could not be swept')),
    every(APPLY_IMPORTS_EVERY_MS, async signal => await applyOrgImports(stores, signal),
      error => warn(error, 'orgs could not be imported')),
    every(SWEEP_IMPORTS_EVERY_MS, async signal => await sweepOrgImports(stores, Date.now(), signal),
      error => warn(error, 'imports of orgs could not be swept')),
    every(MAP_SEGMENT_EVENTS_EVERY_MS, async signal => { mapped = await mapSegmentEvents(stores, Date.now(), { from: mapped, signal }) },
      error => warn(error, 'events of Segment could not be counted')),
    every(SWEEP_SEGMENT_EVENTS_EVERY_MS, async signal => await sweepSegmentEvents(stores, Date.now(), signal),
      error => warn(error, 'old events of Segment could not be deleted')),
    ...(eventsKeptDays === undefined
      ? []
      : [every(PRUNE_ASKED_EVERY_MS, async signal => await pruneEvents(stores, {
          keptDays: eventsKeptDays, now: Date.now(), pruned: eventsPruned, signal
        }), error => warn(error, 'old events could not be deleted'))])
  ]
  return { stop: async () => { await Promise.all(jobs.map(async job => await job.stop())) } }
}
