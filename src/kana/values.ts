import { type Amount, WHOLE } from '../domain/amount.ts'
import type { FeatureType } from '../domain/entitlement.ts'
import type { Properties } from '../domain/properties.ts'
import type { ListedFeature } from '../storage/features.ts'
import { failure } from './failures.ts'

export type KanaFeatureType = 'BINARY' | 'CONSUMABLE'

export const FEATURE_TYPES: Readonly<Record<FeatureType, KanaFeatureType>> = { boolean: 'BINARY', metered: 'CONSUMABLE' }

/** GraphQL's Int has 32 bits; what is greater is shown as the greatest. `access` never depends on it. */
const INT_MAX = 2_147_483_647n

/** @param amount a whole one */
export function wholeInt (amount: Amount): number {
  const whole = amount / WHOLE
  return Number(whole > INT_MAX ? INT_MAX : whole)
}

/** As it was made, else as plans have it; where they differ, amounts, as some package has them. */
export function typeOf ({ type, types }: Pick<ListedFeature, 'type' | 'types'>): FeatureType {
  return type ?? (types.length === 1 && types[0] === 'boolean' ? 'boolean' : 'metered')
}

/** null is none. @throws `BAD_USER_INPUT` for what is no object */
export function metadataOf (sent: unknown): Properties {
  if (sent === null || sent === undefined) return {}
  // What stands in a query is an object without a prototype, which surprises others.
  if (typeof sent === 'object' && !Array.isArray(sent)) return { ...sent }
  throw failure('metadata must be an object')
}
