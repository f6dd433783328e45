import type { Instant, Term } from './entitlement.ts'
import { planText } from './ids.ts'
import { windowOf } from './period.ts'
import { type Plan, resetOf } from './plan.ts'
import { givesAccess, inForce, type Subscription } from './schedule.ts'
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
  readonly timeline: Timeline
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
  /** Every plan that its subscriptions name, by `plan:pro@1`. */
  readonly plans: ReadonlyMap<string, StoredPlan>
  /** By name, sorted. */
  readonly features: ReadonlyMap<string, HeldFeature>
}

export type OrgFacts = Omit<Org, 'plans' | 'features'>

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
  return { ...facts, plans, features: new Map(byName.map(([name, held]) => [name, heldFeature(name, held)])) }
}

/** Timelines are built when first asked for: most requests ask for one feature of many. */
function heldFeature (name: string, { key, terms }: { key: number, terms: readonly Term[] }): HeldFeature {
  let built: Timeline | undefined
  return { key, name, get timeline () { return (built ??= timeline(terms)) } }
}

function termsOf (subscription: Subscription, plan: Plan): Term[] {
  const { id, startsAt: start, endsAt: end, feature, timeZone } = subscription
  const anchor = { at: plan.anchor === 'calendar' ? null : subscription.anchorAt, timeZone }
  return plan.features
    .filter(entitlement => feature === null || entitlement.feature === feature)
    .map(entitlement => ({ subscription: id, start, end, anchor, entitlement }))
}

/** The billing period of the oldest subscription in force: its plan's interval, counted from its anchor. Null: none is. */
export function billingPeriod (org: Org, now: Instant): Window | null {
  const [oldest] = inForce(org.subscriptions, now)
  const stored = oldest === undefined ? undefined : org.plans.get(planText(oldest.plan))
  if (oldest === undefined || stored === undefined) return null
  const at = stored.plan.anchor === 'calendar' ? null : oldest.anchorAt
  return windowOf({ reset: resetOf[stored.plan.interval], anchor: { at, timeZone: oldest.timeZone } }, now)
}
