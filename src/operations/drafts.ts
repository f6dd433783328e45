import { parseTextCursor } from '../domain/cursor.ts'
import { escaped } from '../domain/document.ts'
import { parseFeature, parsePlanName, parsePlanRef, type PlanRef, planText } from '../domain/ids.ts'
import { type ParsedPlan, parsePlan, parsePlans, type Plan, type PlanStatus } from '../domain/plan.ts'
import { checkProperties, type Properties } from '../domain/properties.ts'
import { TollgateError } from '../errors.ts'
import type { CatalogPlan } from '../storage/catalog.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { type Listed, listed, type ListRequest } from './listed.ts'
import { present } from './time.ts'

/** Where the id of a plan stands in these calls. */
const PLAN = '?plan'
const LIST = 'plans'

/** What is undefined chooses nothing. */
export interface PlanList extends ListRequest {
  readonly status: PlanStatus | undefined
  /** `plan:pro`: all its versions. */
  readonly name: string | undefined
  readonly feature: string | undefined
  readonly addon: boolean | undefined
}

/** Plans of all statuses, by name and version. */
export async function listPlans ({ plans }: Stores, list: PlanList): Promise<Listed<CatalogPlan>> {
  const filter = {
    status: list.status,
    addon: list.addon,
    name: list.name === undefined ? undefined : parsePlanName(list.name, '?name'),
    feature: list.feature === undefined ? undefined : parseFeature(list.feature, '?feature')
  }
  const [name, version] = list.cursor === undefined ? [] : parseTextCursor(list.cursor, LIST, 2)
  const after = name === undefined || version === undefined ? null : { name, version }
  return listed(LIST, await available(plans.list(list.environment, filter, after, list.countMax)))
}

/** @throws TollgateError `not_found` */
export async function readPlan ({ catalog }: Stores, environment: string, text: string): Promise<CatalogPlan> {
  const plan = await available(catalog.find(environment, parsePlanRef(text, PLAN)))
  if (plan === undefined) throw new TollgateError('not_found', `there is no ${text}`, { pointer: PLAN })
  return plan
}

/**
 * Creates a draft from a document with one plan, as push takes it.
 * @throws TollgateError `invalid_request`; `plan_conflict` if there is such a plan, of whatever status
 */
export async function createDraft (
  stores: Stores, environment: string, document: unknown, metadata: Properties = {}
): Promise<CatalogPlan> {
  checkProperties(metadata, '/metadata')
  const [parsed, ...more] = parsePlans(document)
  if (parsed === undefined || more.length > 0) {
    throw new TollgateError('invalid_request', 'plans must have one plan', { pointer: '/plans' })
  }
  const pointer = `/plans/${escaped(planText(parsed.ref))}`
  const plan = possible(parsed, pointer)
  const { now } = await present(stores, environment)
  const known = await available(stores.plans.putDraft(environment, plan, true, now, metadata))
  if (known !== undefined) throw conflict(plan.ref, `exists already: it is ${known === 'draft' ? 'a draft' : known}`, pointer)
  return await readPlan(stores, environment, planText(plan.ref))
}

/**
 * Creates a draft, or puts it in place of the draft there is.
 * @param document what a push says of one plan
 * @throws TollgateError `invalid_request`; `plan_conflict` if the plan was published
 */
export async function putDraft (stores: Stores, environment: string, text: string, document: unknown): Promise<CatalogPlan> {
  const ref = parsePlanRef(text, PLAN)
  const plan = possible(parsePlan(ref, document), '')
  const { now } = await present(stores, environment)
  const known = await available(stores.plans.putDraft(environment, plan, false, now))
  if (known !== undefined) throw conflict(ref, `is ${known}, and never changes: create another version`, PLAN)
  return await readPlan(stores, environment, text)
}

/**
 * Publishes a draft, or makes an archived plan available again. Does nothing to one that is published.
 * @throws TollgateError `not_found`
 */
export async function publishPlan (stores: Stores, environment: string, text: string): Promise<CatalogPlan> {
  const { now } = await present(stores, environment)
  await available(stores.plans.setStatus(environment, parsePlanRef(text, PLAN), 'published', now))
  return await readPlan(stores, environment, text)
}

/**
 * From now on nobody is subscribed to it who does not hold it; who does keeps it. Does nothing to one that is archived.
 * @throws TollgateError `not_found`; `plan_conflict` for a draft, and for the plan to which new orgs are subscribed
 */
export async function archivePlan (stores: Stores, environment: string, text: string): Promise<CatalogPlan> {
  const ref = parsePlanRef(text, PLAN)
  const { now } = await present(stores, environment)
  const obstacle = await available(stores.plans.setStatus(environment, ref, 'archived', now))
  if (obstacle === 'default') throw conflict(ref, `is the default plan of ${environment}: choose another one first`, PLAN)
  if (obstacle !== undefined) throw conflict(ref, 'is a draft, which nobody can hold: delete it instead', PLAN)
  return await readPlan(stores, environment, text)
}

/** @throws TollgateError `not_found`; `plan_conflict` for what was published: somebody may hold it, or have held it */
export async function deleteDraft (stores: Stores, environment: string, text: string): Promise<void> {
  const { plan: { ref } } = await readPlan(stores, environment, text)
  const known = await available(stores.plans.remove(environment, ref))
  if (known !== undefined) throw conflict(ref, `is ${known}, and somebody may hold it: archive it instead`, PLAN)
}

/** A document may be well formed, and say what cannot be. */
function possible (parsed: ParsedPlan, pointer: string): Plan {
  if (!parsed.ok) throw new TollgateError('invalid_request', parsed.reason, { pointer })
  return parsed.plan
}

function conflict (ref: PlanRef, what: string, pointer: string): TollgateError {
  return new TollgateError('plan_conflict', `${planText(ref)} ${what}`, { pointer })
}
