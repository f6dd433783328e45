import type { Amount } from './amount.ts'

/** How usage is added up within a window. `perpetual` is Tier's: as `last`, in one window that never ends. */
export type Aggregate = 'sum' | 'count' | 'max' | 'last' | 'perpetual'
export type Reset = 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year' | 'never'
export type FeatureType = 'metered' | 'boolean'
/** `highest`: competes with others of its feature, the highest limit decides. `sum`: its limit is added to that. */
export type Combine = 'highest' | 'sum'
/**
 * What `can` answers while the ledger cannot be asked: no, yes, or what was last known, up to 15 minutes old (no, if
 * nothing is known).
 */
export type OutagePolicy = typeof OUTAGE_POLICIES[number]
export const OUTAGE_POLICIES = ['closed', 'open', 'lastKnown'] as const
/** Milliseconds since 1970-01-01T00:00:00Z. */
export type Instant = number

/** What one plan says of one feature. */
export interface Entitlement {
  /** `feature:calls` */
  readonly feature: string
  readonly type: FeatureType
  /** null: unlimited. Always null for a boolean feature. */
  readonly limit: Amount | null
  readonly overage: boolean
  /** `never` whenever `aggregate` is `perpetual`. */
  readonly reset: Reset
  readonly aggregate: Aggregate
  readonly combine: Combine
}

/** Where window boundaries are counted from: the start of a subscription, or the calendar (`at` is null). */
export interface Anchor {
  readonly at: Instant | null
  /** IANA name; days, weeks and longer are counted on this zone's clocks. */
  readonly timeZone: string
}

/** One entitlement, held by an org for the half-open stretch `[start, end)`; `end` null: without end. */
export interface Term {
  readonly subscription: number
  readonly start: Instant
  readonly end: Instant | null
  readonly anchor: Anchor
  readonly entitlement: Entitlement
}

/** What an org is granted of one feature at one instant: its terms, combined. */
export interface Grant {
  readonly type: FeatureType
  readonly limit: Amount | null
  readonly overage: boolean
  readonly reset: Reset
  readonly aggregate: Aggregate
  readonly anchor: Anchor
  /** The subscriptions whose terms made this grant, the deciding one first. */
  readonly subscriptions: readonly number[]
}

/** What one org is granted of one feature in place of what its terms say, for the half-open stretch `[start, end)`. */
export interface Override {
  readonly start: Instant
  readonly end: Instant | null
  /** null: unlimited */
  readonly limit: Amount | null
  /** null: as the terms have it */
  readonly overage: boolean | null
}

/** Reset, anchor, zone and aggregate stay, so windows do; where there is only access, there is no limit to replace. */
export function overridden (grant: Grant, { limit, overage }: Override): Grant {
  return grant.type === 'boolean' ? grant : { ...grant, limit, overage: overage ?? grant.overage }
}

/** How the terms of one feature combine that are in force at one instant. */
export interface Combination {
  /** Its limit, overage, reset, aggregate and anchor count. */
  readonly decides: Term
  /** Their limits are added. */
  readonly adding: readonly Term[]
  /** They compete with the one that decides, and rank below it. */
  readonly outranked: readonly Term[]
  /** Access, where there are amounts. */
  readonly ignored: readonly Term[]
}

/**
 * Combines the terms of one feature that are in force at one instant (design, "several plans with one feature"):
 * those that compete are ordered by limit, then overage, then age, and the first decides limit, overage, reset and
 * anchor; those that sum then add their limits. Where a metered term is held, a boolean one adds nothing: access is
 * given already, and a metered feature must stay reportable.
 */
export function combination (terms: readonly Term[]): Combination | null {
  const metered = terms.filter(term => term.entitlement.type === 'metered')
  const counted = metered.length > 0 ? metered : terms
  const competing = counted.filter(term => term.entitlement.combine === 'highest').sort(byRank)
  const summed = counted.filter(term => term.entitlement.combine === 'sum').sort((a, b) => a.subscription - b.subscription)
  const decides = competing[0] ?? summed[0]
  if (decides === undefined) return null
  return {
    decides,
    adding: summed.filter(term => term !== decides),
    outranked: competing.slice(1),
    ignored: terms.filter(term => !counted.includes(term))
  }
}

/** What terms that are in force at one instant grant. */
export function combine (terms: readonly Term[]): Grant | null {
  const combined = combination(terms)
  if (combined === null) return null
  const { decides, adding } = combined
  const summands = [decides, ...adding]
  const { type, overage, reset, aggregate } = decides.entitlement
  return {
    type,
    limit: sumOfLimits(summands),
    overage,
    reset,
    aggregate,
    anchor: decides.anchor,
    subscriptions: summands.map(term => term.subscription)
  }
}

export function termsAt (terms: readonly Term[], at: Instant): Term[] {
  return terms.filter(({ start, end }) => start <= at && (end === null || end > at))
}

function byRank (a: Term, b: Term): number {
  return compareLimits(b.entitlement.limit, a.entitlement.limit) ||
    Number(b.entitlement.overage) - Number(a.entitlement.overage) ||
    a.subscription - b.subscription
}

/** Unlimited is the highest. */
function compareLimits (a: Amount | null, b: Amount | null): number {
  if (a === b) return 0
  if (a === null) return 1
  if (b === null) return -1
  return a < b ? -1 : 1
}

function sumOfLimits (terms: readonly Term[]): Amount | null {
  let sum = 0n
  for (const { entitlement: { limit } } of terms) {
    if (limit === null) return null
    sum += limit
  }
  return sum
}
