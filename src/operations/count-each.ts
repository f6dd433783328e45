import { Semaphore, withTimeout } from 'async-mutex'
import { parseEventId } from '../domain/ids.ts'
import { errors, TollgateError } from '../errors.ts'
import type { Stores } from '../storage/stores.ts'
import { type Consumed, consume } from './consume.ts'
import type { Counted, Usage } from './count.ts'
import { report } from './report.ts'

export type CountMode = 'report' | 'consume'

/** One item of many; a refusal is answered in its place. */
export type Item = Usage | TollgateError

export type ItemResult = Counted | Consumed | TollgateError

/** The event id of an item that has none, under the id of the whole. @throws TollgateError `invalid_id` */
export function itemId (whole: string, index: number): string {
  return parseEventId(`${whole}/${index}`, 'idempotency-key')
}

/** As many as four transactions take. More would only wait there, and each collection of garbage copies what waits. */
const ITEMS_AT_ONCE = 2_000
/** Where those take so long, somebody holds them up, and it need not be the next ones, too: these go on without a turn. */
const TURN_PATIENCE_MS = 1_000

/**
 * Counts many items, each by itself: a bad one harms no other. Items of one org are counted in their order.
 * @throws TollgateError where none could be counted for a reason that passes: `ledger_unavailable`, `overloaded`
 */
export type CountEach = (mode: CountMode, items: readonly Item[]) => Promise<ItemResult[]>

/** For one process: callers with many items take turns. */
export function countingEach (stores: Stores): CountEach {
  const turns = withTimeout(new Semaphore(ITEMS_AT_ONCE), TURN_PATIENCE_MS)
  return async (mode, items) => {
    const release = await turns.acquire(Math.min(items.length, ITEMS_AT_ONCE)).then(([, release]) => release, () => undefined)
    try {
      return await countEach(stores, mode, items)
    } finally {
      release?.()
    }
  }
}

async function countEach (stores: Stores, mode: CountMode, items: readonly Item[]): Promise<ItemResult[]> {
  const count = mode === 'report' ? report : consume
  const first = new Map<string, Promise<ItemResult>>()

  const one = (item: Usage): Promise<ItemResult> => count(stores, item).catch(refusal)

  const results = await Promise.all(items.map(item => {
    if (item instanceof TollgateError) return item
    const { environment, org } = item
    const earlier = first.get(org)
    // An org that is not at hand has to be loaded, or even made: the others of its items wait for the first one.
    if (earlier !== undefined) return stores.orgs.cached(environment, org) === undefined ? earlier.then(() => one(item)) : one(item)
    const counted = one(item)
    first.set(org, counted)
    return counted
  }))
  const [refused] = results
  if (refused instanceof TollgateError && results.every(isPassing)) throw refused
  return results
}

function refusal (error: unknown): TollgateError {
  return error instanceof TollgateError ? error : new TollgateError('internal_error', undefined, { cause: error })
}

/** An outcome that is not known is no such reason: its event's id has to be told. */
function isPassing (result: ItemResult): boolean {
  return result instanceof TollgateError && errors[result.code].status === 503 && result.code !== 'outcome_unknown'
}
