import { Type } from 'typebox'
import { parseAmount, WHOLE } from '../domain/amount.ts'
import { checkProperties } from '../domain/properties.ts'
import { parseInstant } from '../domain/time.ts'
import type { Usage } from '../operations/count.ts'
import { FeatureId, Flag, OrgId, SentAmount, SentTime } from './schemas.ts'

/** The members of a body that says what was used. */
export const SentUsage = {
  org: OrgId,
  feature: FeatureId,
  n: Type.Optional(SentAmount),
  at: Type.Optional(SentTime),
  id: Type.Optional(Type.String({ maxLength: 300, description: 'Makes a retry free: the same id counts once' })),
  properties: Type.Optional(Type.Unsafe<Record<string, unknown>>({ type: 'object', description: 'Kept with the event' }))
}

export interface SentUsageBody {
  readonly org: string
  readonly feature: string
  readonly n?: number | string | null
  readonly at?: string | null
  readonly clobber?: boolean | null
  readonly id?: string
  readonly properties?: Record<string, unknown>
}

export const Clobber = Type.Optional(Type.Unsafe<boolean | null>({ ...Flag, description: 'Set the total of the window to `n` instead of adding' }))

/** @throws TollgateError for what is not well formed */
export function usageOf (
  environment: string, { org, feature, n, at, clobber, properties }: SentUsageBody, { id, idPointer }: Pick<Usage, 'id' | 'idPointer'>
): Usage {
  return {
    environment,
    org,
    feature,
    n: n === undefined ? WHOLE : parseAmount(n ?? 0, '/n'),
    at: parseInstant(at, '/at'),
    clobber: clobber ?? false,
    id,
    idPointer,
    properties: properties === undefined ? undefined : checkProperties(properties)
  }
}
