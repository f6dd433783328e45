import type { Stores } from '../storage/stores.ts'

/** In one run, so that its loop hears in between that it is to stop for good. */
const PAGES_MAX = 10_000

/**
 * Deletes what deleted orgs have used, page by page. It may run on every replica, and stop anywhere: the next run goes on,
 * also after a restart.
 */
export async function purgeDeletedOrgs ({ orgDeletion }: Pick<Stores, 'orgDeletion'>, signal?: AbortSignal): Promise<void> {
  for (let page = 0; page < PAGES_MAX; page += 1) {
    if (signal?.aborted === true || !await orgDeletion.purge()) return
  }
}
