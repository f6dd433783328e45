import { sql } from 'drizzle-orm'
import { prepare } from './database.ts'

export const lockOrgs = prepare<'orgs'>(sql`
  select id from orgs where id = any(${sql.placeholder('orgs')}::int[]) and deleted_at is null order by id for no key update`)

/** After the lock, in statements of their own: a statement sees only what was committed when it began. */
export const readVersions = prepare<'orgs'>(sql`
  select id, version, pg_current_xact_id()::text from orgs
  where id = any(${sql.placeholder('orgs')}::int[]) and deleted_at is null`)

export const readEvents = prepare<'orgs' | 'ids'>(sql`
  select e.org, e.id, e.fingerprint, e.used_after, e.limit_after, e.window_start, e.window_end
  from unnest(${sql.placeholder('orgs')}::int[], ${sql.placeholder('ids')}::text[]) as wanted (org, id)
  join events e on e.org = wanted.org and e.id = wanted.id`)

/**
 * Events and counters in one statement. It raises unless it runs in the transaction that holds the locks (after a lost
 * connection the driver would send it on a new one) and unless each counter still has the version that was read.
 */
export const write = prepare<'transaction' | 'orgs' | 'ids' | 'features' | 'ats' | 'starts' | 'ends' | 'amounts' | 'modes' |
  'deltas' | 'usedAfter' | 'limitAfter' | 'fingerprints' | 'properties' |
  'cOrgs' | 'cFeatures' | 'cStarts' | 'cEnds' | 'cUsed' | 'cReserved' | 'cVersions' | 'cBasedOn' | 'cLastAts'>(sql`
  with recorded as (
    insert into events (org, id, feature, at, window_start, window_end, amount, mode, delta, used_after, limit_after,
      fingerprint, properties)
    select org, id, feature, at, window_start, window_end, amount, mode, delta, used_after, limit_after, fingerprint, properties::jsonb
    from unnest(${sql.placeholder('orgs')}::int[], ${sql.placeholder('ids')}::text[], ${sql.placeholder('features')}::int[],
      ${sql.placeholder('ats')}::timestamptz[], ${sql.placeholder('starts')}::timestamptz[],
      ${sql.placeholder('ends')}::timestamptz[], ${sql.placeholder('amounts')}::numeric[], ${sql.placeholder('modes')}::text[],
      ${sql.placeholder('deltas')}::numeric[], ${sql.placeholder('usedAfter')}::numeric[],
      ${sql.placeholder('limitAfter')}::numeric[], ${sql.placeholder('fingerprints')}::uuid[],
      ${sql.placeholder('properties')}::text[])
      as given (org, id, feature, at, window_start, window_end, amount, mode, delta, used_after, limit_after, fingerprint, properties)
    where (select ledger_in_transaction(${sql.placeholder('transaction')}::text))
  )
  insert into counters as stored (org, feature, window_start, window_end, used, reserved, version, based_on, last_at)
  select * from unnest(${sql.placeholder('cOrgs')}::int[], ${sql.placeholder('cFeatures')}::int[],
    ${sql.placeholder('cStarts')}::timestamptz[], ${sql.placeholder('cEnds')}::timestamptz[],
    ${sql.placeholder('cUsed')}::numeric[], ${sql.placeholder('cReserved')}::numeric[],
    ${sql.placeholder('cVersions')}::bigint[], ${sql.placeholder('cBasedOn')}::bigint[], ${sql.placeholder('cLastAts')}::timestamptz[])
  on conflict (org, feature, window_start) do update set
    window_end = excluded.window_end, used = excluded.used, reserved = excluded.reserved, last_at = excluded.last_at,
    based_on = excluded.based_on,
    version = case when stored.version = excluded.based_on then excluded.version
      else ledger_counter_moved(stored.version, excluded.based_on) end`)
