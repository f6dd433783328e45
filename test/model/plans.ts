import { parsePlans } from '../../src/domain/plan.ts'
import type { Stores } from '../../src/storage/stores.ts'

export const FEATURES = ['feature:a', 'feature:b'] as const

/** Every aggregate, limited, unlimited and with overage; from one to another, windows go on or are cut. */
const ENTITLEMENTS = {
  few: { 'feature:a': { tiers: [{ upto: 10 }] }, 'feature:b': { tiers: [{ upto: 4 }], aggregate: 'count' } },
  more: { 'feature:a': { tiers: [{ upto: 20 }] }, 'feature:b': { tiers: [{ upto: 3 }], aggregate: 'count', overage: true } },
  soft: { 'feature:a': { tiers: [{ upto: 5 }], overage: true }, 'feature:b': { tiers: [{ upto: 8 }], aggregate: 'max' } },
  open: { 'feature:a': { tiers: [{}] }, 'feature:b': { tiers: [{}], aggregate: 'max' } },
  top: { 'feature:a': { tiers: [{ upto: 8 }], aggregate: 'max' }, 'feature:b': { tiers: [{ upto: 10 }], reset: 'never' } },
  level: { 'feature:a': { tiers: [{ upto: 9 }], aggregate: 'last' }, 'feature:b': { tiers: [{ upto: 6 }], aggregate: 'perpetual' } },
  weekly: { 'feature:a': { tiers: [{ upto: 12 }], reset: 'week' }, 'feature:b': { tiers: [{ upto: 7 }], aggregate: 'last', overage: true } },
  half: { 'feature:a': { tiers: [{ upto: 6 }] }, 'feature:c': {} },
  access: { 'feature:a': {}, 'feature:b': { tiers: [{ upto: 5 }] } },
  /** Holds nothing of what is asked for. */
  none: { 'feature:c': {} }
} as const

export type PlanName = keyof typeof ENTITLEMENTS | 'calendar' | 'pack'
export const PLAN_NAMES = [...Object.keys(ENTITLEMENTS), 'calendar'] as readonly PlanName[]
/** Added to what is held, as an add-on. */
export const ADDON: PlanName = 'pack'

export async function addPlans ({ catalog }: Stores, environment: string): Promise<void> {
  const plans = Object.fromEntries(Object.entries(ENTITLEMENTS).map(([name, features]) =>
    [refOf(name as PlanName), { interval: '@daily', features }]))
  const others = {
    [refOf('calendar')]: { interval: '@daily', anchor: 'calendar', features: ENTITLEMENTS.few },
    [refOf('pack')]: { interval: '@daily', addon: true, features: { 'feature:a': { tiers: [{ upto: 3 }] } } }
  }
  for (const parsed of parsePlans({ plans: { ...plans, ...others } })) {
    if (!parsed.ok) throw new Error(parsed.reason)
    await catalog.add(environment, parsed.plan, Date.now())
  }
}

export function refOf (name: PlanName): string {
  return `plan:${name}@1`
}
