import { sql } from 'drizzle-orm'
import { prepare } from './database.ts'

const [ENVIRONMENT, ORG, FEATURE, START] = ['environment', 'org', 'feature', 'start'].map(name => sql.placeholder(name))

/** Of a deleted org, events and counters go page by page: it is not looked at. And no cursor leads into another environment. */
const ALIVE = sql`exists (select from orgs where id = ${ORG} and environment = ${ENVIRONMENT} and deleted_at is null)`

/** `hash(0)` is taken away at the end, so that a chain from zero has nothing on its left. */
const FOLD = sql`count(*)::int as events, coalesce(sum(e.delta), 0) as sum,
  coalesce(sum(hash_numeric_extended(e.used_after, 0)::numeric - hash_numeric_extended(e.used_after - e.delta, 0)::numeric), 0) as chain,
  max(array[e.seq::numeric, e.used_after, hash_numeric_extended(e.used_after, 0)::numeric - hash_numeric_extended(0, 0)::numeric])::text as last`

const COUNTER = sql`c.window_end, c.used, c.reserved, c.version, c.last_at, c.reserved_until, coalesce((
    select sum(r.amount) from reservations r where r.org = c.org and r.feature = c.feature and r.window_start = c.window_start
      and r.state = 'held' and r.expires_at >= c.reserved_until
  ), 0) as held`

/** Test clocks are never pruned, and others at most up to there. */
const PRUNED_BEFORE = sql`(
    select kept.events_kept_since from ledger kept, environments e where e.name = ${ENVIRONMENT} and e.parent is null
  )`

/** Each feature that orgs have used, from a place on, by jumping to it in the index; also orgs that have used nothing. */
export const usedFeatures = prepare<'environment' | 'only' | 'org' | 'feature' | 'count'>(sql`
  select page.id, page.name, used.feature, f.name from (
    select id, name from orgs where environment = ${ENVIRONMENT} and deleted_at is null
      and id >= ${ORG}::bigint and (${sql.placeholder('only')}::int is null or id = ${sql.placeholder('only')}::int)
    order by environment, id limit ${sql.placeholder('count')}
  ) page left join lateral (
    with recursive
      of_events (feature) as (
        (select feature from events where org = page.id order by feature limit 1)
        union all
        select (select e.feature from events e where e.org = page.id and e.feature > of_events.feature order by e.feature limit 1)
        from of_events where of_events.feature is not null
      ),
      of_counters (feature) as (
        (select feature from counters where org = page.id order by feature limit 1)
        union all
        select (select c.feature from counters c where c.org = page.id and c.feature > of_counters.feature order by c.feature limit 1)
        from of_counters where of_counters.feature is not null
      )
    select feature from of_events where feature is not null union select feature from of_counters where feature is not null
  ) used on true
  left join features f on f.id = used.feature
  where page.id > ${ORG}::bigint or used.feature >= ${FEATURE}::bigint
  order by page.id, used.feature limit ${sql.placeholder('count')}`)

/** Where the environment's orgs begin and end. */
export const orgRange = prepare<'environment'>(sql`
  select (select id from orgs where environment = ${ENVIRONMENT} and deleted_at is null order by environment, id limit 1),
    (select id from orgs where environment = ${ENVIRONMENT} and deleted_at is null order by environment desc, id desc limit 1)`)

/**
 * Windows that start at `from` or later. Counters and events in one statement, hence as of one moment, however much is
 * being counted meanwhile. With each row: how many events were read, up to when, and how many counters.
 */
export const windowsFrom = prepare<'environment' | 'org' | 'feature' | 'from' | 'eventCount' | 'counterCount'>(sql`
  with stretch as materialized (
    select seq, at, window_start, window_end, delta, used_after from events
    where ${ALIVE} and org = ${ORG} and feature = ${FEATURE} and at >= ${sql.placeholder('from')}::timestamptz
    order by at limit ${sql.placeholder('eventCount')}
  ), folded as (
    select e.window_start, nullif(max(coalesce(e.window_end, 'infinity')), 'infinity') as window_end, ${FOLD}
    from stretch e where e.window_start >= ${sql.placeholder('from')}::timestamptz group by e.window_start
  ), owned as materialized (
    select c.window_start, ${COUNTER} from counters c
    where ${ALIVE} and org = ${ORG} and feature = ${FEATURE} and window_start >= ${sql.placeholder('from')}::timestamptz
    order by window_start limit ${sql.placeholder('counterCount')}
  )
  select coalesce(folded.window_start, owned.window_start) as start, coalesce(folded.window_start, owned.window_start) < ${PRUNED_BEFORE},
    (select count(*)::int from stretch), (select max(at) from stretch), (select count(*)::int from owned), (select max(window_start) from owned),
    folded.window_end, folded.events, folded.sum, folded.chain, folded.last,
    owned.window_end, owned.used, owned.reserved, owned.version, owned.last_at, owned.reserved_until, owned.held
  from folded full join owned on owned.window_start = folded.window_start
  order by start`)

/** A counter, and a number up to which all events of its org are visible: run it in the transaction that locks the org. */
export const pinned = prepare<'environment' | 'org' | 'feature' | 'start'>(sql`
  select pg_sequence_last_value(pg_get_serial_sequence('events', 'seq')::regclass), ${START}::timestamptz < ${PRUNED_BEFORE},
    c.window_end, c.used, c.reserved, c.version, c.last_at, c.reserved_until, c.held
  from (select) always left join (
    select ${COUNTER} from counters c where ${ALIVE} and org = ${ORG} and feature = ${FEATURE} and window_start = ${START}::timestamptz
  ) c on true`)

/**
 * A page of one window's events: first where it ends, in the index's own order, and then all up to there; so nothing is
 * sorted, and what happened in the same millisecond stays together.
 */
export const windowPage = prepare<'environment' | 'org' | 'feature' | 'start' | 'from' | 'until' | 'horizon' | 'count'>(sql`
  with page as materialized (
    select (
      select at from events where ${ALIVE} and org = ${ORG} and feature = ${FEATURE} and at >= ${sql.placeholder('from')}::timestamptz
        and at < ${sql.placeholder('until')}::timestamptz
      order by at offset ${sql.placeholder('count')}::int - 1 limit 1
    ) as until
  )
  select (select until from page), folded.* from (
    select ${FOLD} from events e
    where ${ALIVE} and e.org = ${ORG} and e.feature = ${FEATURE} and e.at >= ${sql.placeholder('from')}::timestamptz
      and e.at < ${sql.placeholder('until')}::timestamptz and e.at <= (select coalesce(until, 'infinity') from page)
      and e.window_start = ${START}::timestamptz and e.seq <= ${sql.placeholder('horizon')}::bigint
  ) folded`)

const OF_WINDOW = sql`${ALIVE} and e.org = ${ORG} and e.feature = ${FEATURE} and e.window_start = ${START}::timestamptz
  and e.at >= ${START}::timestamptz and e.at < ${sql.placeholder('until')}::timestamptz`

/** As much as the window has: it is for one that is known to be wrong. */
export const wholeWindow = prepare<'environment' | 'org' | 'feature' | 'start' | 'until'>(sql`select ${FOLD} from events e where ${OF_WINDOW}`)

/** Where an event does not begin where the one before it ended. */
export const gapsOf = prepare<'environment' | 'org' | 'feature' | 'start' | 'until' | 'count'>(sql`
  select missing, after_id, after_seq, id, seq from (
    select e.id, e.seq, e.used_after - e.delta - lag(e.used_after, 1, 0.0) over w as missing, lag(e.id) over w as after_id, lag(e.seq) over w as after_seq
    from events e where ${OF_WINDOW} window w as (order by e.seq)
  ) chained where missing <> 0 order by seq limit ${sql.placeholder('count')}`)

/** The last to arrive in a window, which may be gone: who looks for it may look at all of them. */
export const lastOf = prepare<'environment' | 'org' | 'feature' | 'start' | 'until'>(sql`
  select e.id, e.seq from events e where ${OF_WINDOW} order by e.seq desc limit 1`)

export const countersOf = prepare<'environment' | 'org' | 'feature' | 'starts'>(sql`
  select c.window_start, ${COUNTER} from counters c
  where ${ALIVE} and org = ${ORG} and feature = ${FEATURE} and window_start = any(${sql.placeholder('starts')}::timestamptz[])`)
