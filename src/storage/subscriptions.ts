import { and, desc, eq, inArray, sql } from 'drizzle-orm'
import type { Instant } from '../domain/entitlement.ts'
import type { Org, StoredPlan } from '../domain/org.ts'
import type { ScheduleChange, Subscription } from '../domain/schedule.ts'
import { type Database, type Orm, orm, type Session } from './database.ts'
import type { Orgs } from './orgs.ts'
import { environments, events, orgs, subscriptions } from './schema.ts'

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
}

export type OrgInfo = Readonly<Record<string, unknown>>

export interface Subscriptions {
  /**
   * Runs `work` under the org's lock, which every report and every other change of the org takes too; the org is
   * created if it is new.
   * @returns what `work` returned, and the org as the transaction left it
   */
  change <T> (environment: string, name: string, now: Instant, work: (locked: LockedOrg) => Promise<T>): Promise<{ value: T, org: Org }>
  info (org: Org): Promise<OrgInfo>
}

export function subscriptionStore (database: Database, orgStore: Orgs): Subscriptions {
  return {
    change: async (environment, name, now, work) => {
      const changed = await database.transaction(async session => await changeLocked(session, environment, name, now, work))
      orgStore.remember(changed.org)
      return changed
    },
    info: async ({ key }) => {
      const [row] = await orm(database).select({ info: orgs.info }).from(orgs).where(eq(orgs.id, key))
      return row?.info ?? {}
    }
  }

  async function changeLocked<T> (
    session: Session, environment: string, name: string, now: Instant, work: (locked: LockedOrg) => Promise<T>
  ): Promise<{ value: T, org: Org }> {
    const db = orm(session)
    const created = await db.insert(orgs).values({ environment, name, createdAt: now }).onConflictDoNothing().returning({ id: orgs.id })
    const [row] = await db.select({ id: orgs.id, info: orgs.info }).from(orgs)
      .where(and(eq(orgs.environment, environment), eq(orgs.name, name))).for('no key update')
    if (row === undefined) throw new Error(`org ${name} was not stored`)
    const org = await reread(orgStore, row.id, session)
    const value = await work(lockedOrg(db, org, created.length > 0, row.info))
    return { value, org: await reread(orgStore, row.id, session) }
  }
}

async function reread (orgStore: Orgs, key: number, session: Session): Promise<Org> {
  return (await orgStore.loadLocked([key], session)).get(key) as Org
}

function lockedOrg (db: Orm, org: Org, created: boolean, info: OrgInfo): LockedOrg {
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
      if (add.length > 0) await insert(db, org, add, planOf)
      await db.update(orgs).set({ version: sql`${orgs.version} + 1` }).where(eq(orgs.id, org.key))
    },
    putInfo: async next => {
      await db.update(orgs).set({ info: next }).where(eq(orgs.id, org.key))
    }
  }
}

/** Ids are taken under the environment's row lock, always after the org's: nobody waits the other way round. */
async function insert (
  db: Orm, { key, environment }: Org, rows: ScheduleChange['add'], planOf: (row: Omit<Subscription, 'id'>) => StoredPlan
): Promise<void> {
  const [counted] = await db.update(environments)
    .set({ nextSubscription: sql`${environments.nextSubscription} + ${rows.length}` })
    .where(eq(environments.name, environment)).returning({ next: environments.nextSubscription })
  if (counted === undefined) throw new Error(`there is no environment ${environment}`)
  await db.insert(subscriptions).values(rows.map((row, i) => {
    const { key: plan, featureKeys } = planOf(row)
    const feature = row.feature === null ? null : featureKeys.get(row.feature) as number
    const { startsAt, endsAt, status, anchorAt, timeZone, phaseAt } = row
    return { org: key, id: counted.next - rows.length + i, plan, feature, startsAt, endsAt, status, anchorAt, timeZone, phaseAt }
  }))
}
