import type { Amount } from './amount.ts'
import type { Instant } from './entitlement.ts'
import { AHEAD_MAX_MS, CLOCK_SKEW_MAX_MS } from './time.ts'

/** What some events of one window say together. Parts of a window add up, in whatever order they are read. */
export interface Fold {
  readonly events: number
  /** Of their deltas. */
  readonly sum: Amount
  /** Of `hash(used after) - hash(used before)`, the hash of zero being zero: what one event leaves the next one finds. */
  readonly chain: bigint
  /** The last to arrive; null: there is none. */
  readonly last: { readonly seq: number, readonly usedAfter: Amount, readonly hash: bigint } | null
}

export const NOTHING_FOLDED: Fold = { events: 0, sum: 0n, chain: 0n, last: null }

export function addFolds (a: Fold, b: Fold): Fold {
  const last = a.last === null || (b.last !== null && b.last.seq > a.last.seq) ? b.last : a.last
  return { events: a.events + b.events, sum: a.sum + b.sum, chain: a.chain + b.chain, last }
}

/**
 * Does each event begin where the one before it ended? In a chain from zero all figures but the last one cancel each
 * other, wherever its parts were read, so a window needs neither to be sorted nor to be kept.
 */
export function isUnbroken ({ chain, last, sum }: Fold): boolean {
  return chain === (last?.hash ?? 0n) && sum === (last?.usedAfter ?? 0n)
}

/** A counter as it is stored, with what the reservations say of it. */
export interface StoredCounter {
  readonly used: Amount
  readonly reserved: Amount
  readonly version: number
  readonly lastAt: Instant | null
  readonly reservedUntil: Instant | null
  /** Of units held until `reservedUntil` or longer. */
  readonly held: Amount
}

/** A stretch of time in which usage adds up, as counters and events tell of it. */
export interface FoundWindow {
  readonly start: Instant
  /** The latest that any of them says; null: none. A change may have cut it short since. */
  readonly end: Instant | null
  readonly counter: StoredCounter | null
  readonly fold: Fold
  /** Some of its events may have been deleted for their age. */
  readonly pruned: boolean
}

/**
 * `counter_differs`: it says another figure than its last event, and no event is missing. `counter_missing`: there are
 * events. `event_missing`: a figure comes from nowhere. `held_differs`: not what reservations hold. `mirror_differs`: an
 * entry that the ledger never was like. `mirror_stale`: it is believed, and the ledger has moved on long ago.
 */
export const DIFFERENCES =
  ['counter_differs', 'counter_missing', 'event_missing', 'held_differs', 'mirror_differs', 'mirror_stale'] as const

export type DifferenceKind = typeof DIFFERENCES[number]

export interface CounterFault {
  readonly kind: Extract<DifferenceKind, 'counter_differs' | 'counter_missing' | 'event_missing' | 'held_differs'>
  readonly stored: Amount | null
  readonly expected: Amount | null
  /** From what is stored it is certain what would be right. */
  readonly mendable: boolean
}

/**
 * What is wrong with a counter. Gaps between its events are named apart from this: the counter may be right all the same.
 * A version is raised by each event and by nothing else but reservations and repairs: where it is not above the number of
 * events, none of them is missing. Elsewhere a counter that is ahead of its last event may be right, and the event gone.
 * @param now of its environment
 */
export function counterFaults ({ counter, fold, pruned }: Omit<FoundWindow, 'start' | 'end'>, now: Instant): CounterFault[] {
  const { events, last } = fold
  const expected = last?.usedAfter ?? 0n
  if (counter === null) {
    return events === 0 ? [] : [{ kind: 'counter_missing', stored: null, expected, mendable: true }]
  }
  const faults: CounterFault[] = []
  if (!pruned && counter.used !== expected) {
    const complete = counter.version <= events
    faults.push({ kind: complete ? 'counter_differs' : 'event_missing', stored: counter.used, expected, mendable: complete })
  }
  const { reserved, reservedUntil, held } = counter
  // Past its earliest expiry, what is still held is added up anew by whoever asks.
  const asked = reservedUntil === null || reservedUntil > now + CLOCK_SKEW_MAX_MS
  const expectedHeld = reservedUntil === null ? 0n : held
  if (asked && reserved !== expectedHeld) faults.push({ kind: 'held_differs', stored: reserved, expected: expectedHeld, mendable: true })
  return faults
}

/** The windows of a feature that are known as a whole, and where to go on. */
export interface Known<Window extends FoundWindow> {
  readonly complete: readonly Window[]
  /** The start of the first that is not; null: there is none. */
  readonly next: Instant | null
  /** Where that one ends, by what is known of others; null: never. */
  readonly nextEnd: Instant | null
}

/**
 * @param windows in order. One ends before the next one starts, whatever was thought of it when its events arrived
 * @param reach everything before it has been read; null: everything
 */
export function knownWindows<Window extends FoundWindow> (windows: readonly Window[], reach: Instant | null): Known<Window> {
  const endOf = (i: number): Instant | null => {
    const end = Math.min(windows[i]?.end ?? Infinity, windows[i + 1]?.start ?? Infinity)
    return end === Infinity ? null : end
  }
  const incomplete = reach === null ? -1 : windows.findIndex((_window, i) => readUntil(endOf(i)) >= reach)
  if (incomplete < 0) return { complete: windows, next: null, nextEnd: null }
  return { complete: windows.slice(0, incomplete), next: windows[incomplete]?.start ?? null, nextEnd: endOf(incomplete) }
}

/** An event may be ahead of the clock, so one that was counted before its window was cut may lie a little past its end. */
export function readUntil (end: Instant | null): number {
  return end === null ? Infinity : end + AHEAD_MAX_MS
}

export type Figures = Pick<StoredCounter, 'used' | 'reserved' | 'version' | 'reservedUntil'>

/**
 * An entry of the mirror, beside the ledger as it was at some moment after the entry was read. A version names a state,
 * but for units whose hold ends by itself: past the earliest expiry fewer are held, of the same version.
 */
export function entryState (entry: Figures, ledger: Figures): 'same' | 'differs' | 'ahead' | 'behind' {
  if (entry.version !== ledger.version) return entry.version > ledger.version ? 'ahead' : 'behind'
  if (entry.used !== ledger.used) return 'differs'
  if (entry.reservedUntil === ledger.reservedUntil) return entry.reserved === ledger.reserved ? 'same' : 'differs'
  const later = ledger.reservedUntil !== null && (entry.reservedUntil ?? Infinity) > ledger.reservedUntil
  return later && entry.reserved <= ledger.reserved ? 'same' : 'differs'
}
