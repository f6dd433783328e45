import type { Instant } from '../domain/entitlement.ts'
import { parsePlanRef, planText } from '../domain/ids.ts'
import { type Org, orgOf, type StoredPlan } from '../domain/org.ts'
import type { Subscription } from '../domain/schedule.ts'
import { TollgateError } from '../errors.ts'
import type { CatalogPlan } from '../storage/catalog.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import type { Present } from './time.ts'

/** The key of an org that is not stored: it is answered for as if it held the default plan, and nothing is written. */
export const UNSEEN = 0

/**
 * For questions: the org as this process last saw it (its version is compared later), else as the ledger has it, else
 * as the environment's default plan would have it. At once, where it was seen.
 * @throws TollgateError `org_not_found`
 */
export function orgToAsk (stores: Stores, present: Present, name: string, pointer = '?org'): Org | Promise<Org> {
  return stores.orgs.cached(present.environment.name, name) ?? orgFromLedger(stores, present, name, pointer)
}

/** The same, whatever this process last saw. */
export async function orgFromLedger (stores: Stores, present: Present, name: string, pointer = '?org'): Promise<Org> {
  return await storedOrg(stores, present, name) ?? unstoredOrg(present, name, await defaultPlanOf(stores, present, pointer))
}

async function storedOrg ({ orgs }: Stores, { environment }: Present, name: string): Promise<Org | undefined> {
  return await available(orgs.load(environment.name, name))
}

/** @throws TollgateError `org_not_found`, of an org that is not stored, where the environment has none */
async function defaultPlanOf (stores: Stores, { environment: { name, defaultPlan } }: Present, pointer: string): Promise<StoredPlan> {
  if (defaultPlan === null) throw orgNotFound(pointer)
  return await planNamed(stores, name, defaultPlan)
}

function unstoredOrg ({ environment: { name: environment }, now }: Present, name: string, plan: StoredPlan): Org {
  const facts = {
    key: UNSEEN, environment, name, version: 0, timeZone: 'UTC', createdAt: now, subscriptions: [{ id: 0, ...firstSight(plan, now) }]
  }
  return orgOf(facts, () => plan)
}

/**
 * For reports: as above, at once where it was seen; but an org that nobody saw yet is stored and subscribed to the default plan.
 * @param judge throws for a report that the unstored org would refuse: then nothing is stored
 * @throws TollgateError `org_not_found`
 */
export function orgToCount (stores: Stores, present: Present, name: string, judge: (org: Org) => void): Org | Promise<Org> {
  return stores.orgs.cached(present.environment.name, name) ?? orgToStore(stores, present, name, judge)
}

async function orgToStore (stores: Stores, present: Present, name: string, judge: (org: Org) => void): Promise<Org> {
  const stored = await storedOrg(stores, present, name)
  if (stored !== undefined) return stored
  const plan = await defaultPlanOf(stores, present, '/org')
  judge(unstoredOrg(present, name, plan))
  const { environment: { name: environment }, now } = present
  const changed = await available(stores.subscriptions.change(environment, name, now, async locked => {
    // Somebody else may have been first.
    if (locked.created) await locked.reschedule({ end: [], remove: [], add: [firstSight(plan, now)] }, () => plan)
  }))
  return changed.org
}

/**
 * Counts for an org. Somebody else may have deleted the one that this process knows, and there may be a new one of that
 * name: when the ledger says that it is gone, it is looked for once more.
 * @throws TollgateError `org_not_found`, and what `count` throws
 */
export async function counting<T> (
  stores: Stores, present: Present, name: string, judge: (org: Org) => void, count: (org: Org) => Promise<T>
): Promise<T> {
  const known = orgToCount(stores, present, name, judge)
  const org = known instanceof Promise ? await known : known
  try {
    return await count(org)
  } catch (error) {
    if (!(error instanceof TollgateError) || error.code !== 'org_not_found') throw error
    stores.orgs.forget(org)
    return await count(await orgToCount(stores, present, name, judge))
  }
}

function firstSight ({ plan }: StoredPlan, now: Instant): Omit<Subscription, 'id'> {
  return {
    plan: plan.ref, feature: null, startsAt: now, endsAt: null, status: 'active', anchorAt: now, timeZone: 'UTC', phaseAt: now
  }
}

/**
 * A plan that may be subscribed to.
 * @throws TollgateError `TERR1020`, Tier's code for a plan that was not pushed; `plan_unavailable`
 */
export async function planNamed (stores: Stores, environment: string, text: string, pointer = '/plan'): Promise<StoredPlan> {
  const plan = await planPublished(stores, environment, text, pointer)
  if (plan.status === 'archived') throw archived(plan, pointer)
  return plan
}

/**
 * The same, or an archived one: whoever holds that keeps it.
 * @throws TollgateError `TERR1020`; `plan_unavailable` for a draft
 */
export async function planPublished ({ catalog }: Stores, environment: string, text: string, pointer: string): Promise<CatalogPlan> {
  const plan = await available(catalog.find(environment, parsePlanRef(text, pointer)))
  if (plan === undefined) throw new TollgateError('TERR1020', 'feature or plan not found', { pointer })
  if (plan.status === 'draft') throw new TollgateError('plan_unavailable', `${text} is a draft: publish it first`, { pointer })
  return plan
}

export function archived ({ plan }: StoredPlan, pointer: string): TollgateError {
  return new TollgateError('plan_unavailable', `${planText(plan.ref)} is archived: it takes no new subscriptions`, { pointer })
}

/** The ledger could not be asked, which says nothing about what was asked. */
export function isOutage (error: unknown): error is TollgateError {
  return error instanceof TollgateError && error.code === 'ledger_unavailable'
}

export function orgNotFound (pointer: string): TollgateError {
  return new TollgateError('org_not_found', 'org not found', { pointer })
}
