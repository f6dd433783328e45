import { amountText } from '../domain/amount.ts'
import type { Instant } from '../domain/entitlement.ts'
import type { CounterFault, DifferenceKind, FoundWindow, StoredCounter } from '../domain/verification.ts'
import type { Stores } from '../storage/stores.ts'
import type { EventName, Gap, UsedFeature } from '../storage/verification.ts'

/** Something in the ledger or the mirror that is not as the events say. */
export interface Difference {
  readonly kind: DifferenceKind
  readonly org: string
  readonly feature: string
  readonly window: { readonly start: Instant, readonly end: Instant | null }
  /** What is there, and what should be; null: nothing, or it is not known. */
  readonly stored: bigint | null
  readonly expected: bigint | null
  /** What comes from nowhere, after one event and before another; a null is the beginning, or the counter at the end. */
  readonly missing: bigint | null
  readonly after: EventName | null
  readonly before: EventName | null
  readonly detail: string
  readonly mended: boolean
}

/** An entry that was behind the ledger when both were looked at: its publication may be on its way. */
export interface Behind {
  readonly used: UsedFeature
  readonly window: FoundWindow
  /** As the ledger had it at `since`. */
  readonly counter: StoredCounter
  readonly since: Instant
}

/** One call's work. */
export interface Round {
  readonly stores: Stores
  readonly environment: string
  /** The environment's time. */
  now (): Instant
  readonly repair: boolean
  readonly checked: { orgs: number, windows: number, events: number, pruned: number, features: number }
  readonly differences: Difference[]
  readonly behind: Behind[]
  mirror: 'compared' | 'none' | 'unreachable'
  /** The last org that was counted among the checked ones, by its key. */
  counted: number
}

export function differenceOf (
  { orgName: org, featureName: feature }: UsedFeature, { start, end }: Pick<FoundWindow, 'start' | 'end'>, kind: DifferenceKind,
  more: Partial<Difference> & Pick<Difference, 'detail'>
): Difference {
  const unknown = { stored: null, expected: null, missing: null, after: null, before: null, mended: false }
  return { kind, org, feature, window: { start, end }, ...unknown, ...more }
}

export function gapText ({ missing, after, before }: Gap): string {
  const where = after === null ? `before event ${nameOf(before)}, the first there is` : `between event ${nameOf(after)} and event ${nameOf(before)}`
  return `${amountText(missing)} is missing ${where}: an event was deleted, or the counter was changed by hand`
}

export function faultText (kind: CounterFault['kind'], stored: bigint | null, expected: bigint | null, last: EventName | null): string {
  const [is, should] = [stored === null ? 'none' : amountText(stored), expected === null ? 'unknown' : amountText(expected)]
  switch (kind) {
    case 'counter_differs': return `the counter says ${is}, its events come to ${should}`
    case 'held_differs': return `the counter says that ${is} is reserved, its reservations hold ${should}`
    case 'counter_missing': return `there is no counter, its last event left it at ${should}`
    case 'event_missing': return last === null
      ? `the counter says ${is}, and there is no event`
      : `the counter says ${is}, its last event ${nameOf(last)} left it at ${should}: a later one was deleted, or the counter was changed by hand`
  }
}

function nameOf ({ id, seq }: EventName): string {
  return `${JSON.stringify(id)} (${seq})`
}
