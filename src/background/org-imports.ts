import type { Instant } from '../domain/entitlement.ts'
import type { Stores } from '../storage/stores.ts'
import { pageByPage } from './loop.ts'

const PAGES_MAX = 10_000
/** Longer than a file may be on its way in. */
const BROKEN_OFF_MS = 300_000
const FINISHED_KEPT_MS = 30 * 86_400_000

/**
 * Applies files of orgs that were received, page by page. It may run on every replica, and stop anywhere: the next run goes on, also
 * after a restart.
 */
export async function applyOrgImports ({ orgImports }: Pick<Stores, 'orgImports'>, signal?: AbortSignal): Promise<void> {
  await pageByPage(async () => await orgImports.applyPage(), PAGES_MAX, signal)
}

/**
 * Gives up files that broke off on their way in, and forgets imports that ended long ago.
 * @param now the clock on the wall
 */
export async function sweepOrgImports ({ orgImports }: Pick<Stores, 'orgImports'>, now: Instant, signal?: AbortSignal): Promise<void> {
  await pageByPage(async () => await orgImports.sweep(now - BROKEN_OFF_MS, now - FINISHED_KEPT_MS), PAGES_MAX, signal)
}
