import { and, asc, eq, inArray, type SQL, sql } from 'drizzle-orm'
import type { Instant } from '../domain/entitlement.ts'
import { type PlanRef, planText } from '../domain/ids.ts'
import type { StoredPlan } from '../domain/org.ts'
import type { Plan, PlanStatus } from '../domain/plan.ts'
import type { PlanPrice } from '../domain/plan-price.ts'
import type { Properties } from '../domain/properties.ts'
import { type Database, type Orm, orm, type Session } from './database.ts'
import { recent } from './recent.ts'
import { entitlements, features, plans } from './schema.ts'

const PLANS_CACHED_MAX = 10_000

/** A plan, and what may change about it. */
export interface CatalogPlan extends StoredPlan {
  readonly status: PlanStatus
  readonly metadata: Properties
  /** In their owner's order. */
  readonly prices: readonly PlanPrice[]
  readonly createdAt: Instant
  readonly updatedAt: Instant
}

/** What may change about it, and is never remembered. */
const CHANGING = {
  status: plans.status,
  metadata: plans.metadata,
  prices: sql<PlanPrice[]>`coalesce((
    select json_agg(json_build_object('provider', p.provider, 'id', p.id, 'amount', p.amount, 'currency', p.currency, 'interval', p.interval)
      order by p.position)
    from plan_prices p where p.plan = plans.id), '[]')`,
  createdAt: plans.createdAt,
  updatedAt: plans.updatedAt
}

/**
 * Plans, shared by all orgs that hold them. What was published never changes, so it is remembered; drafts never are. A test
 * clock has none of its own: named as the environment, it stands for its parent, in every call.
 */
export interface Catalog {
  /**
   * Publishes a plan with its features.
   * @param at when, in the environment's time
   * @returns false, and changes nothing, if the plan exists, be it as a draft
   */
  add (environment: string, plan: Plan, at: Instant): Promise<boolean>
  /** Of any status: whoever would have somebody hold it looks at that first. */
  find (environment: string, ref: PlanRef): Promise<CatalogPlan | undefined>
  /** @param keys of plans that somebody holds: none is a draft */
  byKey (keys: readonly number[], session?: Session): Promise<ReadonlyMap<number, StoredPlan>>
  /** Every published plan, ordered by name and version. */
  published (environment: string): Promise<Plan[]>
}

export function catalog (database: Database): Catalog {
  const cached = recent<number, StoredPlan>(PLANS_CACHED_MAX)
  const db = orm(database)

  async function load (condition: SQL, using: Orm): Promise<CatalogPlan[]> {
    const loaded = await loadPlans(using, condition)
    for (const { status, key, plan, featureKeys } of loaded) if (status !== 'draft') cached.set(key, { key, plan, featureKeys })
    return loaded
  }

  return {
    add: async (environment, plan, at) => await database.transaction(async session => await add(orm(session), environment, plan, at)),
    find: async (environment, ref) => {
      const [row] = await db.select({ key: plans.id, ...CHANGING }).from(plans)
        .where(isNamed(environment, ref))
      if (row === undefined) return undefined
      const known = cached.get(row.key)
      return known === undefined ? (await load(eq(plans.id, row.key), db))[0] : { ...known, ...row }
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
        for (const plan of await load(inArray(plans.id, missing), using)) found.set(plan.key, plan)
      }
      return found
    },
    published: async environment => {
      const loaded = await loadPlans(db, and(eq(plans.environment, ownerOf(environment)), eq(plans.status, 'published')))
      return loaded.map(({ plan }) => plan)
    }
  }
}

/** Whose plans and features an environment has: its parent's if it is a test clock, else its own. */
export function ownerOf (environment: string): SQL<string> {
  return sql`(select coalesce(parent, name) from environments where name = ${environment})`
}

export function isNamed (environment: string, { name, version }: PlanRef): SQL | undefined {
  return and(eq(plans.environment, ownerOf(environment)), eq(plans.name, name), eq(plans.version, version))
}

/** By name and version. One statement, hence one snapshot: a draft may be published while it is read. */
export async function loadPlans (db: Orm, condition: SQL | undefined): Promise<CatalogPlan[]> {
  const rows = await db.select({ row: plans, changing: CHANGING, feature: features.name, entitlement: entitlements }).from(plans)
    .innerJoin(entitlements, eq(entitlements.plan, plans.id))
    .innerJoin(features, eq(features.id, entitlements.feature))
    .where(condition)
    .orderBy(asc(plans.name), asc(plans.version), asc(features.name))
  const perPlan = new Map<number, Array<typeof rows[number]>>()
  for (const row of rows) {
    const own = perPlan.get(row.row.id)
    if (own === undefined) perPlan.set(row.row.id, [row])
    else own.push(row)
  }
  return [...perPlan.values()].map(own => {
    const [{ row, changing }] = own as [typeof rows[number]]
    const { id: key, name, version, title, currency, interval, addon, anchor } = row
    const held = own.map(({ feature, entitlement: { plan: _plan, feature: _feature, ...said } }) => ({ feature, ...said }))
    return {
      key,
      ...changing,
      featureKeys: new Map(own.map(({ feature, entitlement }) => [feature, entitlement.feature])),
      plan: { ref: { name, version }, title, currency, interval, addon, anchor, features: held }
    }
  })
}

async function add (db: Orm, environment: string, plan: Plan, at: Instant): Promise<boolean> {
  const key = await insertPlan(db, environment, plan, 'published', at)
  if (key === undefined) return false
  await insertEntitlements(db, environment, key, plan)
  return true
}

/** @returns its key; undefined if there is one of this name and version */
export async function insertPlan (
  db: Orm, environment: string, { ref, features: _features, ...rest }: Plan, status: PlanStatus, at: Instant, metadata: Properties = {}
): Promise<number | undefined> {
  const [row] = await db.insert(plans).values({ environment: ownerOf(environment), ...ref, ...rest, status, metadata, updatedAt: at })
    .onConflictDoNothing().returning({ id: plans.id })
  return row?.id
}

export async function insertEntitlements (db: Orm, named: string, plan: number, { ref, features: pushed }: Plan): Promise<void> {
  const environment = ownerOf(named)
  const names = pushed.map(({ feature }) => feature).sort()
  await db.insert(features).values(names.map(name => ({ environment, name }))).onConflictDoNothing()
  const known = await db.select({ id: features.id, name: features.name }).from(features)
    .where(and(eq(features.environment, environment), inArray(features.name, names)))
  const keys = new Map(known.map(({ id, name }) => [name, id]))
  await db.insert(entitlements).values(pushed.map(({ feature, ...entitlement }) => {
    const key = keys.get(feature)
    if (key === undefined) throw new Error(`${feature} of ${planText(ref)} was not stored`)
    return { plan, feature: key, ...entitlement }
  }))
}
