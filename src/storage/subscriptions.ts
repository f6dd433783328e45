import { and, desc, eq, gt, gte, inArray, isNull, or, sql } from 'drizzle-orm'
import { makePgArray } from 'drizzle-orm/pg-core'
import type { Instant } from '../domain/entitlement.ts'
import type { Org, StoredPlan } from '../domain/org.ts'
import type { Checkout } from '../domain/payment.ts'
import type { Properties } from '../domain/properties.ts'
import type { ScheduleChange, Subscription } from '../domain/schedule.ts'
import { TollgateError } from '../errors.ts'
import { instantArray, plainArray } from './arrays.ts'
import { addCheckout, completeCheckout } from './checkouts.ts'
import { type Database, type Orm, orm, prepare, type Session, sqlState, type Statement } from './database.ts'
import type { Orgs } from './orgs.ts'
import { events, orgs, overrides, reservations, subscriptions } from './schema.ts'
import { orgAliases } from './schema-kana.ts'

/** An org whose row is locked, for as long as the transaction lasts. */
export interface LockedOrg {
  readonly org: Org
  /** It did not exist before this transaction. */
  readonly created: boolean
  readonly info: OrgInfo
  /**
   * The latest instant of use of any feature of these plans, or of what the org has held, or of a hold of them that may yet
   * be counted; null: none was used.
   */
  lastUseAt (plans: readonly StoredPlan[]): Promise<Instant | null>
  /** @param plans must know the plan of every row that is added. Raises the org's version. */
  reschedule (change: ScheduleChange, planOf: (row: Omit<Subscription, 'id'>) => StoredPlan): Promise<void>
  putInfo (info: OrgInfo): Promise<void>
  addCheckout (checkout: Checkout): Promise<void>
  /** @returns false, and changes nothing, if it was completed before */
  completeCheckout (id: string, at: Instant): Promise<boolean>
  /** Ends the override of a feature that is in force at `at`; `next` begins there. Raises the org's version. */
  putOverride (feature: number, at: Instant, next: NewOverride | null): Promise<void>
  /** Raises the org's version. @returns false if another org has that name: then the transaction is lost, and must be given up */
  rename (name: string): Promise<boolean>
  /** Of one of its subscriptions. Raises the org's version. */
  putSubscriptionMetadata (id: number, metadata: Properties): Promise<void>
  /** Of what is subscribed to from now on. Raises the org's version. @param timeZone IANA name */
  putTimeZone (timeZone: string): Promise<void>
}

export type NewOverride = Pick<typeof overrides.$inferInsert, 'endsAt' | 'limit' | 'overage' | 'reason'>

export type OrgInfo = Readonly<Record<string, unknown>>

/** What the work returned, and the org as the transaction left it, or a later one. */
export interface Changed<T> {
  readonly value: T
  readonly org: Org
}

export interface Subscriptions {
  /**
   * Runs `work` under the org's lock, which every report and every other change of the org takes too; the org is
   * created if it is new.
   * @throws TollgateError `org_not_found` if it was deleted right afterwards
   */
  change <T> (environment: string, name: string, now: Instant, work: (locked: LockedOrg) => Promise<T>): Promise<Changed<T>>
  /** The same for an org that there is. @returns undefined if there is none */
  changeExisting <T> (environment: string, name: string, work: (locked: LockedOrg) => Promise<T>): Promise<Changed<T> | undefined>
  info (org: Org): Promise<OrgInfo>
  /** The name of the org with this key, by which others may have known it before. */
  nameOf (environment: string, key: number): Promise<string | undefined>
  /** The name of the org whose subscription this is. */
  orgOf (environment: string, id: number): Promise<string | undefined>
}

/** How often an org may be deleted by somebody else between two statements that need it. */
const ATTEMPTS_MAX = 3
const UNIQUE_VIOLATION = '23505'

export function subscriptionStore (database: Database, orgStore: Orgs): Subscriptions {
  async function changed<T> (environment: string, name: string, value: T): Promise<Changed<T>> {
    const org = await orgStore.load(environment, name)
    if (org === undefined) throw new TollgateError('org_not_found', 'org not found', { pointer: '/org' })
    return { value, org }
  }

  async function locked (
    session: Session, environment: string, name: string, created: boolean, renamed: (name: string) => void
  ): Promise<LockedOrg | undefined> {
    const db = orm(session)
    const [named] = await db.select({ id: orgs.id, info: orgs.info }).from(orgs)
      .where(and(eq(orgs.environment, environment), eq(orgs.name, name))).for('no key update')
    const row = named ?? await lockFormer(db, environment, name)
    if (row === undefined) return undefined
    const org = (await orgStore.loadLocked([row.id], session)).get(row.id) as Org
    return lockedOrg(session, org, created, row.info, renamed)
  }

  return {
    change: async (environment, name, now, work) => {
      let nameAfter = name
      const value = await database.transaction(async session => {
        for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
          const created = await orm(session).execute(sql`
            insert into orgs (environment, name, created_at) select ${environment}, ${name}, ${new Date(now).toISOString()}::timestamptz
            where not exists (select from org_aliases where environment = ${environment} and name = ${name})
            on conflict do nothing returning id`)
          const isNew = created.length > 0 && !await unmakeMerged(orm(session), environment, name)
          const org = await locked(session, environment, name, isNew, next => { nameAfter = next })
          if (org !== undefined) return await work(org)
        }
        throw new Error(`org ${name} was deleted again and again`)
      })
      return await changed(environment, nameAfter, value)
    },
    changeExisting: async (environment, name, work) => {
      let nameAfter = name
      const done = await database.transaction(async session => {
        const org = await locked(session, environment, name, false, next => { nameAfter = next })
        return org === undefined ? undefined : { value: await work(org) }
      })
      return done === undefined ? undefined : await changed(environment, nameAfter, done.value)
    },
    info: async ({ key }) => {
      const [row] = await orm(database).select({ info: orgs.info }).from(orgs).where(eq(orgs.id, key))
      return row?.info ?? {}
    },
    nameOf: async (environment, key) => {
      const [row] = await orm(database).select({ name: orgs.name }).from(orgs)
        .where(and(eq(orgs.id, key), eq(orgs.environment, environment), isNull(orgs.deletedAt)))
      return row?.name
    },
    orgOf: async (environment, id) => {
      // Each environment counts its own, so there is at most one of this number in each.
      const same = await orm(database).select({ org: subscriptions.org }).from(subscriptions).where(eq(subscriptions.id, id))
      if (same.length === 0) return undefined
      const [row] = await orm(database).select({ name: orgs.name }).from(orgs)
        .where(and(inArray(orgs.id, same.map(({ org }) => org)), eq(orgs.environment, environment)))
      return row?.name
    }
  }
}

/** Takes an org back that could only be made because one of that name was merged while the statement that made it waited. */
async function unmakeMerged (db: Orm, environment: string, name: string): Promise<boolean> {
  const unmade = await db.execute(sql`
    delete from orgs o using org_aliases a
    where o.environment = ${environment} and o.name = ${name} and a.environment = o.environment and a.name = o.name returning o.id`)
  return unmade.length > 0
}

/** The org into which one of that name was merged. */
async function lockFormer (db: Orm, environment: string, name: string): Promise<{ id: number, info: OrgInfo } | undefined> {
  const alias = db.select({ org: orgAliases.org }).from(orgAliases)
    .where(and(eq(orgAliases.environment, environment), eq(orgAliases.name, name)))
  const [row] = await db.select({ id: orgs.id, info: orgs.info }).from(orgs).where(inArray(orgs.id, alias)).for('no key update')
  return row
}

function lockedOrg (
  session: Session, org: Org, created: boolean, info: OrgInfo, renamed: (name: string) => void
): LockedOrg {
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
        const [held] = await db.select({ at: reservations.at }).from(reservations)
          .where(and(eq(reservations.org, org.key), eq(reservations.feature, key), eq(reservations.state, 'held')))
          .orderBy(desc(reservations.windowStart), desc(reservations.at)).limit(1)
        for (const { at } of [latest, held].filter(row => row !== undefined)) last = Math.max(last ?? at, at)
      }
      return last
    },
    reschedule: async ({ end, remove, add }, planOf) => {
      const own = eq(subscriptions.org, org.key)
      if (remove.length > 0) await db.delete(subscriptions).where(and(own, inArray(subscriptions.id, [...remove])))
      for (const { id, ...rest } of end) await db.update(subscriptions).set(rest).where(and(own, eq(subscriptions.id, id)))
      await db.update(orgs).set({ version: sql`${orgs.version} + 1` }).where(eq(orgs.id, org.key))
      if (add.length > 0) await session.run([insertStatement(org, add, planOf)])
    },
    putInfo: async next => {
      await db.update(orgs).set({ info: next }).where(eq(orgs.id, org.key))
    },
    addCheckout: async checkout => await addCheckout(session, org.key, checkout),
    completeCheckout: async (id, at) => await completeCheckout(session, id, at, org.key),
    putOverride: async (feature, at, next) => {
      const own = and(eq(overrides.org, org.key), eq(overrides.feature, feature))
      await db.delete(overrides).where(and(own, gte(overrides.startsAt, at)))
      await db.update(overrides).set({ endsAt: at }).where(and(own, or(isNull(overrides.endsAt), gt(overrides.endsAt, at))))
      if (next !== null) await db.insert(overrides).values({ org: org.key, feature, startsAt: at, ...next })
      await db.update(orgs).set({ version: sql`${orgs.version} + 1` }).where(eq(orgs.id, org.key))
    },
    rename: async name => {
      try {
        await db.update(orgs).set({ name, version: sql`${orgs.version} + 1` }).where(eq(orgs.id, org.key))
        renamed(name)
        return true
      } catch (error) {
        if (sqlState(error) === UNIQUE_VIOLATION) return false
        throw error
      }
    },
    putSubscriptionMetadata: async (id, metadata) => {
      await db.update(subscriptions).set({ metadata }).where(and(eq(subscriptions.org, org.key), eq(subscriptions.id, id)))
      await db.update(orgs).set({ version: sql`${orgs.version} + 1` }).where(eq(orgs.id, org.key))
    },
    putTimeZone: async timeZone => {
      await db.update(orgs).set({ timeZone, version: sql`${orgs.version} + 1` }).where(eq(orgs.id, org.key))
    }
  }
}

/**
 * Ids are counted per environment, under its row's lock. Everybody who adds a subscription waits for it, so it is taken
 * in the last statement before the commit; and always after the org's, so nobody waits the other way round.
 */
const insertRows = prepare<'environment' | 'count' | 'org' | 'plans' | 'features' | 'startsAt' | 'endsAt' | 'statuses' |
  'anchorAt' | 'timeZones' | 'phaseAt' | 'metadata'>(sql`
  with counted as (
    update environments set next_subscription = next_subscription + ${sql.placeholder('count')}::int
    where name = ${sql.placeholder('environment')} returning next_subscription - ${sql.placeholder('count')}::int as first
  )
  insert into subscriptions (org, id, plan, feature, starts_at, ends_at, status, anchor_at, time_zone, phase_at, metadata)
  select ${sql.placeholder('org')}::int, counted.first + row.n - 1, plan, feature, starts_at, ends_at, status, anchor_at, time_zone, phase_at,
    metadata::jsonb
  from counted, unnest(${sql.placeholder('plans')}::int[], ${sql.placeholder('features')}::int[],
    ${sql.placeholder('startsAt')}::timestamptz[], ${sql.placeholder('endsAt')}::timestamptz[], ${sql.placeholder('statuses')}::text[],
    ${sql.placeholder('anchorAt')}::timestamptz[], ${sql.placeholder('timeZones')}::text[], ${sql.placeholder('phaseAt')}::timestamptz[], ${sql.placeholder('metadata')}::text[])
    with ordinality as row (plan, feature, starts_at, ends_at, status, anchor_at, time_zone, phase_at, metadata, n)`)

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
    phaseAt: instantArray(rows.map(({ phaseAt }) => phaseAt)),
    metadata: makePgArray(rows.map(({ metadata = {} }) => JSON.stringify(metadata)))
  })
}
