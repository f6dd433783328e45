import type { Stores } from '../storage/stores.ts'
import { pageByPage } from './loop.ts'

/** In one run, so that its loop hears in between that it is to stop for good. */
const PAGES_MAX = 10_000

/**
 * Deletes what deleted orgs have used, page by page. It may run on every replica, and stop anywhere: the next run goes on,
 * also after a restart.
 */
export async function purgeDeletedOrgs ({ orgDeletion }: Pick<Stores, 'orgDeletion'>, signal?: AbortSignal): Promise<void> {
  await pageByPage(async () => await orgDeletion.purge(), PAGES_MAX, signal)
}
