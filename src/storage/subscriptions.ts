import { and, desc, eq, inArray, sql } from 'drizzle-orm'
import { makePgArray } from 'drizzle-orm/pg-core'
import type { Instant } from '../domain/entitlement.ts'
import type { Org, StoredPlan } from '../domain/org.ts'
import type { Checkout } from '../domain/payment.ts'
import type { ScheduleChange, Subscription } from '../domain/schedule.ts'
import { instantArray, plainArray } from './arrays.ts'
import { addCheckout, completeCheckout } from './checkouts.ts'
import { type Database, orm, prepare, type Session, type Statement } from './database.ts'
import type { Orgs } from './orgs.ts'
import { events, orgs, subscriptions } from './schema.ts'

/** An org whose row is locked, for as long as the transaction lasts. */
export interface LockedOrg {
  readonly org: Org
  /** It did not exist before this transaction. */
  readonly created: boolean
  readonly info: OrgInfo
  /** The latest instant of use of any feature of these plans, or of what the org has held; null: none was used. */
  lastUseAt (plans: readonly StoredPlan[]): Promise<Instant | null>
  /** @param plans must know the plan of every row that is added. Raises the org's version. */
  reschedule (change: ScheduleChange, planOf: (row: Omit<Subscription, 'id'>) => StoredPlan): Promise<void>
  putInfo (info: OrgInfo): Promise<void>
  addCheckout (checkout: Checkout): Promise<void>
  /** @returns false, and changes nothing, if it was completed before */
  completeCheckout (id: string, at: Instant): Promise<boolean>
}

export type OrgInfo = Readonly<Record<string, unknown>>

export interface Subscriptions {
  /**
   * Runs `work` under the org's lock, which every report and every other change of the org takes too; the org is
   * created if it is new.
   * @returns what `work` returned, and the org as the transaction left it, or a later one
   */
  change <T> (environment: string, name: string, now: Instant, work: (locked: LockedOrg) => Promise<T>): Promise<{ value: T, org: Org }>
  info (org: Org): Promise<OrgInfo>
}

export function subscriptionStore (database: Database, orgStore: Orgs): Subscriptions {
  return {
    change: async (environment, name, now, work) => {
      const value = await database.transaction(async session => await changeLocked(session, environment, name, now, work))
      const org = await orgStore.load(environment, name)
      if (org === undefined) throw new Error(`org ${name} was stored and is gone`)
      return { value, org }
    },
    info: async ({ key }) => {
      const [row] = await orm(database).select({ info: orgs.info }).from(orgs).where(eq(orgs.id, key))
      return row?.info ?? {}
    }
  }

  async function changeLocked<T> (
    session: Session, environment: string, name: string, now: Instant, work: (locked: LockedOrg) => Promise<T>
  ): Promise<T> {
    const db = orm(session)
    const created = await db.insert(orgs).values({ environment, name, createdAt: now }).onConflictDoNothing().returning({ id: orgs.id })
    const [row] = await db.select({ id: orgs.id, info: orgs.info }).from(orgs)
      .where(and(eq(orgs.environment, environment), eq(orgs.name, name))).for('no key update')
    if (row === undefined) throw new Error(`org ${name} was not stored`)
    const org = (await orgStore.loadLocked([row.id], session)).get(row.id) as Org
    return await work(lockedOrg(session, org, created.length > 0, row.info))
  }
}

function lockedOrg (session: Session, org: Org, created: boolean, info: OrgInfo): LockedOrg {
  const db = orm(session)
  return {
    org,
    created,
    info,
    lastUseAt: async plans => {
      const keys = new Set([...plans.flatMap(plan => [...plan.featureKeys.values()]), ...[...org.features.values()].map(({ key }) => key)])
      let last: Instant | null = null
      for (const key of keys) {
        const [latest] = await db.select({ at: events.at }).from(events)
          .where(and(eq(events.org, org.key), eq(events.feature, key))).orderBy(desc(events.at)).limit(1)
        if (latest !== undefined) last = Math.max(last ?? latest.at, latest.at)
      }
      return last
    },
    reschedule: async ({ end, remove, add }, planOf) => {
      const own = eq(subscriptions.org, org.key)
      if (remove.length > 0) await db.delete(subscriptions).where(and(own, inArray(subscriptions.id, [...remove])))
      for (const { id, endsAt } of end) await db.update(subscriptions).set({ endsAt }).where(and(own, eq(subscriptions.id, id)))
      await db.update(orgs).set({ version: sql`${orgs.version} + 1` }).where(eq(orgs.id, org.key))
      if (add.length > 0) await session.run([insertStatement(org, add, planOf)])
    },
    putInfo: async next => {
      await db.update(orgs).set({ info: next }).where(eq(orgs.id, org.key))
    },
    addCheckout: async checkout => await addCheckout(session, org.key, checkout),
    completeCheckout: async (id, at) => await completeCheckout(session, id, at)
  }
}

/**
 * Ids are counted per environment, under its row's lock. Everybody who adds a subscription waits for it, so it is taken
 * in the last statement before the commit; and always after the org's, so nobody waits the other way round.
 */
const insertRows = prepare<'environment' | 'count' | 'org' | 'plans' | 'features' | 'startsAt' | 'endsAt' | 'statuses' |
  'anchorAt' | 'timeZones' | 'phaseAt'>(sql`
  with counted as (
    update environments set next_subscription = next_subscription + ${sql.placeholder('count')}::int
    where name = ${sql.placeholder('environment')} returning next_subscription - ${sql.placeholder('count')}::int as first
  )
  insert into subscriptions (org, id, plan, feature, starts_at, ends_at, status, anchor_at, time_zone, phase_at)
  select ${sql.placeholder('org')}::int, counted.first + row.n - 1, plan, feature, starts_at, ends_at, status, anchor_at, time_zone, phase_at
  from counted, unnest(${sql.placeholder('plans')}::int[], ${sql.placeholder('features')}::int[],
    ${sql.placeholder('startsAt')}::timestamptz[], ${sql.placeholder('endsAt')}::timestamptz[], ${sql.placeholder('statuses')}::text[],
    ${sql.placeholder('anchorAt')}::timestamptz[], ${sql.placeholder('timeZones')}::text[], ${sql.placeholder('phaseAt')}::timestamptz[])
    with ordinality as row (plan, feature, starts_at, ends_at, status, anchor_at, time_zone, phase_at, n)`)

function insertStatement (
  { key, environment }: Org, rows: ScheduleChange['add'], planOf: (row: Omit<Subscription, 'id'>) => StoredPlan
): Statement {
  return insertRows({
    environment,
    count: rows.length,
    org: key,
    plans: plainArray(rows.map(row => planOf(row).key)),
    features: makePgArray(rows.map(row => row.feature === null ? null : planOf(row).featureKeys.get(row.feature))),
    startsAt: instantArray(rows.map(({ startsAt }) => startsAt)),
    endsAt: instantArray(rows.map(({ endsAt }) => endsAt)),
    statuses: plainArray(rows.map(({ status }) => status)),
    anchorAt: instantArray(rows.map(({ anchorAt }) => anchorAt)),
    timeZones: makePgArray(rows.map(({ timeZone }) => timeZone)),
    phaseAt: instantArray(rows.map(({ phaseAt }) => phaseAt))
  })
}
