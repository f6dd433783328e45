import { sql } from 'drizzle-orm'
import { instantOf } from './arrays.ts'
import { prepare } from './database.ts'

export const lockOrgs = prepare<'orgs'>(sql`
  select id from orgs where id = any(${sql.placeholder('orgs')}::int[]) and deleted_at is null order by id for no key update`)

/** After the lock, in statements of their own: a statement sees only what was committed when it began. */
export const readVersions = prepare<'orgs'>(sql`
  select id, version, pg_current_xact_id()::text from orgs
  where id = any(${sql.placeholder('orgs')}::int[]) and deleted_at is null`)

export const readEvents = prepare<'orgs' | 'ids'>(sql`
  select e.org, e.id, e.fingerprint, e.used_after, e.reserved_after, e.limit_after, e.delta, e.window_start, e.window_end, e.reason,
    exists (select from events v where v.org = e.org and v.refers_to = e.id and v.mode = 'void')
  from unnest(${sql.placeholder('orgs')}::int[], ${sql.placeholder('ids')}::text[]) as wanted (org, id)
  join events e on e.org = wanted.org and e.id = wanted.id`)

export const readReservations = prepare<'orgs' | 'ids'>(sql`
  select r.org, r.id, r.feature, r.at, r.window_start, r.window_end, r.amount, r.expires_at, r.state, r.used, r.reserved,
    r."limit", r.fingerprint
  from unnest(${sql.placeholder('orgs')}::int[], ${sql.placeholder('ids')}::text[]) as wanted (org, id)
  join reservations r on r.org = wanted.org and r.id = wanted.id`)

type Guard = 'transaction' | 'locked' | 'known'
type EventColumns = 'orgs' | 'ids' | 'features' | 'ats' | 'starts' | 'ends' | 'amounts' | 'modes' | 'refersTo' | 'reasons' | 'actors' |
  'deltas' | 'usedAfter' | 'limitAfter' | 'reservedAfter' | 'fingerprints' | 'properties'
type CounterColumns = 'cOrgs' | 'cFeatures' | 'cStarts' | 'cEnds' | 'cUsed' | 'cReserved' | 'cVersions' | 'cBasedOn' | 'cLastAts' |
  'cReservedUntil'

/**
 * Events and counters in one statement. It raises unless it runs in `transaction`, the one that holds the locks (after a lost
 * connection the driver would send it on a new one), or, where that is null, unless the orgs `locked`, which it locks then, have
 * the versions `known`; and unless each counter still has the version that it is based on. Counters come first: what is in a `with`
 * and not read from is done last.
 */
export const write = prepare<Guard | EventColumns | CounterColumns>(sql`
  with recorded as (
    insert into events (org, id, feature, at, window_start, window_end, amount, mode, refers_to, reason, actor, delta,
      used_after, limit_after, reserved_after, fingerprint, properties)
    select org, id, feature, ${instantOf('at')}, ${instantOf('window_start')}, ${instantOf('window_end')}, amount, mode, refers_to,
      reason, actor, delta, used_after, limit_after, reserved_after, fingerprint, properties::jsonb
    from unnest(${sql.placeholder('orgs')}::int[], ${sql.placeholder('ids')}::text[], ${sql.placeholder('features')}::int[],
      ${sql.placeholder('ats')}::bigint[], ${sql.placeholder('starts')}::bigint[],
      ${sql.placeholder('ends')}::bigint[], ${sql.placeholder('amounts')}::numeric[], ${sql.placeholder('modes')}::text[],
      ${sql.placeholder('refersTo')}::text[], ${sql.placeholder('reasons')}::text[], ${sql.placeholder('actors')}::text[],
      ${sql.placeholder('deltas')}::numeric[], ${sql.placeholder('usedAfter')}::numeric[],
      ${sql.placeholder('limitAfter')}::numeric[], ${sql.placeholder('reservedAfter')}::numeric[],
      ${sql.placeholder('fingerprints')}::uuid[], ${sql.placeholder('properties')}::text[])
      as given (org, id, feature, at, window_start, window_end, amount, mode, refers_to, reason, actor, delta, used_after, limit_after,
        reserved_after, fingerprint, properties)
  )
  insert into counters as stored (org, feature, window_start, window_end, used, reserved, version, based_on, last_at,
    reserved_until)
  select org, feature, ${instantOf('window_start')}, ${instantOf('window_end')}, used, reserved, version, based_on,
    ${instantOf('last_at')}, ${instantOf('reserved_until')}
  from unnest(${sql.placeholder('cOrgs')}::int[], ${sql.placeholder('cFeatures')}::int[],
    ${sql.placeholder('cStarts')}::bigint[], ${sql.placeholder('cEnds')}::bigint[],
    ${sql.placeholder('cUsed')}::numeric[], ${sql.placeholder('cReserved')}::numeric[],
    ${sql.placeholder('cVersions')}::bigint[], ${sql.placeholder('cBasedOn')}::bigint[], ${sql.placeholder('cLastAts')}::bigint[],
    ${sql.placeholder('cReservedUntil')}::bigint[])
    as given (org, feature, window_start, window_end, used, reserved, version, based_on, last_at, reserved_until)
  where (select case when ${sql.placeholder('transaction')}::text is null
    then ledger_unchanged(${sql.placeholder('locked')}::int[], ${sql.placeholder('known')}::bigint[])
    else ledger_in_transaction(${sql.placeholder('transaction')}::text) end)
  on conflict (org, feature, window_start) do update set
    window_end = excluded.window_end, used = excluded.used, reserved = excluded.reserved, last_at = excluded.last_at,
    reserved_until = excluded.reserved_until, based_on = excluded.based_on,
    version = case when stored.version = excluded.based_on then excluded.version
      else ledger_counter_moved(stored.version, excluded.based_on) end`)

/** After the counters, in the transaction that holds the locks: see `write`. */
export const writeReservations = prepare<'transaction' | 'orgs' | 'ids' | 'features' | 'ats' | 'starts' | 'ends' | 'amounts' | 'expiries' |
  'states' | 'used' | 'reserved' | 'limits' | 'fingerprints'>(sql`
  insert into reservations (org, id, feature, at, window_start, window_end, amount, expires_at, state, used, reserved, "limit", fingerprint)
  select * from unnest(${sql.placeholder('orgs')}::int[], ${sql.placeholder('ids')}::text[], ${sql.placeholder('features')}::int[],
    ${sql.placeholder('ats')}::timestamptz[], ${sql.placeholder('starts')}::timestamptz[], ${sql.placeholder('ends')}::timestamptz[],
    ${sql.placeholder('amounts')}::numeric[], ${sql.placeholder('expiries')}::timestamptz[], ${sql.placeholder('states')}::text[],
    ${sql.placeholder('used')}::numeric[], ${sql.placeholder('reserved')}::numeric[], ${sql.placeholder('limits')}::numeric[],
    ${sql.placeholder('fingerprints')}::uuid[])
  where (select ledger_in_transaction(${sql.placeholder('transaction')}::text))
  on conflict (org, id) do update set state = excluded.state, expires_at = excluded.expires_at`)
