import { and, asc, eq, inArray, type SQL, sql } from 'drizzle-orm'
import { LRUCache } from 'lru-cache'
import { type PlanRef, planText } from '../domain/ids.ts'
import type { StoredPlan } from '../domain/org.ts'
import type { Plan } from '../domain/plan.ts'
import { type Database, type Orm, orm, type Session } from './database.ts'
import { entitlements, features, plans } from './schema.ts'

const PLANS_CACHED_MAX = 10_000

/**
 * Plans: pushed once, never changed, shared by all orgs that hold them. A test clock has none of its own: named as the
 * environment, it stands for its parent, in every call.
 */
export interface Catalog {
  /** Adds a plan with its features. @returns false, and changes nothing, if the plan exists */
  add (environment: string, plan: Plan): Promise<boolean>
  find (environment: string, ref: PlanRef): Promise<StoredPlan | undefined>
  byKey (keys: readonly number[], session?: Session): Promise<ReadonlyMap<number, StoredPlan>>
  /** Every published plan, ordered by name and version. */
  published (environment: string): Promise<Plan[]>
}

type PlanRow = typeof plans.$inferSelect

export function catalog (database: Database): Catalog {
  const cached = new LRUCache<number, StoredPlan>({ max: PLANS_CACHED_MAX })
  const db = orm(database)

  async function complete (rows: readonly PlanRow[], using: Orm): Promise<StoredPlan[]> {
    const missing = rows.filter(row => !cached.has(row.id))
    const stored = missing.length === 0 ? [] : await load(missing, using)
    for (const plan of stored) cached.set(plan.key, plan)
    const loaded = new Map(stored.map(plan => [plan.key, plan]))
    return rows.map(row => loaded.get(row.id) ?? cached.get(row.id) as StoredPlan)
  }

  return {
    add: async (environment, plan) => await database.transaction(async session => await add(orm(session), environment, plan)),
    find: async (environment, ref) => {
      const rows = await db.select().from(plans)
        .where(and(eq(plans.environment, ownerOf(environment)), eq(plans.name, ref.name), eq(plans.version, ref.version)))
      return (await complete(rows, db))[0]
    },
    byKey: async (keys, session) => {
      const found = new Map<number, StoredPlan>()
      const missing: number[] = []
      for (const key of keys) {
        const plan = cached.get(key)
        if (plan === undefined) missing.push(key)
        else found.set(key, plan)
      }
      if (missing.length > 0) {
        const using = session === undefined ? db : orm(session)
        const rows = await using.select().from(plans).where(inArray(plans.id, missing))
        for (const plan of await complete(rows, using)) found.set(plan.key, plan)
      }
      return found
    },
    published: async environment => {
      const rows = await db.select().from(plans)
        .where(and(eq(plans.environment, ownerOf(environment)), eq(plans.status, 'published')))
        .orderBy(asc(plans.name), asc(plans.version))
      return (await load(rows, db)).map(({ plan }) => plan)
    }
  }
}

/** Whose plans and features an environment has: its parent's if it is a test clock, else its own. */
export function ownerOf (environment: string): SQL<string> {
  return sql`(select coalesce(parent, name) from environments where name = ${environment})`
}

async function load (rows: readonly PlanRow[], db: Orm): Promise<StoredPlan[]> {
  if (rows.length === 0) return []
  const held = await db.select({ name: features.name, entitlement: entitlements }).from(entitlements)
    .innerJoin(features, eq(features.id, entitlements.feature))
    .where(inArray(entitlements.plan, rows.map(row => row.id)))
    .orderBy(asc(features.name))
  return rows.map(row => {
    const own = held.filter(({ entitlement }) => entitlement.plan === row.id)
    const { title, currency, interval, addon, anchor } = row
    return {
      key: row.id,
      featureKeys: new Map(own.map(({ name, entitlement }) => [name, entitlement.feature])),
      plan: {
        ref: { name: row.name, version: row.version },
        title,
        currency,
        interval,
        addon,
        anchor,
        features: own.map(({ name, entitlement: { plan: _plan, feature: _feature, ...rest } }) => ({ feature: name, ...rest }))
      }
    }
  })
}

async function add (db: Orm, named: string, { ref, features: pushed, ...rest }: Plan): Promise<boolean> {
  const environment = ownerOf(named)
  const [row] = await db.insert(plans).values({ environment, ...ref, ...rest, status: 'published' })
    .onConflictDoNothing().returning({ id: plans.id })
  if (row === undefined) return false
  const names = pushed.map(({ feature }) => feature).sort()
  await db.insert(features).values(names.map(name => ({ environment, name }))).onConflictDoNothing()
  const known = await db.select({ id: features.id, name: features.name }).from(features)
    .where(and(eq(features.environment, environment), inArray(features.name, names)))
  const keys = new Map(known.map(({ id, name }) => [name, id]))
  await db.insert(entitlements).values(pushed.map(({ feature, ...entitlement }) => {
    const key = keys.get(feature)
    if (key === undefined) throw new Error(`${feature} of ${planText(ref)} was not stored`)
    return { plan: row.id, feature: key, ...entitlement }
  }))
  return true
}
