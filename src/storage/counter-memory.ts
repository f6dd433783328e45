import type { Tally } from '../domain/reservation.ts'
import type { Placed } from './ledger-reduce.ts'
import { recent } from './recent.ts'

const COUNTERS_MAX = 20_000
/** After a surprise. Where others write to the same orgs, or ids come again, a batch that goes ahead is more often run twice. */
const CALM_BATCHES_MIN = 16

interface Remembered {
  /** Of the org: what its plans say decides which events are in a window. */
  readonly version: number
  readonly tally: Tally
}

/**
 * The counters that this process wrote or read last. Where nobody else has changed them since, there is nothing to read before a
 * batch is written; whether that is so, the ledger checks as it writes (docs/adr/0068).
 */
export interface CounterMemory {
  /** May the next batch go ahead? Not for a while after one that met what was not remembered. */
  isCalm (): boolean
  /** @returns by `WantedCounter.text`; undefined unless every counter of the batch is remembered as of its op's org */
  recall (placed: readonly Placed[]): Map<string, Tally> | undefined
  /** What a batch read. `surprise`: it found an id, or an org that has changed. */
  compare (read: ReadonlyMap<string, Tally>, surprise: boolean): void
  /** A batch that went ahead had to read after all. */
  surprised (): void
  /**
   * A counter just as its row is: one that was added up anew has the version of another state.
   * @param version of its org
   */
  keep (text: string, tally: Tally, version: number): void
  /** A connection was lost: whether its last batch was committed is not known. */
  forget (): void
}

export function counterMemory (): CounterMemory {
  const counters = recent<string, Remembered>(COUNTERS_MAX)
  let calmBatches = CALM_BATCHES_MIN
  return {
    isCalm: () => calmBatches >= CALM_BATCHES_MIN,
    recall: placed => {
      const recalled = new Map<string, Tally>()
      for (const { op, now, wanted } of placed) {
        if (wanted === undefined) continue
        const known = counters.get(wanted.text)
        if (known === undefined || known.version !== op.org.version) return undefined
        // Past it, what is still held is added up anew.
        if (known.tally.reservedUntil !== null && known.tally.reservedUntil <= now) return undefined
        recalled.set(wanted.text, known.tally)
      }
      return recalled
    },
    compare: (read, surprise) => {
      const moved = surprise || [...read].some(([text, { version }]) => (counters.peek(text)?.tally.version ?? version) !== version)
      calmBatches = moved ? 0 : calmBatches + 1
    },
    surprised: () => { calmBatches = 0 },
    keep: (text, tally, version) => { counters.set(text, { version, tally }) },
    forget: () => counters.clear()
  }
}
