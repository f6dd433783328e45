import type { Instant } from '../domain/entitlement.ts'
import { type Holding, holdingText, type PlanRef } from '../domain/ids.ts'
import { parsePlans, type Plan, planDocument, type PlansDocument } from '../domain/plan.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { present } from './time.ts'

/** What became of one feature of a pushed plan: Tier's words. */
export interface PushResult {
  /** `feature:x@plan:y@1` */
  readonly feature: string
  readonly status: 'ok' | 'failed'
  readonly reason: string
}

/**
 * Publishes the plans of a document. Each plan is stored whole or not at all, and never changes afterwards.
 * @throws TollgateError `invalid_request` for a document that is not well formed; nothing is stored then
 */
export async function push (stores: Stores, environment: string, document: unknown): Promise<PushResult[]> {
  const results: PushResult[] = []
  const { now } = await present(stores, environment)
  for (const parsed of parsePlans(document)) {
    const features = parsed.ok ? parsed.plan.features.map(({ feature }) => feature) : parsed.features
    const reason = parsed.ok ? await publish(stores, environment, parsed.plan, now) : parsed.reason
    const status = reason === CREATED ? 'ok' : 'failed'
    results.push(...features.map(feature => ({ feature: featurePlan(parsed.ref, feature), status, reason } as const)))
  }
  return results
}

const CREATED = 'created'
/** Tier's words. */
export const EXISTS = 'plan already exists'

async function publish ({ catalog }: Stores, environment: string, plan: Plan, at: Instant): Promise<string> {
  return await available(catalog.add(environment, plan, at)) ? CREATED : EXISTS
}

function featurePlan (plan: PlanRef, feature: string): string {
  const holding: Holding = { plan, feature }
  return holdingText(holding)
}

/** Every published plan, as a document that can be pushed again. */
export async function pull ({ catalog }: Stores, environment: string): Promise<PlansDocument> {
  return planDocument(await available(catalog.published(environment)))
}
