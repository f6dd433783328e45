import { and, desc, eq, sql } from 'drizzle-orm'
import type { Amount } from '../domain/amount.ts'
import type { Instant } from '../domain/entitlement.ts'
import { TIME_END } from '../domain/period.ts'
import { type Database, orm } from './database.ts'
import { type Page, pageOf } from './page.ts'
import { features, overrides } from './schema.ts'

/** An override, with what people say of it. */
export interface LoggedOverride {
  readonly feature: string
  readonly startsAt: Instant
  readonly endsAt: Instant | null
  /** null: unlimited */
  readonly limit: Amount | null
  /** null: as the plan has it */
  readonly overage: boolean | null
  readonly reason: string
}

export interface Overrides {
  /**
   * Past ones and those in force: feature by feature, of each the newest first.
   * @param feature undefined: of all
   * @param after the key of the last one's feature, and its start
   */
  list (org: number, feature: string | undefined, after: readonly [number, Instant] | null, countMax: number): Promise<Page<LoggedOverride>>
}

export function overrideStore (database: Database): Overrides {
  return {
    list: async (org, feature, after, countMax) => {
      const before = after === null
        ? undefined
        : sql`(${overrides.feature}, ${overrides.startsAt}) < (${after[0]}::bigint, ${textOf(after[1])}::timestamptz)`
      const rows = await orm(database).select({ key: overrides.feature, feature: features.name, row: overrides }).from(overrides)
        .innerJoin(features, eq(features.id, overrides.feature))
        .where(and(eq(overrides.org, org), feature === undefined ? undefined : eq(features.name, feature), before))
        .orderBy(desc(overrides.feature), desc(overrides.startsAt)).limit(countMax + 1)
      const { items, next } = pageOf(rows, countMax, ({ key, row }) => [key, row.startsAt])
      return { items: items.map(({ feature, row: { org: _org, ...row } }) => ({ ...row, feature })), next }
    }
  }
}

/** Postgres reads no more than four digits of a year as we write it. */
function textOf (at: Instant): string {
  return new Date(Math.min(at, TIME_END - 1)).toISOString()
}
