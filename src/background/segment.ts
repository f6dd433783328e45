import type { Instant } from '../domain/entitlement.ts'
import { mapWaiting } from '../operations/segment.ts'
import type { Stores } from '../storage/stores.ts'
import { pageByPage } from './loop.ts'

const PAGE_EVENTS = 100
const NAMES_MAX = 100
const PAGES_MAX = 1_000
/** A rule that was made longer ago has been tried on everything that waited for it. */
const RULES_TRIED_MS = 86_400_000
const KEPT_MS = 30 * 86_400_000

/** Where a run left off for want of pages: the events of a name, and among them. */
export interface MappingPlace {
  readonly environment: string
  readonly event: string
  readonly after: number
}

export interface MappingRun {
  /** Where the run before left off: what matches no rule, and waits on, must not keep this one from what comes behind. */
  readonly from?: MappingPlace | undefined
  readonly signal?: AbortSignal
  readonly pagesMax?: number
}

/**
 * Counts events of Segment that waited for a rule, where there is one now. It may run on every replica, and stop anywhere: an event
 * counts once.
 * @param now the clock on the wall
 * @returns where the next one goes on; undefined: at the beginning
 */
export async function mapSegmentEvents (
  stores: Stores, now: Instant,
  { from, signal, pagesMax = PAGES_MAX }: MappingRun = {}
): Promise<MappingPlace | undefined> {
  const names = await stores.segment.wanted(now - RULES_TRIED_MS, from, NAMES_MAX)
  let pages = 0
  for (const { environment, event } of names) {
    const rules = await stores.segment.rulesFor(environment, event)
    let after = from?.environment === environment && from.event === event ? from.after : 0
    for (let more = true; more;) {
      if (signal?.aborted === true || pages >= pagesMax) return { environment, event, after }
      pages += 1
      const waiting = await stores.segment.waiting(environment, event, after, PAGE_EVENTS)
      for (const each of waiting) await mapWaiting(stores, environment, each, rules)
      after = waiting.at(-1)?.seq ?? after
      more = waiting.length === PAGE_EVENTS
    }
  }
  const last = names.length === NAMES_MAX ? names.at(-1) : undefined
  return last === undefined ? undefined : { ...last, after: Number.MAX_SAFE_INTEGER }
}

/** Forgets events that no rule has mapped for long. @param now the clock on the wall */
export async function sweepSegmentEvents ({ segment }: Pick<Stores, 'segment'>, now: Instant, signal?: AbortSignal): Promise<void> {
  await pageByPage(async () => await segment.sweep(now - KEPT_MS), PAGES_MAX, signal)
}
