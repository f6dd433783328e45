import { sql } from 'drizzle-orm'
import { makePgArray } from 'drizzle-orm/pg-core'
import { type Amount, amountFromNumeric } from '../domain/amount.ts'
import type { Instant } from '../domain/entitlement.ts'
import type { Org } from '../domain/org.ts'
import { instantArray, plainArray } from './arrays.ts'
import { orm, type Session } from './database.ts'
import { wantedAt } from './merged-windows.ts'
import { instantFrom } from './schema.ts'
import { instantText } from './instants.ts'

/** What is held in one window of the merged org. */
export interface Held {
  readonly feature: number
  readonly start: Instant
  readonly reserved: Amount
  readonly until: Instant
}

interface Moving {
  readonly kept: Org
  readonly from: Org
  readonly merged: Org
  readonly now: Instant
}

/**
 * Gives the reservations of `from` to the org that is kept, each in the merged org's window.
 * @param keptRecut features of which the kept org's own windows are others now
 * @returns what is held of every feature that any of this is about
 */
export async function moveReservations (
  session: Session, { kept, from, merged, now }: Moving, keptRecut: readonly number[]
): Promise<Held[]> {
  const db = orm(session)
  const places = await db.execute<{ org: number, feature: number, at: string, start: string, end: string | null }>(sql`
    select distinct org, feature, at, window_start as start, window_end as "end" from reservations
    where org = ${from.key} or (org = ${kept.key} and feature = any(${plainArray(keptRecut)}::int[]))`)
  const placed = places.map(({ org, feature, at, start, end }) => {
    const instant = instantFrom(at)
    const was = { start: instantFrom(start), end: end === null ? null : instantFrom(end) }
    return { org, feature, at: instant, window: wantedAt(merged, feature, instant, was, now).window }
  })
  if (placed.length === 0) return []
  await db.execute(sql`
    update reservations r set org = ${kept.key}, window_start = place.window_start, window_end = place.window_end
    from unnest(${plainArray(placed.map(({ org }) => org))}::int[], ${plainArray(placed.map(({ feature }) => feature))}::int[],
      ${instantArray(placed.map(({ at }) => at))}::timestamptz[], ${instantArray(placed.map(({ window }) => window.start))}::timestamptz[],
      ${instantArray(placed.map(({ window }) => window.end))}::timestamptz[]) as place (org, feature, at, window_start, window_end)
    where r.org = place.org and r.feature = place.feature and r.at = place.at`)
  const features = makePgArray([...new Set(placed.map(({ feature }) => feature))])
  const held = await db.execute<{ feature: number, start: string, reserved: string, until: string }>(sql`
    select feature, window_start as start, sum(amount) as reserved, min(expires_at) as until from reservations
    where org = ${kept.key} and feature = any(${features}::int[]) and state = 'held' and expires_at > ${instantText(now)}::timestamptz
    group by feature, window_start`)
  return held.map(({ feature, start, reserved, until }) => ({
    feature, start: instantFrom(start), reserved: amountFromNumeric(reserved), until: instantFrom(until)
  }))
}
