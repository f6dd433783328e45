import { and, asc, eq, gt, inArray, or } from 'drizzle-orm'
import type { Instant } from '../domain/entitlement.ts'
import { type PlanRef, planText } from '../domain/ids.ts'
import type { PlanStatus } from '../domain/plan.ts'
import type { PlanPrice } from '../domain/plan-price.ts'
import { isNamed, ownerOf } from './catalog.ts'
import { type Database, type Orm, orm, type Session } from './database.ts'
import { type Page, pageOf } from './page.ts'
import { plans } from './schema.ts'
import { billingTemplates, planAddons, planPrices } from './schema-kana.ts'

/** A plan at one of its prices, by name. */
export interface BillingTemplate {
  readonly id: string
  /** `plan:pro@1` */
  readonly plan: string
  readonly price: PlanPrice
  readonly createdAt: Instant
}

/** How plans are sold, besides what they say themselves. */
export interface PlanSales {
  /**
   * Puts prices in place of those that are linked.
   * @param at when, in the environment's time, as below
   * @returns the status of the plan; archived: nothing was changed; undefined: there is none
   */
  putPrices (environment: string, ref: PlanRef, prices: readonly PlanPrice[], at: Instant): Promise<PlanStatus | undefined>
  /** Likewise the add-ons that may be taken on top of a base plan. @param addons keys */
  putAddons (environment: string, ref: PlanRef, addons: readonly number[], at: Instant): Promise<PlanStatus | undefined>
  /** `plan:boost@1`, by name and version: what a base plan names. */
  addonsOf (plan: number): Promise<string[]>
  /** Which base plans name each of these add-ons, by keys. */
  basesOf (addons: readonly number[]): Promise<ReadonlyMap<number, readonly number[]>>
  /** @returns false, and changes nothing, if there is one of that id */
  addTemplate (environment: string, template: { readonly id: string, readonly plan: number, readonly price: string }): Promise<boolean>
  /** Undefined also where its price is linked no more. */
  findTemplate (environment: string, id: string): Promise<BillingTemplate | undefined>
  /** By id, after `after`. */
  listTemplates (environment: string, after: string | null, countMax: number): Promise<Page<BillingTemplate>>
  /** @returns false if there is none */
  removeTemplate (environment: string, id: string): Promise<boolean>
}

export function planSales (database: Database): PlanSales {
  const db = orm(database)

  async function change (
    environment: string, ref: PlanRef, at: Instant, work: (db: Orm, plan: number) => Promise<void>
  ): Promise<PlanStatus | undefined> {
    return await database.transaction(async (session: Session) => {
      const db = orm(session)
      const [known] = await db.select({ key: plans.id, status: plans.status }).from(plans)
        .where(isNamed(environment, ref)).for('no key update')
      if (known === undefined || known.status === 'archived') return known?.status
      await work(db, known.key)
      await db.update(plans).set({ updatedAt: at }).where(eq(plans.id, known.key))
      return known.status
    })
  }

  function templates () {
    const { id, createdAt } = billingTemplates
    const { provider, id: price, amount, currency, interval } = planPrices
    const shown = { provider, id: price, amount, currency, interval }
    return db.select({ id, name: plans.name, version: plans.version, price: shown, createdAt })
      .from(billingTemplates)
      .innerJoin(plans, eq(plans.id, billingTemplates.plan))
      .innerJoin(planPrices, and(eq(planPrices.plan, billingTemplates.plan), eq(planPrices.id, billingTemplates.price)))
      .$dynamic()
  }

  const owned = (environment: string) => eq(billingTemplates.environment, ownerOf(environment))

  return {
    putPrices: async (environment, ref, prices, at) => await change(environment, ref, at, async (db, plan) => {
      await db.delete(planPrices).where(eq(planPrices.plan, plan))
      if (prices.length > 0) await db.insert(planPrices).values(prices.map((price, position) => ({ plan, ...price, position })))
    }),
    putAddons: async (environment, ref, addons, at) => await change(environment, ref, at, async (db, base) => {
      await db.delete(planAddons).where(eq(planAddons.base, base))
      if (addons.length > 0) await db.insert(planAddons).values(addons.map(addon => ({ base, addon })))
    }),
    addonsOf: async plan => {
      const rows = await db.select({ name: plans.name, version: plans.version }).from(planAddons)
        .innerJoin(plans, eq(plans.id, planAddons.addon)).where(eq(planAddons.base, plan)).orderBy(asc(plans.name), asc(plans.version))
      return rows.map(planText)
    },
    basesOf: async addons => {
      const bases = new Map<number, number[]>()
      if (addons.length === 0) return bases
      for (const { base, addon } of await db.select().from(planAddons).where(inArray(planAddons.addon, [...addons]))) {
        bases.set(addon, [...bases.get(addon) ?? [], base])
      }
      return bases
    },
    addTemplate: async (environment, template) => {
      const added = await db.insert(billingTemplates).values({ environment: ownerOf(environment), ...template })
        .onConflictDoNothing().returning({ id: billingTemplates.id })
      return added.length > 0
    },
    findTemplate: async (environment, id) => {
      const [row] = await templates().where(and(owned(environment), eq(billingTemplates.id, id)))
      return row === undefined ? undefined : templateOf(row)
    },
    listTemplates: async (environment, after, countMax) => {
      const rows = await templates()
        .where(and(owned(environment), after === null ? undefined : gt(billingTemplates.id, after)))
        .orderBy(asc(billingTemplates.id)).limit(countMax + 1)
      return pageOf(rows.map(templateOf), countMax, ({ id }) => [id])
    },
    removeTemplate: async (environment, id) => {
      const removed = await db.delete(billingTemplates).where(and(owned(environment), eq(billingTemplates.id, id)))
        .returning({ id: billingTemplates.id })
      return removed.length > 0
    }
  }
}

function templateOf ({ name, version, ...rest }: { name: string, version: string } & Omit<BillingTemplate, 'plan'>): BillingTemplate {
  return { ...rest, plan: planText({ name, version }) }
}

/** What is known of how a plan is sold, before the plan itself is deleted. */
export async function clearSale (db: Orm, plan: number): Promise<void> {
  await db.delete(billingTemplates).where(eq(billingTemplates.plan, plan))
  await db.delete(planAddons).where(or(eq(planAddons.base, plan), eq(planAddons.addon, plan)))
  await db.delete(planPrices).where(eq(planPrices.plan, plan))
}
