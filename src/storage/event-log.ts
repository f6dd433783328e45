import { sql } from 'drizzle-orm'
import { type Amount, amountFromNumeric } from '../domain/amount.ts'
import type { Instant } from '../domain/entitlement.ts'
import type { Window } from '../domain/window.ts'
import { plainArray } from './arrays.ts'
import { type Database, prepare } from './database.ts'
import { type Horizon, horizon } from './horizon.ts'
import { type EventMode, instantFrom } from './schema.ts'

/** Events that one statement walks over, whosever they are, so that none takes long. */
const SCAN_EVENTS_MAX = 5_000
/** Such statements for one page. */
const SCANS_MAX = 10
/** Of one event, the latest. */
const CORRECTIONS_MAX = 100

/** An event as it was recorded. */
export interface LoggedEvent {
  readonly id: string
  /** Its place in the order of arrival, over all orgs of the ledger; numbers may be missing. */
  readonly seq: number
  readonly org: string
  readonly feature: string
  readonly amount: Amount
  readonly mode: EventMode
  readonly at: Instant
  readonly window: Window
  readonly delta: Amount
  readonly usedAfter: Amount
  /** null: unlimited */
  readonly limitAfter: Amount | null
  readonly refersTo: string | null
  readonly reason: string | null
  readonly actor: string | null
  readonly properties: Readonly<Record<string, unknown>> | null
  /** It counts for nothing any more. */
  readonly voided: boolean
}

/** What to show: instants in `[from, to)`, null for no bound. */
export interface EventFilter {
  readonly from: Instant | null
  readonly to: Instant | null
}

/** The place of an event among those of its org. */
export interface EventPlace {
  readonly at: Instant
  readonly seq: number
}

export interface ArrivalPage {
  readonly events: readonly LoggedEvent[]
  /** Every event up to this number was looked at. */
  readonly readTo: number
  /** There is more that can be read now. */
  readonly more: boolean
}

/** Reads events; nothing here writes. */
export interface EventLog {
  find (org: number, id: string): Promise<LoggedEvent | undefined>
  /** Events that void or amend this one, the oldest first; where there are more than 100, the latest of them. */
  corrections (org: number, id: string): Promise<LoggedEvent[]>
  /** The key of a feature that a plan of the environment names. */
  featureKey (environment: string, name: string): Promise<number | undefined>
  /**
   * Of one org, the latest instant of use first; among equal instants, the last to arrive.
   * @param feature its key; undefined: every feature that the org has used
   * @param before null: from the start
   */
  newest (
    org: number, feature: number | undefined, filter: EventFilter, before: EventPlace | null, countMax: number
  ): Promise<LoggedEvent[]>
  /**
   * Of all orgs of an environment, in order of arrival. Nothing that it has not shown can turn up at or before `readTo` later.
   * @param after `readTo` of the page before; 0: from the start
   */
  arrivals (environment: string, feature: number | undefined, filter: EventFilter, after: number, countMax: number): Promise<ArrivalPage>
  /** `readTo` of a reader who has seen everything there is. */
  end (): Promise<number>
}

const COLUMNS = sql`e.id, e.seq, e.amount, e.mode, e.at, e.window_start, e.window_end, e.delta, e.used_after, e.limit_after,
  e.refers_to, e.reason, e.actor, e.properties,
  exists (select from events v where v.org = e.org and v.refers_to = e.id and v.mode = 'void')`

const one = prepare<'org' | 'id'>(sql`
  select ${COLUMNS}, o.name, f.name from events e join orgs o on o.id = e.org join features f on f.id = e.feature
  where e.org = ${sql.placeholder('org')} and e.id = ${sql.placeholder('id')}`)

const correctionsOf = prepare<'org' | 'id'>(sql`
  select ${COLUMNS}, o.name, f.name from events e join orgs o on o.id = e.org join features f on f.id = e.feature
  where e.org = ${sql.placeholder('org')} and e.refers_to = ${sql.placeholder('id')}
  order by e.seq desc limit ${sql.raw(String(CORRECTIONS_MAX))}`)

const featureNamed = prepare<'environment' | 'name'>(sql`
  select id from features where environment = ${sql.placeholder('environment')} and name = ${sql.placeholder('name')}`)

/** Jumps from one feature to the next in the index, however many events lie between. */
const usedFeatures = prepare<'org'>(sql`
  with recursive used (feature) as (
    (select feature from events where org = ${sql.placeholder('org')} order by feature limit 1)
    union all
    select (select e.feature from events e where e.org = ${sql.placeholder('org')} and e.feature > used.feature order by e.feature limit 1)
    from used where used.feature is not null
  )
  select feature from used where feature is not null`)

const STRETCH = sql`org = ${sql.placeholder('org')} and feature = wanted.feature
  and at >= ${sql.placeholder('from')}::timestamptz and at < ${sql.placeholder('to')}::timestamptz
  and at <= ${sql.placeholder('beforeAt')}::timestamptz
  and (at, seq) < (${sql.placeholder('beforeAt')}::timestamptz, ${sql.placeholder('beforeSeq')}::bigint)`

/**
 * A page of each feature, from the end of its stretch of the index, and the newest of all those. The index knows no order
 * among equal instants: so first how far back a page goes, in the index's own order, and then all from there on.
 */
const newestOf = prepare<'org' | 'features' | 'from' | 'to' | 'beforeAt' | 'beforeSeq' | 'count'>(sql`
  select ${COLUMNS}, o.name, f.name
  from unnest(${sql.placeholder('features')}::int[]) as wanted (feature)
  join features f on f.id = wanted.feature
  join orgs o on o.id = ${sql.placeholder('org')}
  cross join lateral (
    select * from events
    where ${STRETCH} and at >= coalesce(
      (select at from events where ${STRETCH} order by at desc offset ${sql.placeholder('count')}::int - 1 limit 1), '-infinity'
    )
    order by at desc, seq desc limit ${sql.placeholder('count')}
  ) e
  order by e.at desc, e.seq desc limit ${sql.placeholder('count')}`)

/**
 * Walks the index of arrival from `after` to `until`, whose distance is bounded by events, not by numbers: where
 * events were deleted, it steps over the gap. `offset 0` keeps the planner from starting with the orgs.
 */
const arrivalsOf = prepare<'environment' | 'feature' | 'from' | 'to' | 'after' | 'horizon' | 'scan' | 'count'>(sql`
  with stretch as materialized (
    select coalesce((
      select seq from events where seq > ${sql.placeholder('after')}::bigint and seq <= ${sql.placeholder('horizon')}::bigint
      order by seq offset ${sql.placeholder('scan')} limit 1
    ), ${sql.placeholder('horizon')}::bigint) as until
  )
  select stretch.until, page.* from stretch left join lateral (
    select ${COLUMNS}, o.name, f.name
    from events e
    cross join lateral (
      select name from orgs
      where id = e.org and environment = ${sql.placeholder('environment')} and deleted_at is null offset 0
    ) o
    cross join lateral (select name from features where id = e.feature offset 0) f
    where e.seq > ${sql.placeholder('after')}::bigint and e.seq <= stretch.until
      and (${sql.placeholder('feature')}::int is null or e.feature = ${sql.placeholder('feature')}::int)
      and e.at >= ${sql.placeholder('from')}::timestamptz and e.at < ${sql.placeholder('to')}::timestamptz
    order by e.seq limit ${sql.placeholder('count')}
  ) page (id, seq, amount, mode, at, window_start, window_end, delta, used_after, limit_after, refers_to, reason, actor,
    properties, voided, org, feature) on true
  order by page.seq`)

export function eventLog (database: Database, readable: Horizon = horizon(database)): EventLog {
  async function rows (statement: ReturnType<typeof one>): Promise<ReadonlyArray<readonly unknown[]>> {
    const [result] = await database.run([statement])
    return result?.rows ?? []
  }

  return {
    find: async (org, id) => {
      const [row] = await rows(one({ org, id }))
      return row === undefined ? undefined : eventFrom(row)
    },
    corrections: async (org, id) => (await rows(correctionsOf({ org, id }))).map(eventFrom).reverse(),
    featureKey: async (environment, name) => (await rows(featureNamed({ environment, name })))[0]?.[0] as number | undefined,
    newest: async (org, feature, filter, before, countMax) => {
      const features = feature === undefined ? (await rows(usedFeatures({ org }))).map(([key]) => key as number) : [feature]
      const found = await rows(newestOf({
        org,
        features: plainArray(features),
        ...bounds(filter),
        beforeAt: before === null ? 'infinity' : new Date(before.at).toISOString(),
        beforeSeq: before === null ? 0 : before.seq,
        count: countMax
      }))
      return found.map(eventFrom)
    },
    arrivals: async (environment, feature, filter, after, countMax) => {
      const last = await readable.read(after + SCAN_EVENTS_MAX)
      const events: LoggedEvent[] = []
      let readTo = after
      for (let scans = 0; scans < SCANS_MAX && readTo < last && events.length < countMax; scans += 1) {
        const wanted = countMax - events.length
        const found = await rows(arrivalsOf({
          environment,
          feature: feature ?? null,
          ...bounds(filter),
          after: readTo,
          horizon: last,
          scan: SCAN_EVENTS_MAX - 1,
          count: wanted
        }))
        const page = found.filter(([, id]) => id !== null).map(([, ...row]) => eventFrom(row))
        events.push(...page)
        readTo = page.length < wanted ? Number(found[0]?.[0]) : page.at(-1)?.seq as number
      }
      return { events, readTo, more: readTo < last }
    },
    end: async () => await readable.read(Infinity)
  }
}

function bounds ({ from, to }: EventFilter): { from: string, to: string } {
  return {
    from: from === null ? '-infinity' : new Date(from).toISOString(),
    to: to === null ? 'infinity' : new Date(to).toISOString()
  }
}

type Row = [id: string, seq: string, amount: string, mode: EventMode, at: string, start: string, end: string | null, delta: string,
  usedAfter: string, limitAfter: string | null, refersTo: string | null, reason: string | null, actor: string | null,
  properties: Readonly<Record<string, unknown>> | null, voided: boolean, org: string, feature: string]

function eventFrom (row: readonly unknown[]): LoggedEvent {
  const [
    id, seq, amount, mode, at, start, end, delta, usedAfter, limitAfter, refersTo, reason, actor, properties, voided, org, feature
  ] = row as Row
  return {
    id,
    seq: Number(seq),
    org,
    feature,
    amount: amountFromNumeric(amount),
    mode,
    at: instantFrom(at),
    window: { start: instantFrom(start), end: end === null ? null : instantFrom(end) },
    delta: amountFromNumeric(delta),
    usedAfter: amountFromNumeric(usedAfter),
    limitAfter: limitAfter === null ? null : amountFromNumeric(limitAfter),
    refersTo,
    reason,
    actor,
    properties,
    voided
  }
}
