import { parseTextCursor } from '../domain/cursor.ts'
import { parsePlanRef, planText } from '../domain/ids.ts'
import type { PlanStatus } from '../domain/plan.ts'
import { checkPlanPrices, parseLabel, type PlanPrice } from '../domain/plan-price.ts'
import { checkProperties, type Properties } from '../domain/properties.ts'
import { TollgateError } from '../errors.ts'
import type { CatalogPlan } from '../storage/catalog.ts'
import { available } from '../storage/ledger-reader.ts'
import type { BillingTemplate } from '../storage/plan-sales.ts'
import type { Stores } from '../storage/stores.ts'
import { readPlan } from './drafts.ts'
import { type Listed, listed, type ListRequest } from './listed.ts'
import { present } from './time.ts'

/** Where the id of a plan stands in these calls. */
const PLAN = '?plan'
const LIST = 'billing-templates'

/**
 * Links a plan to the prices at which a payment provider sells it, in place of those it was linked to. That changes none of what
 * the plan grants, so a published one may be linked, too.
 * @throws TollgateError `not_found`; `invalid_request`, `invalid_id`; `plan_conflict` for an archived plan
 */
export async function putPrices (stores: Stores, environment: string, text: string, prices: readonly PlanPrice[]): Promise<CatalogPlan> {
  const ref = parsePlanRef(text, PLAN)
  checkPlanPrices(prices)
  const { now } = await present(stores, environment)
  return await changed(stores, environment, text, await available(stores.planSales.putPrices(environment, ref, prices, now)))
}

/**
 * Names the add-ons that may be taken on top of a base plan, in place of those it named. An add-on that no base plan names may be
 * taken on top of any.
 * @throws TollgateError `not_found`; `invalid_request` for what is no base plan or no add-on; `plan_conflict` for an archived plan
 */
export async function putAddons (stores: Stores, environment: string, text: string, addons: readonly string[]): Promise<readonly string[]> {
  const base = await readPlan(stores, environment, text)
  if (base.plan.addon) throw new TollgateError('invalid_request', `${text} is an add-on: it has none of its own`, { pointer: PLAN })
  const keys = new Set<number>()
  for (const [i, addon] of addons.entries()) {
    const pointer = `/addons/${i}`
    const found = await available(stores.catalog.find(environment, parsePlanRef(addon, pointer)))
    if (found?.plan.addon !== true) throw new TollgateError('invalid_request', `${addon} is not an add-on that there is`, { pointer })
    keys.add(found.key)
  }
  const { now } = await present(stores, environment)
  const { key } = await changed(stores, environment, text,
    await available(stores.planSales.putAddons(environment, base.plan.ref, [...keys], now)))
  return await available(stores.planSales.addonsOf(key))
}

/** @throws TollgateError `not_found` */
export async function readAddons (stores: Stores, environment: string, text: string): Promise<readonly string[]> {
  const { key } = await readPlan(stores, environment, text)
  return await available(stores.planSales.addonsOf(key))
}

/** Its owner's notes. @throws TollgateError `not_found`, `invalid_request`; `plan_conflict` for an archived plan */
export async function putPlanMetadata (stores: Stores, environment: string, text: string, metadata: Properties): Promise<CatalogPlan> {
  const ref = parsePlanRef(text, PLAN)
  checkProperties(metadata, '/metadata')
  const { now } = await present(stores, environment)
  return await changed(stores, environment, text, await available(stores.plans.putMetadata(environment, ref, metadata, now)))
}

async function changed (stores: Stores, environment: string, text: string, status: PlanStatus | undefined): Promise<CatalogPlan> {
  if (status === 'archived') throw new TollgateError('plan_conflict', `${text} is archived, and stays as it is`, { pointer: PLAN })
  return await readPlan(stores, environment, text)
}

/**
 * Names a plan at one of its prices.
 * @throws TollgateError `invalid_id`; `invalid_request` for a plan that is not there, or is not linked to that price;
 *   `plan_conflict` if the id is taken
 */
export async function createTemplate (
  stores: Stores, environment: string, sent: { readonly id: string, readonly plan: string, readonly price: string }
): Promise<BillingTemplate> {
  const id = parseLabel(sent.id, '/id')
  const found = await available(stores.catalog.find(environment, parsePlanRef(sent.plan, '/plan')))
  if (found === undefined) throw new TollgateError('invalid_request', `there is no ${sent.plan}`, { pointer: '/plan' })
  if (!found.prices.some(price => price.id === sent.price)) {
    throw new TollgateError('invalid_request', `${planText(found.plan.ref)} is not linked to a price of that id`, { pointer: '/price' })
  }
  const added = await available(stores.planSales.addTemplate(environment, { id, plan: found.key, price: sent.price }))
  if (!added) throw new TollgateError('plan_conflict', `there is a billing template ${id} already`, { pointer: '/id' })
  return await readTemplate(stores, environment, id)
}

/** @throws TollgateError `template_not_found` */
export async function readTemplate ({ planSales }: Stores, environment: string, id: string): Promise<BillingTemplate> {
  const template = await available(planSales.findTemplate(environment, parseLabel(id, '?id')))
  if (template === undefined) throw templateNotFound(id)
  return template
}

/** By id. */
export async function listTemplates (
  { planSales }: Stores, { environment, cursor, countMax }: ListRequest
): Promise<Listed<BillingTemplate>> {
  const [after = null] = cursor === undefined ? [] : parseTextCursor(cursor, LIST, 1)
  return listed(LIST, await available(planSales.listTemplates(environment, after, countMax)))
}

/** Links that were made by it stay. @throws TollgateError `template_not_found` */
export async function deleteTemplate ({ planSales }: Stores, environment: string, id: string): Promise<void> {
  if (!await available(planSales.removeTemplate(environment, parseLabel(id, '?id')))) throw templateNotFound(id)
}

function templateNotFound (id: string): TollgateError {
  return new TollgateError('template_not_found', `there is no billing template ${id}`, { pointer: '?id' })
}
