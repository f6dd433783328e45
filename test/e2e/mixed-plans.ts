import type { Aggregate } from './model.ts'

/** The feature that is added up otherwise under some of the plans. */
export const CHANGING = 'feature:shape'

const AGGREGATES = {
  'feature:sum': 'sum',
  'feature:count': 'count',
  'feature:max': 'max',
  'feature:last': 'last',
  'feature:perpetual': 'perpetual',
  [CHANGING]: 'sum'
} as const satisfies Record<string, Aggregate>

export const FEATURES = Object.keys(AGGREGATES)

/** A limit names the plan that set it. `@b` keeps the windows of `@a`; `@c` cuts all that resets, `@d` one feature. */
const LIMITS = { 'plan:mix@a': 1_000, 'plan:mix@b': 2_000, 'plan:mix@c': 3_000, 'plan:mix@d': 4_000 } as const

export const PLAN_NAMES = Object.keys(LIMITS)

export const MIXED_PLANS = {
  plans: Object.fromEntries(Object.entries(LIMITS).map(([plan, upto]) => [plan, {
    features: Object.fromEntries(FEATURES.map(feature => [feature, {
      aggregate: aggregateOf(feature, upto),
      tiers: [{ upto }],
      ...(plan === 'plan:mix@c' && feature !== 'feature:perpetual' && { reset: 'day' })
    }]))
  }]))
}

/** How the feature was added up under the plan with this limit. */
export function aggregateOf (feature: string, limit: number): Aggregate {
  if (feature === CHANGING) return limit >= LIMITS['plan:mix@c'] ? 'max' : 'sum'
  return AGGREGATES[feature as keyof typeof AGGREGATES]
}
