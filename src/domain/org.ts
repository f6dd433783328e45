import type { Grant, Instant, Override, Term } from './entitlement.ts'
import { planText } from './ids.ts'
import { windowOf } from './period.ts'
import { type Plan, resetOf } from './plan.ts'
import { givesAccess, inForce, type Subscription } from './schedule.ts'
import { CLOCK_SKEW_MAX_MS } from './time.ts'
import { type Timeline, timeline, type Window } from './window.ts'

/** A plan with the integer keys its rows have in the ledger. */
export interface StoredPlan {
  readonly key: number
  readonly plan: Plan
  /** The key of each of its features, by name. */
  readonly featureKeys: ReadonlyMap<string, number>
}

/** One feature that an org holds, held once, or will hold. */
export interface HeldFeature {
  readonly key: number
  readonly name: string
  readonly terms: readonly Term[]
  readonly timeline: Timeline
}

/** The overrides of one feature of an org, in order. Past ones stay: past windows have their limits by them. */
export interface FeatureOverrides {
  readonly key: number
  readonly list: readonly Override[]
}

/** Everything a verdict depends on besides usage, as of one version of the org. Immutable; kept in a bounded cache. */
export interface Org {
  readonly key: number
  readonly environment: string
  readonly name: string
  readonly version: number
  readonly timeZone: string
  readonly createdAt: Instant
  readonly subscriptions: readonly Subscription[]
  /** By the name of their feature. */
  readonly overrides: ReadonlyMap<string, FeatureOverrides>
  /** Of its first subscription that gave access, or will; Infinity without one. */
  readonly firstStart: Instant
  /** Every plan that its subscriptions name, by `plan:pro@1`. */
  readonly plans: ReadonlyMap<string, StoredPlan>
  /** By name, sorted. */
  readonly features: ReadonlyMap<string, HeldFeature>
}

export type OrgFacts = Omit<Org, 'overrides' | 'firstStart' | 'plans' | 'features'> & Partial<Pick<Org, 'overrides'>>

const NO_OVERRIDES: Org['overrides'] = new Map()

/** @param planOf must know every plan that `facts.subscriptions` name */
export function orgOf (facts: OrgFacts, planOf: (subscription: Subscription) => StoredPlan): Org {
  const plans = new Map<string, StoredPlan>()
  const terms = new Map<string, { key: number, terms: Term[] }>()
  for (const subscription of facts.subscriptions) {
    const stored = planOf(subscription)
    plans.set(planText(subscription.plan), stored)
    if (!givesAccess(subscription)) continue
    for (const term of termsOf(subscription, stored.plan)) {
      const name = term.entitlement.feature
      const held = terms.get(name) ?? { key: stored.featureKeys.get(name) as number, terms: [] }
      held.terms.push(term)
      terms.set(name, held)
    }
  }
  const byName = [...terms].sort(([a], [b]) => a < b ? -1 : 1)
  const firstStart = Math.min(...facts.subscriptions.filter(givesAccess).map(({ startsAt }) => startsAt))
  const { key, environment, name, version, timeZone, createdAt, subscriptions, overrides = NO_OVERRIDES } = facts
  const features = new Map(byName.map(([name, held]) => [name, new Held(name, held, overrides.get(name)?.list)]))
  // Not spread from the facts: V8 gives what is spread and then added to a shape of its own, which is more than the org.
  return { key, environment, name, version, timeZone, createdAt, subscriptions, overrides, firstStart, plans, features }
}

/** A class, because a process keeps hundreds of thousands: of closures and accessors each would have its own. */
class Held implements HeldFeature {
  readonly key: number
  readonly name: string
  readonly terms: readonly Term[]
  readonly #overrides: readonly Override[] | undefined
  #timeline: Timeline | undefined

  constructor (name: string, { key, terms }: { key: number, terms: readonly Term[] }, overrides: readonly Override[] | undefined) {
    this.key = key
    this.name = name
    // A copy takes no more room than it needs.
    this.terms = [...terms]
    this.#overrides = overrides
  }

  /** Built when first asked for: most requests ask for one feature of many. */
  get timeline (): Timeline {
    return (this.#timeline ??= timeline(this.terms, this.#overrides))
  }
}

function termsOf (subscription: Subscription, plan: Plan): Term[] {
  const { id, startsAt: start, endsAt: end, feature, timeZone } = subscription
  const anchor = { at: plan.anchor === 'calendar' ? null : subscription.anchorAt, timeZone }
  return plan.features
    .filter(entitlement => feature === null || entitlement.feature === feature)
    .map(entitlement => ({ subscription: id, start, end, anchor, entitlement }))
}

/**
 * What is granted of a feature at `at`. An instant before the org's first subscription is judged by that one, once it has
 * begun; what came later was not held then, and what is only planned is not held.
 */
export function grantAt ({ firstStart }: Org, { timeline }: HeldFeature, at: Instant, now: Instant): Grant | null {
  const judgedAt = Math.max(at, firstStart)
  if (judgedAt < timeline.start || judgedAt > Math.max(at, now)) return null
  return timeline.grantAt(judgedAt)
}

/**
 * Now, for this org: a change that another replica made by a clock ahead of ours is not in the future. An override is made
 * where it starts; its end may have been set long before, and is kept to the millisecond.
 */
export function presentOf ({ subscriptions, overrides }: Org, now: Instant): Instant {
  let present = now
  if (overrides.size > 0) {
    for (const { list } of overrides.values()) {
      const made = list.at(-1)?.start ?? now
      if (made > present && made <= now + CLOCK_SKEW_MAX_MS) present = made
    }
  }
  for (const { startsAt, endsAt } of subscriptions) {
    for (const at of [startsAt, endsAt]) if (at !== null && at > present && at <= now + CLOCK_SKEW_MAX_MS) present = at
  }
  return present
}

/** The override of a feature that is in force at `at`. */
export function overrideAt ({ overrides }: Org, feature: string, at: Instant): Override | undefined {
  return overrides.get(feature)?.list.find(({ start, end }) => start <= at && (end === null || end > at))
}

/**
 * Where periods go on to be counted from for an org that holds nothing now and comes back: the anchor of what it held
 * last, for as long as a window of that time would still run. Else whoever cancels and returns finds a fresh allowance.
 */
export function resumedAnchor (org: Org, now: Instant): Instant | null {
  const ended = org.subscriptions.filter(row => givesAccess(row) && row.endsAt !== null && row.endsAt <= now)
  const lastHeld = Math.max(...ended.map(({ endsAt }) => endsAt as Instant)) - 1
  const [oldest] = inForce(org.subscriptions, lastHeld)
  if (oldest === undefined) return null
  const held = [...org.features.values()].filter(({ timeline }) => timeline.grantAt(lastHeld) !== null)
  const ends = [billingPeriod(org, lastHeld), ...held.map(({ timeline }) => timeline.windowAt(lastHeld))].map(window => window?.end ?? 0)
  const lastEnd = Math.max(...ends)
  return lastEnd > now ? oldest.anchorAt : null
}

/** The billing period of the oldest subscription in force: its plan's interval, counted from its anchor. Null: none is. */
export function billingPeriod (org: Org, now: Instant): Window | null {
  const [oldest] = inForce(org.subscriptions, now)
  const stored = oldest === undefined ? undefined : org.plans.get(planText(oldest.plan))
  return oldest === undefined || stored === undefined ? null : periodOf(oldest, stored.plan, now)
}

/** The interval of a plan that contains `at`, counted from the anchor of the subscription that holds it. */
export function periodOf ({ anchorAt, timeZone }: Subscription, { anchor, interval }: Plan, at: Instant): Window {
  return windowOf({ reset: resetOf[interval], anchor: { at: anchor === 'calendar' ? null : anchorAt, timeZone } }, at)
}
