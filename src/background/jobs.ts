import type { Stores } from '../storage/stores.ts'
import { sweepClocks } from './clocks.ts'
import { purgeDeletedOrgs } from './deleted-orgs.ts'
import { sweepIdempotencyKeys } from './idempotency-keys.ts'
import { every, type Loop } from './loop.ts'

const SWEEP_CLOCKS_EVERY_MS = 60_000
/** Soon, also after a start: what was deleted should be gone. */
const PURGE_ORGS_EVERY_MS = 5_000
const SWEEP_IDEMPOTENCY_KEYS_EVERY_MS = 60_000

/** Everything that happens without being asked for. @param warn told about failures that no caller hears of */
export function startJobs (stores: Stores, warn: (error: unknown, message: string) => void): Loop {
  const jobs = [
    every(SWEEP_CLOCKS_EVERY_MS, async signal => await sweepClocks(stores, Date.now(), signal),
      error => warn(error, 'test clocks could not be swept')),
    every(PURGE_ORGS_EVERY_MS, async signal => await purgeDeletedOrgs(stores, signal),
      error => warn(error, 'deleted orgs could not be purged')),
    every(SWEEP_IDEMPOTENCY_KEYS_EVERY_MS, async signal => await sweepIdempotencyKeys(stores, Date.now(), signal),
      error => warn(error, 'old idempotency keys could not be swept'))
  ]
  return { stop: async () => { await Promise.all(jobs.map(async job => await job.stop())) } }
}
