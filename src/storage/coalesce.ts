import { TollgateError } from '../errors.ts'

export interface CoalesceLimits {
  /** Keys in one call of `load`. */
  readonly batchMax: number
  /** Calls of `load` under way at once. */
  readonly inFlightMax: number
  /** Keys that may wait; past it a caller is refused with `overloaded`. */
  readonly waitingMax: number
}

/** Cuts a flat list into consecutive pieces of these lengths: the inverse of `flat`. */
export function split<Item> (items: readonly Item[], lengths: readonly number[]): Item[][] {
  let start = 0
  return lengths.map(length => {
    const piece = items.slice(start, start + length)
    start += length
    return piece
  })
}

interface Waiting<Key, Value> {
  readonly key: Key
  readonly resolve: (value: Value) => void
  readonly reject: (error: unknown) => void
}

/**
 * Asks a store once for all callers that wait: a call starts at once while few are under way, and what arrives in the
 * meantime goes together into the next one. So there is no timer, and batches grow by themselves with the load.
 *
 * @param load answers one value per key, in order
 */
export function coalesce<Key, Value> (
  load: (keys: readonly Key[]) => Promise<readonly Value[]>,
  { batchMax, inFlightMax, waitingMax }: CoalesceLimits
): (key: Key) => Promise<Value> {
  const waiting: Array<Waiting<Key, Value>> = []
  let inFlight = 0
  let scheduled = false

  async function flush (): Promise<void> {
    scheduled = false
    if (inFlight >= inFlightMax || waiting.length === 0) return
    const batch = waiting.splice(0, batchMax)
    inFlight += 1
    try {
      const values = await load(batch.map(({ key }) => key))
      for (const [i, { resolve }] of batch.entries()) resolve(values[i] as Value)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      inFlight -= 1
      schedule()
    }
  }

  /** At the end of this turn of the event loop, so that everything that arrived in it goes together. */
  function schedule (): void {
    if (scheduled || waiting.length === 0 || inFlight >= inFlightMax) return
    scheduled = true
    setImmediate(() => { void flush() })
  }

  return key => new Promise<Value>((resolve, reject) => {
    if (waiting.length >= waitingMax) {
      reject(new TollgateError('overloaded', 'too many reads are waiting for the ledger', { retryAfterSeconds: 1 }))
      return
    }
    waiting.push({ key, resolve, reject })
    schedule()
  })
}
