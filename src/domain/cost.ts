import { type Amount, WHOLE } from './amount.ts'
import type { Aggregate, Instant } from './entitlement.ts'
import { planText } from './ids.ts'
import { type HeldFeature, type Org, periodOf } from './org.ts'
import type { Plan, PlanFeature } from './plan.ts'
import { charge, minorUnits, type TierCharge } from './price.ts'
import { givesAccess, type Subscription } from './schedule.ts'
import type { Window } from './window.ts'

/** What an org owes for one feature of one plan that it holds, in one window, before its usage is known. */
export interface Due {
  readonly subscription: Subscription
  readonly plan: Plan
  readonly item: PlanFeature
  /** The feature's key in the ledger. */
  readonly feature: number
  readonly window: Window
  /** How the usage adds up that this prices; null: it prices none, and is owed however much was used. */
  readonly aggregate: Aggregate | null
}

/** What one due comes to; its amount is in whole minor units of the currency. */
export interface LineItem {
  readonly subscription: number
  /** `plan:pro@1` */
  readonly plan: string
  readonly feature: string
  readonly title: string
  readonly currency: string
  /** Of the usage, or of the interval that a fee is for. */
  readonly window: Window
  /** It is held on trial, and costs nothing. */
  readonly trial: boolean
  readonly quantity: Amount
  readonly tiers: readonly TierCharge[]
  /** The fee of an interval, where there are no tiers. */
  readonly base: number
  readonly amount: bigint
}

/** The end of a window, or what has passed of it. */
interface Span {
  readonly start: Instant
  readonly end: Instant
}

/**
 * What is owed for the windows that contain `at`, by subscription, the oldest first, then by feature.
 *
 * Each window is judged by what was held at its end or, as long as it runs, is held now; in a gap by what was held last
 * inside it, and before the first subscription by that one. The usage of a feature is priced once, by the entitlement
 * that decides its limit. The others are owed what they cost unused: their base fees.
 * @param present not before `at`
 */
export function duesAt (org: Org, at: Instant, present: Instant): Due[] {
  const dues = [...offersOf(org)].flatMap(([name, offers]) => duesOf(org.features.get(name) as HeldFeature, offers, at, present))
  return dues.sort((a, b) => a.subscription.id - b.subscription.id || (a.item.feature < b.item.feature ? -1 : 1))
}

/** One feature of one plan, as one subscription holds it. */
type Offer = Pick<Due, 'subscription' | 'plan' | 'item'>

/** By feature; of what gives access, or did. */
function offersOf ({ subscriptions, plans }: Org): Map<string, Offer[]> {
  const offers = new Map<string, Offer[]>()
  for (const subscription of subscriptions.filter(givesAccess)) {
    const plan = plans.get(planText(subscription.plan))?.plan
    for (const item of plan?.features ?? []) {
      if (plan === undefined || (subscription.feature !== null && subscription.feature !== item.feature)) continue
      const own = offers.get(item.feature)
      if (own === undefined) offers.set(item.feature, [{ subscription, plan, item }])
      else own.push({ subscription, plan, item })
    }
  }
  return offers
}

function duesOf ({ key, timeline }: HeldFeature, offers: readonly Offer[], at: Instant, present: Instant): Due[] {
  if (timeline.start > present) return []
  const window = timeline.windowAt(at)
  const decides = timeline.grantAtEnd(spanOf(window, at, present))?.subscriptions[0]
  const rows = offers.map(({ subscription }) => subscription)
  return offers.flatMap(offer => {
    const { subscription, plan, item } = offer
    const metered = item.price.tiers.length > 0
    const own = metered ? window : periodOf(subscription, plan, at)
    const aggregate = metered && subscription.id === decides ? item.aggregate : null
    if (aggregate === null && !isHolder(subscription, rows, spanOf(own, at, present))) return []
    return [{ ...offer, feature: key, window: own, aggregate }]
  })
}

/** A window without end has no end to be judged by, but the instant that is asked for. */
function spanOf ({ start, end }: Window, at: Instant, present: Instant): Span {
  return end === null ? { start: at, end: at + 1 } : { start, end: Math.min(end, present + 1) }
}

/** Was it held at the end of the span or, where that lies in a gap, last inside it? @param rows of one feature */
function isHolder ({ startsAt, endsAt }: Subscription, rows: readonly Subscription[], { start, end }: Span): boolean {
  if (startsAt >= end || (endsAt !== null && endsAt <= start)) return false
  if (endsAt === null || endsAt >= end) return true
  return rows.every(other => other.startsAt >= end || (other.endsAt !== null && other.endsAt <= endsAt))
}

/** @param used of the window; null, if nothing is owed: a window from before the subscription is owed for its usage only */
export function lineItem ({ subscription, plan, item, window, aggregate }: Due, used: Amount): LineItem | null {
  const { price, feature, title } = item
  const early = window.end !== null && window.end <= subscription.startsAt
  if (early && used === 0n) return null
  const quantity = price.tiers.length === 0 ? WHOLE : aggregate === null ? 0n : used
  const trial = subscription.status === 'trialing'
  const { tiers, amount } = charge(price, quantity)
  return {
    subscription: subscription.id,
    plan: planText(plan.ref),
    feature,
    title,
    currency: plan.currency,
    window,
    trial,
    quantity,
    tiers: trial ? [] : tiers,
    base: price.base,
    amount: trial ? 0n : minorUnits(amount)
  }
}

/** By currency, in order of their codes: money of two currencies does not add up. */
export function totalsOf (lines: readonly LineItem[]): Map<string, bigint> {
  const totals = new Map<string, bigint>()
  for (const currency of [...new Set(lines.map(line => line.currency))].sort()) {
    const own = lines.filter(line => line.currency === currency)
    totals.set(currency, own.reduce((sum, { amount }) => sum + amount, 0n))
  }
  return totals
}
