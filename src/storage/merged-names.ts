import { sql } from 'drizzle-orm'
import { COMMIT_SUFFIX, mergedId, mergedIdAgain } from '../domain/ids.ts'
import type { Org } from '../domain/org.ts'
import { plainArray } from './arrays.ts'
import { orm, type Session } from './database.ts'

interface Merging {
  readonly kept: Org
  readonly from: Org
}

/** The reservation whose event would be called so; null: none. */
const committedBy = (id: string): string => `case when right(${id}, ${COMMIT_SUFFIX.length}) = '${COMMIT_SUFFIX}' then left(${id}, -${COMMIT_SUFFIX.length}) end`

/**
 * New names for events whose id the org that is kept has as well, or gives to the event of one of its reservations when that is committed:
 * `<old user>/<id>`; where somebody had that already, with the old org's key behind it. Asked before anything has moved.
 */
export async function renamesOf (session: Session, { kept, from }: Merging): Promise<ReadonlyMap<string, string>> {
  const [found] = await session.run([{
    text: `select f.id, exists (select from events e where e.org = any($3::int[]) and e.id = $4::text || f.id)
        or exists (select from reservations r where r.org = any($3::int[]) and r.id = $4::text || ${committedBy('f.id')})
      from events f
      where f.org = $2::int and (exists (select from events k where k.org = $1::int and k.id = f.id)
        or exists (select from reservations k where k.org = $1::int and k.id = ${committedBy('f.id')}))`,
    params: [kept.key, from.key, plainArray([kept.key, from.key]), mergedId(from.name, '')]
  }])
  const rows = (found?.rows ?? []) as unknown as Array<[id: string, twice: boolean]>
  return new Map(rows.map(([id, twice]) => [id, twice ? mergedIdAgain(from.name, id, from.key) : mergedId(from.name, id)]))
}

/** The same for reservations, so that each goes on to be called as its event is. Before the events have moved. */
export async function renameReservations (session: Session, { kept, from }: Merging): Promise<void> {
  const prefix = mergedId(from.name, '')
  const both = sql`any(${plainArray([kept.key, from.key])}::int[])`
  await orm(session).execute(sql`
    update reservations r set id = ${prefix}::text || r.id || case
      when exists (select from reservations o where o.org = ${both} and o.id = ${prefix}::text || r.id)
        or exists (select from events e where e.org = ${both} and e.id = ${prefix}::text || r.id || ${COMMIT_SUFFIX}::text)
      then ${`/${from.key}`}::text else '' end
    where r.org = ${from.key} and (exists (select from reservations k where k.org = ${kept.key} and k.id = r.id)
      or exists (select from events k where k.org = ${kept.key} and k.id = r.id || ${COMMIT_SUFFIX}::text))`)
}
