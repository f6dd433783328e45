import { planText } from '../domain/ids.ts'
import { isSamePlan, newestEarlier, planChange, type PlanChange } from '../domain/plan-change.ts'
import { type ParsedPlan, parsePlans, type Plan } from '../domain/plan.ts'
import { available } from '../storage/ledger-reader.ts'
import { HOLDERS_COUNTED_MAX } from '../storage/plan-holders.ts'
import type { Stores } from '../storage/stores.ts'
import { EXISTS } from './plans.ts'
import { present } from './time.ts'

/** What a push would do with one plan. */
export interface PlanPreview {
  /** `plan:pro@2` */
  readonly plan: string
  readonly outcome: 'created' | 'exists' | 'refused'
  /** Why it would not be created, in the words of a push; null: it would be. */
  readonly reason: string | null
  /** Of a plan that exists: does it say what the document says? Else null. */
  readonly identical: boolean | null
  /** `feature:x`, by name. */
  readonly features: readonly string[]
  /** Of a plan that would be created: the newest published version before it. Null: there is none. */
  readonly earlier: Earlier | null
}

export interface Earlier extends PlanChange {
  readonly plan: string
  /** How many orgs hold it now, or a feature of it. */
  readonly orgs: number
  /** There are more than `orgs`, which counts no further. */
  readonly orgsCapped: boolean
}

/**
 * What push would do with a document, plan by plan, in its order. Nothing is written.
 * @throws TollgateError `invalid_request` for a document that is not well formed, as push does
 */
export async function previewPush (stores: Stores, environment: string, document: unknown): Promise<PlanPreview[]> {
  const parsed = parsePlans(document)
  const published = await available(stores.catalog.published(environment))
  const previews: PlanPreview[] = []
  for (const plan of parsed) previews.push(await previewOf(stores, environment, plan))
  const { now } = await present(stores, environment)
  const earlier = parsed.map((plan, i) => previews[i]?.outcome === 'created' ? newestEarlier(plan.ref, published) : undefined)
  const refs = earlier.flatMap(plan => plan === undefined ? [] : [plan.ref])
  const holders = await available(stores.planHolders.count(environment, refs, now))
  return previews.map((preview, i) => ({ ...preview, earlier: earlierOf(earlier[i], parsed[i], holders) }))
}

async function previewOf ({ catalog }: Stores, environment: string, parsed: ParsedPlan): Promise<PlanPreview> {
  const plan = planText(parsed.ref)
  if (!parsed.ok) {
    return { plan, outcome: 'refused', reason: parsed.reason, identical: null, features: parsed.features, earlier: null }
  }
  const features = parsed.plan.features.map(({ feature }) => feature)
  const known = await available(catalog.find(environment, parsed.ref))
  if (known === undefined) return { plan, outcome: 'created', reason: null, identical: null, features, earlier: null }
  return { plan, outcome: 'exists', reason: EXISTS, identical: isSamePlan(known.plan, parsed.plan), features, earlier: null }
}

function earlierOf (before: Plan | undefined, after: ParsedPlan | undefined, holders: ReadonlyMap<string, number>): Earlier | null {
  if (before === undefined || after?.ok !== true) return null
  const plan = planText(before.ref)
  const counted = holders.get(plan) ?? 0
  const orgs = Math.min(counted, HOLDERS_COUNTED_MAX)
  return { plan, orgs, orgsCapped: counted > orgs, ...planChange(before, after.plan) }
}
