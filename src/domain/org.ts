import type { Instant, Term } from './entitlement.ts'
import type { Plan } from './plan.ts'
import type { Subscription, SubscriptionStatus } from './schedule.ts'
import { type Timeline, timeline } from './window.ts'

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
  /** By name, sorted. */
  readonly features: ReadonlyMap<string, HeldFeature>
}

export type OrgFacts = Omit<Org, 'features'>

/** A subscription in one of these never gave access; every other one did from its start to its end. */
const WITHOUT_ACCESS: ReadonlySet<SubscriptionStatus> = new Set(['unpaid', 'incomplete', 'incomplete_expired'])

/** @param planOf must know every plan that `facts.subscriptions` name */
export function orgOf (facts: OrgFacts, planOf: (subscription: Subscription) => StoredPlan): Org {
  const terms = new Map<string, { key: number, terms: Term[] }>()
  for (const subscription of facts.subscriptions) {
    if (WITHOUT_ACCESS.has(subscription.status)) continue
    const stored = planOf(subscription)
    for (const term of termsOf(subscription, stored.plan)) {
      const name = term.entitlement.feature
      const held = terms.get(name) ?? { key: stored.featureKeys.get(name) as number, terms: [] }
      held.terms.push(term)
      terms.set(name, held)
    }
  }
  const names = [...terms.keys()].sort()
  return { ...facts, features: new Map(names.map(name => [name, heldFeature(name, terms.get(name) as { key: number, terms: Term[] })])) }
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
