import { sql } from 'drizzle-orm'
import { type Amount, amountFromNumeric } from '../domain/amount.ts'
import { prepare, type Session } from './database.ts'
import type { CounterKey } from './mirror.ts'
import { instantText } from './instants.ts'

/** By the ledger's key: the planner is told to scan no table, not even one of one row. */
const lastFigure = prepare<'org' | 'feature' | 'start'>(sql`
  select (
    select used_after from events where org = ${sql.placeholder('org')} and feature = ${sql.placeholder('feature')}
      and window_start = ${sql.placeholder('start')}::timestamptz and at >= ${sql.placeholder('start')}::timestamptz
    order by seq desc limit 1
  ) from (select events_kept_since from ledger order by id limit 1) kept
  where kept.events_kept_since > ${sql.placeholder('start')}::timestamptz`)

/**
 * What the last event left a window at that may have lost events to their age: what is left of it must not be added up
 * (docs/adr/0047).
 * @returns undefined: it has all of its events, or none
 */
export async function lastFigureOfPruned (session: Session, { org, feature, start }: CounterKey): Promise<Amount | undefined> {
  const [result] = await session.run([lastFigure({ org, feature, start: instantText(start) })])
  const used = result?.rows[0]?.[0] as string | null | undefined
  return used === null || used === undefined ? undefined : amountFromNumeric(used)
}
