import { randomUUID } from 'node:crypto'
import { type Holding, holdingText, parseOrg, planText } from '../domain/ids.ts'
import type { StoredPlan } from '../domain/org.ts'
import {
  type Checkout, CHECKOUT_LIFETIME_MS, type CheckoutOrder, parseWebUrl, type PaymentMethod, type Payments
} from '../domain/payment.ts'
import type { Plan, PlanFeature } from '../domain/plan.ts'
import { checkHoldings, inForce } from '../domain/schedule.ts'
import { TollgateError } from '../errors.ts'
import type { CatalogPlan } from '../storage/catalog.ts'
import type { StoredCheckout } from '../storage/checkouts.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import type { LockedOrg } from '../storage/subscriptions.ts'
import { orgNotFound } from './org.ts'
import { orgNow } from './phases.ts'
import { checkAvailable, readHoldings, type SentPhase, subscribe } from './subscribe.ts'
import { takePlans } from './take-plans.ts'
import { type Present, present } from './time.ts'

const DAY_MS = 86_400_000

export type SentCheckout = Omit<CheckoutOrder, 'id' | 'expiresAt'>

/** Under this name, with the checkout's id, goes whoever confirms what was offered to nobody in particular. */
const NEW_ORG = 'org:user-'

/**
 * Asks the payment provider for a page on which a customer confirms what an org will hold. The org is created, as Tier
 * does, if one is named; nothing else changes until they have confirmed.
 * @returns the URL of the page
 * @throws TollgateError `TERR1020`, `plan_unavailable` for a plan that cannot be had; `invalid_request`, `feature_not_found` for features;
 * `invalid_request` for a URL that is not http or https; `no_payment_provider`
 */
export async function checkout (stores: Stores, payments: Payments, sent: SentCheckout): Promise<string> {
  const { environment, features, trialDays } = sent
  const org = sent.org === null ? null : parseOrg(sent.org)
  const successUrl = sent.successUrl === null ? null : parseWebUrl(sent.successUrl, '/success_url')
  const cancelUrl = sent.cancelUrl === null ? null : parseWebUrl(sent.cancelUrl, '/cancel_url')
  if (trialDays > 0 && features.length === 0) {
    throw new TollgateError('invalid_request', 'trial_days is for a checkout with features', { pointer: '/trial_days' })
  }
  const plans = new Map<string, CatalogPlan>()
  const holdings = await readHoldings(stores, environment, features, '/features', plans)
  checkHoldings(holdings, '/features')
  const { now } = await present(stores, environment)
  const order = { ...sent, org, successUrl, cancelUrl, id: randomUUID(), expiresAt: now + CHECKOUT_LIFETIME_MS }
  const url = await payments.checkout(order)
  if (org === null) {
    await available(stores.checkouts.add(order))
    return url
  }
  await available(stores.subscriptions.change(environment, org, now, async locked => {
    checkAvailable(locked.org, holdings, plans, now, '/features')
    await locked.addCheckout(order)
  }))
  return url
}

/** What is offered of one plan. */
export interface Offer {
  readonly plan: Plan
  /** All of the plan's, or those that are taken by themselves. */
  readonly features: readonly PlanFeature[]
}

export interface Offers {
  readonly checkout: StoredCheckout
  /** In the order in which they were asked for; none once it is completed. */
  readonly offers: readonly Offer[]
  /** What the org holds now, and will not hold when this is completed: `plan:free@0`, sorted. */
  readonly replaced: readonly string[]
}

/**
 * What a customer is asked to confirm.
 * @throws TollgateError `checkout_expired`; `TERR1020`, `plan_unavailable` if it is not offered any more
 */
export async function offers (stores: Stores, environment: string, id: string): Promise<Offers> {
  const { checkout, now } = await openCheckout(stores, environment, id)
  const { features, org: name, adds, completedAt } = checkout
  if (completedAt !== null || features.length === 0) return { checkout, offers: [], replaced: [] }
  const plans = new Map<string, CatalogPlan>()
  const holdings = await readHoldings(stores, environment, features, '/features', plans)
  if (name === null) return { checkout, offers: offersOf(holdings, plans), replaced: [] }
  const org = await orgNow(stores, environment, name)
  checkAvailable(org, holdings, plans, now, '/features')
  if (adds) return { checkout, offers: offersOf(holdings, plans), replaced: [] }
  const held = new Set(inForce(org.subscriptions, now).map(holdingText))
  for (const holding of holdings) held.delete(holdingText(holding))
  return { checkout, offers: offersOf(holdings, plans), replaced: [...held].sort() }
}

function offersOf (holdings: readonly Holding[], plans: ReadonlyMap<string, StoredPlan>): Offer[] {
  const texts = [...new Set(holdings.map(({ plan }) => planText(plan)))]
  return texts.map(text => {
    const { plan } = plans.get(text) as StoredPlan
    const taken = holdings.filter(holding => planText(holding.plan) === text).map(({ feature }) => feature)
    return { plan, features: taken.includes(null) ? plan.features : plan.features.filter(({ feature }) => taken.includes(feature)) }
  })
}

/**
 * The customer has gone through with it: the org now holds what was offered. However often this is called, also at once
 * and by several replicas, that happens once: nothing that was changed since is changed back.
 * @throws TollgateError `checkout_expired`; `TERR1020`, `plan_unavailable` if it is not offered any more; `subscription_conflict` for
 *   what cannot be added to what the org holds; then nothing has changed
 */
export async function completeCheckout (stores: Stores, environment: string, id: string): Promise<Checkout> {
  const { checkout, now } = await openCheckout(stores, environment, id)
  if (checkout.completedAt !== null) return checkout
  if (checkout.features.length === 0) {
    await available(stores.checkouts.complete(id, now))
    return checkout
  }
  const org = checkout.org ?? `${NEW_ORG}${id}`
  const admit = async ({ org, completeCheckout }: LockedOrg): Promise<boolean> => {
    // It was renamed a moment ago, and its name is another's, or nobody's.
    if (checkout.orgKey !== null && org.key !== checkout.orgKey) throw orgNotFound('/org')
    return await completeCheckout(id, now)
  }
  if (checkout.adds) await takePlans(stores, { environment, org, plans: checkout.features, create: true, admit })
  else await subscribe(stores, { environment, org, phases: phasesOf(checkout, now), info: undefined, admit })
  return { ...checkout, org }
}

/** A trial, then the same for good: the phases that Tier's SDK makes of `trialDays`. */
function phasesOf ({ features, trialDays }: Checkout, now: number): SentPhase[] {
  if (trialDays === 0) return [{ effectiveAt: null, features, trial: false }]
  return [{ effectiveAt: null, features, trial: true }, { effectiveAt: now + trialDays * DAY_MS, features, trial: false }]
}

async function openCheckout (stores: Stores, environment: string, id: string): Promise<{ checkout: StoredCheckout } & Present> {
  const found = await available(stores.checkouts.find(environment, id))
  if (found === undefined) throw new TollgateError('checkout_expired', 'this checkout is not kept any more')
  const at = await present(stores, environment)
  if (at.now < found.expiresAt) return { checkout: found, ...at }
  throw new TollgateError('checkout_expired', `this checkout ended at ${new Date(found.expiresAt).toISOString()}`)
}

/** @throws TollgateError `org_not_found` */
export async function paymentMethods (
  stores: Stores, payments: Payments, environment: string, text: string
): Promise<readonly PaymentMethod[]> {
  const { name } = await orgNow(stores, environment, parseOrg(text, '?org'))
  return await payments.paymentMethods(environment, name)
}

/**
 * Payment methods that a caller names must be the org's; an empty text names none.
 * @throws TollgateError `invalid_payment_method`, in Stripe's words
 */
export async function checkPaymentMethods (
  payments: Payments, environment: string, org: string, named: ReadonlyArray<readonly [pointer: string, id: string]>
): Promise<void> {
  const given = named.filter(([, id]) => id !== '')
  if (given.length === 0) return
  const known = await payments.paymentMethods(environment, parseOrg(org))
  const unknown = given.find(([, id]) => !known.some(method => method.id === id))
  if (unknown === undefined) return
  const [pointer, id] = unknown
  throw new TollgateError('invalid_payment_method', `No such PaymentMethod: '${id}'`, { pointer })
}
