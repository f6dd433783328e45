import { and, asc, eq, inArray, type SQL, sql } from 'drizzle-orm'
import type { Instant } from '../domain/entitlement.ts'
import { type PlanRef, planText } from '../domain/ids.ts'
import type { Plan, PlanStatus } from '../domain/plan.ts'
import type { Properties } from '../domain/properties.ts'
import { type CatalogPlan, insertEntitlements, insertPlan, isNamed, loadPlans, ownerOf } from './catalog.ts'
import { type Database, type Orm, orm, type Session } from './database.ts'
import { type Page, pageOf } from './page.ts'
import { clearSale } from './plan-sales.ts'
import { entitlements, environments, features, plans } from './schema.ts'

/** How often a draft may be deleted by somebody else between two statements that need it. */
const ATTEMPTS_MAX = 3

/** What is absent chooses nothing. */
export interface PlanFilter {
  readonly status?: PlanStatus | undefined
  /** `plan:pro`: all its versions. */
  readonly name?: string | undefined
  readonly feature?: string | undefined
  readonly addon?: boolean | undefined
}

/** Plans as their owner works on them. */
export interface Plans {
  /** By name and version, after `after`. */
  list (environment: string, filter: PlanFilter, after: PlanRef | null, countMax: number): Promise<Page<CatalogPlan>>
  /**
   * Creates a draft, or puts it in place of the draft there is.
   * @param create refuse where there is any
   * @param at when, in the environment's time, as in the other calls
   * @param metadata of one that is new
   * @returns the status of the plan that stands in the way; undefined: done
   */
  putDraft (environment: string, plan: Plan, create: boolean, at: Instant, metadata?: Properties): Promise<PlanStatus | undefined>
  /**
   * Does nothing if there is no such plan.
   * @returns why it was not archived: it is a draft, or the plan to which new orgs of the environment are subscribed
   */
  setStatus (environment: string, ref: PlanRef, status: 'published' | 'archived', at: Instant): Promise<'draft' | 'default' | undefined>
  /** @returns the status of the plan; undefined: there is none */
  putMetadata (environment: string, ref: PlanRef, metadata: Properties, at: Instant): Promise<PlanStatus | undefined>
  /** Deletes a draft. Does nothing if there is no such plan. @returns the status of one that is no draft */
  remove (environment: string, ref: PlanRef): Promise<PlanStatus | undefined>
}

export function planStore (database: Database): Plans {
  const db = orm(database)

  /** Its row stays locked until the transaction ends. */
  async function locked (session: Session, environment: string, ref: PlanRef): Promise<{ key: number, status: PlanStatus } | undefined> {
    const [row] = await orm(session).select({ key: plans.id, status: plans.status }).from(plans)
      .where(isNamed(environment, ref)).for('no key update')
    return row
  }

  return {
    list: async (environment, filter, after, countMax) => {
      const position = after === null ? undefined : sql`(${plans.name}, ${plans.version}) > (${after.name}, ${after.version})`
      const rows = await db.select({ key: plans.id, name: plans.name, version: plans.version }).from(plans)
        .where(and(eq(plans.environment, ownerOf(environment)), position, chosen(environment, filter)))
        .orderBy(asc(plans.name), asc(plans.version)).limit(countMax + 1)
      const { items, next } = pageOf(rows, countMax, ({ name, version }) => [name, version])
      return { items: items.length === 0 ? [] : await loadPlans(db, inArray(plans.id, items.map(({ key }) => key))), next }
    },
    putDraft: async (environment, plan, create, at, metadata = {}) => await database.transaction(async session => {
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
        const key = await insertPlan(orm(session), environment, plan, 'draft', at, metadata)
        const known = key === undefined ? await locked(session, environment, plan.ref) : undefined
        if (key === undefined && known === undefined) continue
        if (known !== undefined) {
          if (create || known.status !== 'draft') return known.status
          await clear(orm(session), known.key, plan, at)
        }
        await insertEntitlements(orm(session), environment, (key ?? known?.key) as number, plan)
        return undefined
      }
      throw new Error(`${planText(plan.ref)} was deleted again and again`)
    }),
    setStatus: async (environment, ref, status, at) => await database.transaction(async session => {
      const known = await locked(session, environment, ref)
      if (known === undefined) return undefined
      if (status === 'archived') {
        if (known.status === 'draft') return 'draft'
        const [settings] = await orm(session).select({ defaultPlan: environments.defaultPlan }).from(environments)
          .where(eq(environments.name, ownerOf(environment)))
        if (settings?.defaultPlan === planText(ref)) return 'default'
      }
      if (known.status !== status) await orm(session).update(plans).set({ status, updatedAt: at }).where(eq(plans.id, known.key))
      return undefined
    }),
    putMetadata: async (environment, ref, metadata, at) => await database.transaction(async session => {
      const known = await locked(session, environment, ref)
      if (known === undefined || known.status === 'archived') return known?.status
      await orm(session).update(plans).set({ metadata, updatedAt: at }).where(eq(plans.id, known.key))
      return known.status
    }),
    remove: async (environment, ref) => await database.transaction(async session => {
      const known = await locked(session, environment, ref)
      if (known === undefined) return undefined
      if (known.status !== 'draft') return known.status
      await orm(session).delete(entitlements).where(eq(entitlements.plan, known.key))
      await clearSale(orm(session), known.key)
      await orm(session).delete(plans).where(eq(plans.id, known.key))
      return undefined
    })
  }
}

async function clear (db: Orm, key: number, { ref: _ref, features: _features, ...rest }: Plan, at: Instant): Promise<void> {
  await db.delete(entitlements).where(eq(entitlements.plan, key))
  await db.update(plans).set({ ...rest, updatedAt: at }).where(eq(plans.id, key))
}

function chosen (environment: string, { status, name, feature, addon }: PlanFilter): SQL | undefined {
  return and(
    status && eq(plans.status, status),
    name === undefined ? undefined : eq(plans.name, name),
    addon === undefined ? undefined : eq(plans.addon, addon),
    feature === undefined
      ? undefined
      : sql`exists (select from ${entitlements} where ${entitlements.plan} = ${plans.id} and ${entitlements.feature} =
          (select ${features.id} from ${features} where ${features.environment} = ${ownerOf(environment)} and ${features.name} = ${feature}))`
  )
}
