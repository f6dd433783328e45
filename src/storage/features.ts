import { and, asc, eq, gt, inArray, type SQL, sql } from 'drizzle-orm'
import type { FeatureType, Instant, OutagePolicy } from '../domain/entitlement.ts'
import type { PlanRef } from '../domain/ids.ts'
import type { Properties } from '../domain/properties.ts'
import { ownerOf } from './catalog.ts'
import { type Database, orm } from './database.ts'
import { type Page, pageOf } from './page.ts'
import { entitlements, features, plans } from './schema.ts'

/** Plans that are named with a feature; the list of plans has them all, by pages. */
const PLANS_SHOWN_MAX = 100

/** A feature as plans of all statuses use it; one that no plan names any more has neither types nor plans. */
export interface ListedFeature extends FeatureLabels {
  /** `feature:calls` */
  readonly name: string
  /** As it was made by itself; null: only plans say what it is. */
  readonly type: FeatureType | null
  /** In order; both where plans differ. */
  readonly types: readonly FeatureType[]
  /** `plan:pro@1`: the first 100, by name and version. */
  readonly plans: readonly string[]
  readonly planCount: number
  /** What is answered of it while the ledger cannot be asked. */
  readonly onOutage: OutagePolicy
  readonly createdAt: Instant
}

/** How it is shown to people. */
export interface FeatureLabels {
  /** null: its id will do */
  readonly title: string | null
  /** Of a metered one: `API Call`, `API Calls`. */
  readonly unitLabel: string | null
  readonly unitLabelPlural: string | null
  readonly metadata: Properties
}

export interface NewFeature extends FeatureLabels {
  readonly name: string
  readonly type: FeatureType
}

export interface Features {
  /** By name, after `after`. @param plan undefined: of all plans */
  list (environment: string, plan: PlanRef | undefined, after: string | null, countMax: number): Promise<Page<ListedFeature>>
  find (environment: string, name: string): Promise<ListedFeature | undefined>
  /** @returns whether there is such a feature */
  putOutagePolicy (environment: string, name: string, onOutage: OutagePolicy): Promise<boolean>
  /** Those that there are, by name. */
  labels (environment: string, names: readonly string[]): Promise<ReadonlyMap<string, FeatureLabels>>
  /** @returns false, and changes nothing, if there is one of that name */
  add (environment: string, feature: NewFeature): Promise<boolean>
  /** @returns false if there is none of that name */
  change (environment: string, name: string, labels: Partial<FeatureLabels>): Promise<boolean>
}

interface Use {
  readonly feature: number
  readonly types: readonly FeatureType[]
  readonly plans: readonly string[]
  readonly planCount: number
}

export function featureStore (database: Database): Features {
  const db = orm(database)

  async function listed (environment: string, condition: SQL | undefined, countMax: number): Promise<ListedFeature[]> {
    const rows = await db.select().from(features).where(and(eq(features.environment, ownerOf(environment)), condition))
      .orderBy(asc(features.name)).limit(countMax)
    const uses = new Map((await usesOf(environment, rows.map(({ id }) => id))).map(use => [use.feature, use]))
    return rows.map(({ id, environment: _environment, ...row }) => {
      const { types = [], plans = [], planCount = 0 } = uses.get(id) ?? {}
      return { ...row, types, plans, planCount }
    })
  }

  async function usesOf (environment: string, keys: readonly number[]): Promise<Use[]> {
    if (keys.length === 0) return []
    const name = sql`${plans.name} || '@' || ${plans.version}`
    return await db.select({
      feature: entitlements.feature,
      types: sql<FeatureType[]>`json_agg(distinct ${entitlements.type})`,
      plans: sql<string[]>`to_json((array_agg(${name} order by ${plans.name}, ${plans.version}))[1:${sql.raw(String(PLANS_SHOWN_MAX))}])`,
      planCount: sql<number>`count(*)::int`
    }).from(plans).innerJoin(entitlements, eq(entitlements.plan, plans.id))
      .where(and(eq(plans.environment, ownerOf(environment)), inArray(entitlements.feature, [...keys])))
      .groupBy(entitlements.feature)
  }

  return {
    list: async (environment, plan, after, countMax) => {
      const inPlan = plan && inArray(features.id, db.select({ feature: entitlements.feature }).from(plans)
        .innerJoin(entitlements, eq(entitlements.plan, plans.id))
        .where(and(eq(plans.environment, ownerOf(environment)), eq(plans.name, plan.name), eq(plans.version, plan.version))))
      const condition = and(after === null ? undefined : gt(features.name, after), inPlan)
      return pageOf(await listed(environment, condition, countMax + 1), countMax, ({ name }) => [name])
    },
    find: async (environment, name) => (await listed(environment, eq(features.name, name), 1))[0],
    putOutagePolicy: async (environment, name, onOutage) => {
      const changed = await db.update(features).set({ onOutage })
        .where(and(eq(features.environment, ownerOf(environment)), eq(features.name, name))).returning({ id: features.id })
      return changed.length > 0
    },
    labels: async (environment, names) => {
      if (names.length === 0) return new Map()
      const { name, title, unitLabel, unitLabelPlural, metadata } = features
      const rows = await db.select({ name, title, unitLabel, unitLabelPlural, metadata }).from(features)
        .where(and(eq(features.environment, ownerOf(environment)), inArray(features.name, [...names])))
      return new Map(rows.map(({ name, ...labels }) => [name, labels]))
    },
    add: async (environment, feature) => {
      const added = await db.insert(features).values({ environment: ownerOf(environment), ...feature })
        .onConflictDoNothing().returning({ id: features.id })
      return added.length > 0
    },
    change: async (environment, name, labels) => {
      const changed = await db.update(features).set(labels)
        .where(and(eq(features.environment, ownerOf(environment)), eq(features.name, name))).returning({ id: features.id })
      return changed.length > 0
    }
  }
}
