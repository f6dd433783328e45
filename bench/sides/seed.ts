import postgres from 'postgres'
import { FEATURE, type Orgs } from '../load/load.ts'

/** The plan that every org holds, without its version and with it. */
const PLAN_NAME = 'plan:bench'
export const PLAN = `${PLAN_NAME}@0`
const MONTHS_BACK = 3
const LIMIT = 1_000_000_000

/**
 * Stores orgs that hold the plan, and for each its events of one unit, evenly from some months ago until now, with the counters
 * of their months: all that reporting them would have stored, in the order of their instants. The plan must have been pushed.
 */
export async function seed (databaseUrl: string, orgs: Orgs, eventsPerOrg: number): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {}, connection: { TimeZone: 'UTC' } })
  const [keys] = await sql<[{ plan: number, feature: number }]>`
    select p.id as plan, f.id as feature from plans p, features f
    where p.environment = 'test' and p.name = ${PLAN_NAME} and f.environment = 'test' and f.name = ${FEATURE}`
  await sql`
    create temporary table slots as
    select k, at, month as window_start, month + interval '1 month' as window_end, row_number() over (partition by month order by k) as used_after
    from (
      select k, at, date_trunc('month', at) as month from (
        select k, date_trunc('milliseconds', now() - interval '1 second' - (${eventsPerOrg - 1} - k) * (now() - begun) / ${eventsPerOrg}) as at
        from generate_series(0, ${eventsPerOrg - 1}) k, (select date_trunc('month', now()) - ${MONTHS_BACK} * interval '1 month' as begun) since
      ) spread
    ) by_month`
  await sql`create temporary table made (org integer, n bigint)`
  await sql`
    with stored as (
      insert into orgs (environment, name, created_at)
      select 'test', ${orgs.prefix} || lpad(n::text, 6, '0'), date_trunc('month', now()) - ${MONTHS_BACK} * interval '1 month'
      from generate_series(0, ${orgs.count - 1}) n
      returning id
    )
    insert into made select id, row_number() over (order by id) - 1 from stored`
  await sql`
    insert into subscriptions (org, id, plan, starts_at, status, anchor_at, time_zone, phase_at)
    select org, e.next_subscription + n, ${keys.plan}, begun, 'active', begun, 'UTC', begun from made, environments e,
      (select date_trunc('month', now()) - ${MONTHS_BACK} * interval '1 month' as begun) since
    where e.name = 'test'`
  await sql`update environments set next_subscription = next_subscription + ${orgs.count} where name = 'test'`
  // An id as the service makes them: the time, then chance.
  await sql`
    insert into events (org, id, feature, at, window_start, window_end, amount, mode, delta, used_after, limit_after, fingerprint)
    select org, left(time, 8) || '-' || right(time, 4) || '-7' || substr(chance, 1, 3) || '-8' || substr(chance, 4, 3) || '-' || substr(chance, 7, 12),
      ${keys.feature}, at, window_start, window_end, 1, 'add', 1, used_after, ${LIMIT}, chance::uuid
    from (
      select k, org, at, window_start, window_end, used_after, md5(random()::text) as chance,
        lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') as time
      from slots, made order by k, n
    ) ordered`
  await sql`
    insert into counters (org, feature, window_start, window_end, used, reserved, version, based_on, last_at)
    select org, ${keys.feature}, window_start, window_end, used, 0, used, 0, last_at from made, (
      select window_start, window_end, max(used_after) as used, max(at) as last_at from slots group by window_start, window_end
    ) months order by org, window_start`
  await sql`vacuum (analyze) events, counters, orgs, subscriptions`
  await sql`checkpoint`
  await sql.end()
}
