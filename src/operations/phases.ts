import type { Instant } from '../domain/entitlement.ts'
import { holdingText, parseOrg, type PlanRef, planText } from '../domain/ids.ts'
import { billingPeriod, type Org, type StoredPlan } from '../domain/org.ts'
import type { OrgInfo } from '../domain/org-info.ts'
import { inForce, phasesOf, type ShownPhase } from '../domain/schedule.ts'
import type { Window } from '../domain/window.ts'
import { TollgateError } from '../errors.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { orgNotFound } from './org.ts'
import { present } from './time.ts'

/** A phase as Tier shows it; lists are in order of name, then of version, each entry once. */
export interface PhaseView {
  readonly effectiveAt: Instant
  readonly endsAt: Instant | null
  /** `feature:x@plan:y@1`, of all plans */
  readonly features: readonly string[]
  /** Plans of which every feature is held. */
  readonly plans: readonly string[]
  /** Features whose plan is not complete. */
  readonly fragments: readonly string[]
  readonly trial: boolean
  readonly automaticTax: boolean
}

export interface PhasesView {
  /** The current phase first, where one is in force; then those that are scheduled. */
  readonly phases: readonly PhaseView[]
  readonly inForce: boolean
  /** The billing period; null: nothing is in force. */
  readonly current: Window | null
}

/** @throws TollgateError `org_not_found` */
export async function phases (stores: Stores, environment: string, text: string): Promise<PhasesView> {
  const org = await orgNow(stores, environment, parseOrg(text, '?org'))
  const { now } = await present(stores, environment)
  const current = inForce(org.subscriptions, now)
  const shown = phasesOf(org.subscriptions, now)
  const { automaticTax = false }: OrgInfo = await available(stores.subscriptions.info(org))
  return {
    phases: shown.map(phase => ({ ...viewOf(phase, org), automaticTax })),
    inForce: current.length > 0,
    current: billingPeriod(org, now)
  }
}

/**
 * The current phase alone.
 * @throws TollgateError `not_found` without a subscription in force, as Tier answers
 */
export async function phase (stores: Stores, environment: string, text: string): Promise<PhaseView & { readonly current: Window }> {
  const { phases: [first], inForce, current } = await phases(stores, environment, text)
  if (!inForce || first === undefined || current === null) throw new TollgateError('not_found', 'Not Found')
  return { ...first, current }
}

/** As the ledger has it now: administration reads its own writes, however the mirror fares. */
export async function orgNow (stores: Stores, environment: string, name: string): Promise<Org> {
  const org = await available(stores.orgs.load(environment, name))
  if (org === undefined) throw orgNotFound('?org')
  return org
}

function viewOf ({ effectiveAt, endsAt, holdings, trial }: ShownPhase, { plans }: Org): Omit<PhaseView, 'automaticTax'> {
  const held = new Map<string, { readonly plan: PlanRef, readonly features: Set<string>, readonly of: number }>()
  for (const { plan, feature } of holdings) {
    const text = planText(plan)
    const all = featuresOf(plans.get(text))
    const { features } = held.get(text) ?? { features: new Set<string>() }
    for (const name of feature === null ? all : [feature]) features.add(name)
    held.set(text, { plan, features, of: all.length })
  }
  const byPlan = [...held.values()].sort((a, b) => compare(a.plan.name, b.plan.name) || compare(a.plan.version, b.plan.version))
  const features = byPlan
    .flatMap(({ plan, features, of }) => [...features].map(feature => ({ plan, feature, complete: features.size === of })))
    .sort((a, b) => compare(a.feature, b.feature))
  return {
    effectiveAt,
    endsAt,
    features: features.map(holdingText),
    plans: byPlan.filter(({ features, of }) => features.size === of).map(({ plan }) => planText(plan)),
    fragments: features.filter(({ complete }) => !complete).map(holdingText),
    trial
  }
}

function featuresOf (stored: StoredPlan | undefined): string[] {
  return stored?.plan.features.map(({ feature }) => feature) ?? []
}

function compare (a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
