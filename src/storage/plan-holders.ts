import { makePgArray } from 'drizzle-orm/pg-core'
import { sql } from 'drizzle-orm'
import type { Instant } from '../domain/entitlement.ts'
import { type PlanRef, planText } from '../domain/ids.ts'
import { givesAccess, STATUSES } from '../domain/schedule.ts'
import { plainArray } from './arrays.ts'
import { ownerOf } from './catalog.ts'
import { type Database, orm } from './database.ts'
import { orgs, plans, subscriptions } from './schema.ts'

/** Beyond this many orgs the figure no longer matters, and counting them would cost more than it tells. */
export const HOLDERS_COUNTED_MAX = 10_000

export interface PlanHolders {
  /**
   * How many orgs of an environment hold each plan now, or one feature of it. By plan, as `plan:pro@1`; a plan that does not
   * exist is in it with 0. Counted up to `HOLDERS_COUNTED_MAX`: one more stands for any number more.
   */
  count (environment: string, refs: readonly PlanRef[], now: Instant): Promise<ReadonlyMap<string, number>>
}

/** The domain's rule, for a row in force: it depends on whether the row has an end. */
const OPEN = plainArray(STATUSES.filter(status => givesAccess({ status, endsAt: null })))
const ENDING = plainArray(STATUSES.filter(status => givesAccess({ status, endsAt: 0 })))

export function planHolders (database: Database): PlanHolders {
  const db = orm(database)
  return {
    count: async (environment, refs, now) => {
      if (refs.length === 0) return new Map()
      const at = new Date(now).toISOString()
      const rows = await db.execute<{ name: string, version: string, orgs: number }>(sql`
        select wanted.name, wanted.version, (
          select count(*)::int from (
            select distinct ${subscriptions.org} from ${plans}
            join ${subscriptions} on ${subscriptions.plan} = ${plans.id}
            join ${orgs} on ${orgs.id} = ${subscriptions.org}
            where ${plans.environment} = ${ownerOf(environment)} and ${plans.name} = wanted.name and ${plans.version} = wanted.version
              and ${orgs.environment} = ${environment} and ${orgs.deletedAt} is null
              and ${subscriptions.startsAt} <= ${at}::timestamptz
              and (${subscriptions.endsAt} is null or ${subscriptions.endsAt} > ${at}::timestamptz)
              and ${subscriptions.status} = any(case when ${subscriptions.endsAt} is null then ${OPEN}::text[] else ${ENDING}::text[] end)
            limit ${HOLDERS_COUNTED_MAX + 1}::int
          ) held
        ) as orgs
        from unnest(${makePgArray(refs.map(({ name }) => name))}::text[], ${makePgArray(refs.map(({ version }) => version))}::text[])
          as wanted (name, version)`)
      return new Map(rows.map(({ name, version, orgs }) => [planText({ name, version }), orgs]))
    }
  }
}
