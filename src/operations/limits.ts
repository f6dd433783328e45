import type { Amount } from '../domain/amount.ts'
import { WHOLE } from '../domain/amount.ts'
import { parseOrg } from '../domain/ids.ts'
import type { Stores } from '../storage/stores.ts'
import { standings } from './standing.ts'

export interface Limit {
  readonly feature: string
  readonly used: Amount
  /** null: unlimited */
  readonly limit: Amount | null
}

/**
 * Tier's view of what an org holds now, one entry per feature, by name. A feature that is not metered shows as one
 * used of an unlimited number, as Tier's licensed features do.
 */
export async function limits (stores: Stores, environment: string, text: string): Promise<Limit[]> {
  const found = await standings(stores, environment, parseOrg(text, '?org'), org => [...org.features.keys()])
  return found.standings.flatMap(({ feature, grant, counter }) => {
    if (grant === null) return []
    return [{ feature, used: grant.type === 'boolean' ? WHOLE : counter.used, limit: grant.limit }]
  })
}
