import { and, asc, eq, gt, sql } from 'drizzle-orm'
import type { Instant } from '../domain/entitlement.ts'
import type { SegmentRule, TrackedEvent } from '../domain/segment.ts'
import { type Database, orm } from './database.ts'
import { type Page, pageOf } from './page.ts'
import { segmentEvents, segmentRules } from './schema-kana.ts'
import { instantText } from './instants.ts'

const SWEPT_ROWS_MAX = 1_000

export interface StoredEvent extends TrackedEvent {
  readonly environment: string
  readonly seq: number
}

export interface EventName {
  readonly environment: string
  readonly event: string
}

/** Rules by which events of Segment are uses of features, and events that wait for one. */
export interface Segment {
  /** @returns false, and adds nothing, if there are as many as there may be */
  addRule (environment: string, rule: SegmentRule, rulesMax: number): Promise<boolean>
  /** In the order of their ids, which is that of their making. */
  listRules (environment: string, after: string | null, countMax: number): Promise<Page<SegmentRule>>
  /** Of events of this name. */
  rulesFor (environment: string, event: string): Promise<SegmentRule[]>
  findRule (environment: string, id: string): Promise<SegmentRule | undefined>
  /** @returns false if there is none */
  removeRule (environment: string, id: string): Promise<boolean>
  /** Keeps an event that no rule maps. One of its id that waits already stays as it is. */
  keep (environment: string, event: TrackedEvent): Promise<void>
  /** Names of events that wait, of which a rule was made at `since` or later. */
  wanted (since: Instant, from: EventName | undefined, countMax: number): Promise<EventName[]>
  /** Those that wait, in the order in which they came. */
  waiting (environment: string, event: string, after: number, countMax: number): Promise<StoredEvent[]>
  drop (environment: string, id: string): Promise<void>
  /** Deletes a page of those that came before. @returns are there more? */
  sweep (before: Instant): Promise<boolean>
}

export function segmentStore (database: Database): Segment {
  const db = orm(database)
  const { environment: owner, event, seq, id } = segmentEvents
  return {
    addRule: async (environment, { id, event, conditions, feature }, rulesMax) => {
      const added = await db.execute(sql`
        insert into segment_rules (environment, id, event, conditions, feature)
        select ${environment}, ${id}::uuid, ${event}, ${JSON.stringify(conditions)}::jsonb, ${feature}
        where (select count(*) from segment_rules where environment = ${environment}) < ${rulesMax}::int returning id`)
      return added.length > 0
    },
    listRules: async (environment, after, countMax) => {
      const rows = await db.select().from(segmentRules)
        .where(and(eq(segmentRules.environment, environment), after === null ? undefined : gt(segmentRules.id, after)))
        .orderBy(asc(segmentRules.id)).limit(countMax + 1)
      return pageOf(rows.map(ruleOf), countMax, ({ id }) => [id])
    },
    rulesFor: async (environment, name) => (await db.select().from(segmentRules)
      .where(and(eq(segmentRules.environment, environment), eq(segmentRules.event, name))).orderBy(asc(segmentRules.id))).map(ruleOf),
    findRule: async (environment, id) => {
      const [row] = await db.select().from(segmentRules).where(and(eq(segmentRules.environment, environment), eq(segmentRules.id, id)))
      return row === undefined ? undefined : ruleOf(row)
    },
    removeRule: async (environment, id) => {
      const removed = await db.delete(segmentRules).where(and(eq(segmentRules.environment, environment), eq(segmentRules.id, id)))
        .returning({ id: segmentRules.id })
      return removed.length > 0
    },
    keep: async (environment, event) => {
      await db.insert(segmentEvents).values({ environment, ...event }).onConflictDoNothing()
    },
    wanted: async (since, from, countMax) => await db.execute<{ environment: string, event: string }>(sql`
      select distinct r.environment, r.event from segment_rules r where r.created_at >= ${instantText(since)}::timestamptz
        and (r.environment, r.event) >= (${from?.environment ?? ''}::text, ${from?.event ?? ''}::text)
        and exists (select from segment_events e where e.environment = r.environment and e.event = r.event)
      order by r.environment, r.event limit ${countMax}::int`),
    waiting: async (environment, name, after, countMax) => await db.select().from(segmentEvents)
      .where(and(eq(owner, environment), eq(event, name), gt(seq, after))).orderBy(asc(seq)).limit(countMax),
    drop: async (environment, gone) => {
      await db.delete(segmentEvents).where(and(eq(owner, environment), eq(id, gone)))
    },
    sweep: async before => {
      const [deleted] = await db.execute<{ count: number }>(sql`
        with deleted as (
          delete from segment_events where ctid = any(array(
            select ctid from segment_events where received_at < ${instantText(before)}::timestamptz limit ${SWEPT_ROWS_MAX}
          )) returning 1
        ) select count(*)::int as count from deleted`)
      return deleted?.count === SWEPT_ROWS_MAX
    }
  }
}

function ruleOf ({ environment: _environment, ...rule }: typeof segmentRules.$inferSelect): SegmentRule {
  return rule
}
