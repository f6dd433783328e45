import { sql } from 'drizzle-orm'
import type { Instant } from '../domain/entitlement.ts'
import { plainArray } from './arrays.ts'
import { addMissing } from './counter-repair.ts'
import { type Database, prepare, type Session, type Statement } from './database.ts'
import { lockOrgs } from './ledger-statements.ts'
import type { Orgs } from './orgs.ts'
import { instantFrom } from './schema.ts'
import { foldOf } from './verification.ts'
import { instantText } from './instants.ts'

/** Events that one transaction deletes: it holds its org and, embedded, everybody else for as long as that takes. */
const PAGE_EVENTS = 1_000
/** Orgs that are looked at in one statement. */
const ORGS_MAX = 100

export interface OldEvents {
  readonly org: number
  readonly environment: string
  readonly feature: number
}

export interface Retention {
  /**
   * Notes that events of before `since` may be gone. One process may do so in `everyMs`, and deletes them then: whoever
   * is second is told no.
   */
  claim (since: Instant, everyMs: number): Promise<boolean>
  /**
   * Whose events of before `before` may be deleted: a page of orgs, after the org with this key, in order. Time that is
   * frozen does not pass: test clocks and frozen environments keep theirs.
   * @returns the key to go on after; null: these were the last
   */
  old (before: Instant, after: number): Promise<{ readonly found: readonly OldEvents[], readonly next: number | null }>
  /**
   * Deletes a page of them under the org's lock. A window that loses events has a counter from then on, if it had none:
   * nobody adds up what is left.
   * @returns how many it deleted; 0: there are no more
   */
  prune (old: OldEvents, before: Instant, now: Instant): Promise<number>
}

const claimed = prepare<'since' | 'before'>(sql`
  update ledger set events_kept_since = ${sql.placeholder('since')}::timestamptz
  where events_kept_since is null or events_kept_since <= ${sql.placeholder('before')}::timestamptz returning id`)

/** Each feature by jumping to it in the index. */
const oldOf = prepare<'before' | 'after' | 'count'>(sql`
  select page.id, page.environment, old.feature from (
    select id, environment from orgs where id > ${sql.placeholder('after')}::int order by id limit ${sql.placeholder('count')}
  ) page left join lateral (
    with recursive used (feature) as (
      (select feature from events where org = page.id order by feature limit 1)
      union all select (select e.feature from events e where e.org = page.id and e.feature > used.feature order by e.feature limit 1)
      from used where used.feature is not null
    )
    select feature from used where feature is not null
      and exists (select from environments v where v.name = page.environment and v.parent is null and v.fixed_now is null)
      and exists (select from events e where e.org = page.id and e.feature = used.feature and e.at < ${sql.placeholder('before')}::timestamptz)
  ) old on true
  order by page.id, old.feature`)

const OLD = sql`org = ${sql.placeholder('org')} and feature = ${sql.placeholder('feature')} and at < ${sql.placeholder('before')}::timestamptz`

/** Windows of a page of old events that have no counter. */
const uncounted = prepare<'org' | 'feature' | 'before' | 'count'>(sql`
  select e.window_start, nullif(max(coalesce(e.window_end, 'infinity')), 'infinity') from (
    select window_start, window_end from events where ${OLD} order by at limit ${sql.placeholder('count')}
  ) e
  where not exists (
    select from counters c where c.org = ${sql.placeholder('org')} and c.feature = ${sql.placeholder('feature')} and c.window_start = e.window_start
  ) group by e.window_start`)

const deleteOld = prepare<'org' | 'feature' | 'before' | 'count'>(sql`
  with gone as (
    delete from events where ctid = any(array(select ctid from events where ${OLD} order by at limit ${sql.placeholder('count')})) returning 1
  ) select count(*)::int from gone`)

export function retention (database: Database, orgs: Orgs): Retention {
  const rowsOf = async (session: Session, statement: Statement): Promise<ReadonlyArray<readonly unknown[]>> =>
    (await session.run([statement]))[0]?.rows ?? []

  return {
    claim: async (since, everyMs) => {
      const rows = await rowsOf(database, claimed({ since: instantText(since), before: instantText(since - everyMs) }))
      return rows.length > 0
    },
    old: async (before, after) => {
      const statement = oldOf({ before: instantText(before), after, count: ORGS_MAX })
      const rows = await rowsOf(database, statement) as Array<[number, string, number | null]>
      const found = rows.flatMap(([org, environment, feature]) => feature === null ? [] : [{ org, environment, feature }])
      const seen = new Set(rows.map(([org]) => org))
      return { found, next: seen.size < ORGS_MAX ? null : rows.at(-1)?.[0] ?? null }
    },
    prune: async ({ org, environment, feature }, before, now) => await database.transaction(async session => {
      await session.run([lockOrgs({ orgs: plainArray([org]) })])
      const page = { org, feature, before: instantText(before), count: PAGE_EVENTS }
      for (const [start, end] of await rowsOf(session, uncounted(page)) as Array<[string, string | null]>) {
        const key = { org, feature, start: instantFrom(start), end: end === null ? null : instantFrom(end) }
        const { last } = await foldOf(session, environment, key)
        if (last !== null) await addMissing(session, orgs, key, last.usedAfter, now)
      }
      const [[deleted = 0] = []] = await rowsOf(session, deleteOld(page)) as Array<[number]>
      return deleted
    })
  }
}
