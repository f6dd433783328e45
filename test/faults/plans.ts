import { aggregateOf as mixedAggregateOf, FEATURES as MIXED, MIXED_PLANS } from '../e2e/mixed-plans.ts'
import type { Aggregate } from '../e2e/model.ts'

/** Never passed: what uses it asks first. */
export const TIGHT = 'feature:tight'
const TIGHT_LIMIT = 300

export const FEATURES = [...MIXED, TIGHT]
export { MIXED }

/** What every org holds. */
export const HELD = ['plan:mix@a', 'plan:tight@0']

export const PLANS = { plans: { ...MIXED_PLANS.plans, 'plan:tight@0': { features: { [TIGHT]: { tiers: [{ upto: TIGHT_LIMIT }] } } } } }

export function aggregateOf (feature: string, limit: number): Aggregate {
  return feature === TIGHT ? 'sum' : mixedAggregateOf(feature, limit)
}
