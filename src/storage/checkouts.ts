import { and, eq, isNull, or, sql } from 'drizzle-orm'
import type { Instant } from '../domain/entitlement.ts'
import type { Checkout } from '../domain/payment.ts'
import { type Database, orm, type Session } from './database.ts'
import { checkouts, orgs } from './schema.ts'

const KEPT_DAYS = 90
/** More than one new one adds, so that old ones become fewer. */
const SWEEP_ROWS_MAX = 10

export interface StoredCheckout extends Checkout {
  /** null: nobody has confirmed, and whoever does becomes a new org */
  readonly orgKey: number | null
  /** null: it is open */
  readonly completedAt: Instant | null
}

export interface Checkouts {
  /** With the org's name of today. Undefined: there is none, or none any more, or its org is gone. */
  find (environment: string, id: string): Promise<StoredCheckout | undefined>
  /** Of nobody in particular. */
  add (checkout: Checkout): Promise<void>
  /** @returns false, and changes nothing, if it was completed before */
  complete (id: string, at: Instant): Promise<boolean>
}

export function checkoutStore (database: Database): Checkouts {
  return {
    find: async (environment, id) => {
      const [found] = await orm(database).select({ checkout: checkouts, org: orgs.name }).from(checkouts)
        .leftJoin(orgs, and(eq(orgs.id, checkouts.org), eq(orgs.environment, checkouts.environment), isNull(orgs.deletedAt)))
        .where(and(eq(checkouts.id, id), eq(checkouts.environment, environment), or(isNull(checkouts.org), sql`${orgs.id} is not null`)))
      if (found === undefined) return undefined
      const { createdAt: _createdAt, org: orgKey, ...rest } = found.checkout
      return { ...rest, orgKey, org: found.org }
    },
    add: async checkout => await database.transaction(async session => await addCheckout(session, null, checkout)),
    complete: async (id, at) => await completeCheckout(database, id, at, null)
  }
}

export async function addCheckout (session: Session, orgKey: number | null, checkout: Checkout): Promise<void> {
  const db = orm(session)
  const { id, environment, features, adds, trialDays, successUrl, cancelUrl, expiresAt } = checkout
  await db.execute(sql`
    delete from checkouts where id in (
      select id from checkouts where created_at < now() - make_interval(days => ${KEPT_DAYS}::int)
      order by created_at limit ${SWEEP_ROWS_MAX}::int for update skip locked
    )`)
  await db.insert(checkouts).values({
    id, environment, org: orgKey, features: [...features], adds, trialDays, successUrl, cancelUrl, expiresAt
  })
}

/** @param orgKey of the org that has confirmed; null: it is known */
export async function completeCheckout (session: Session, id: string, at: Instant, orgKey: number | null): Promise<boolean> {
  const completed = await orm(session).update(checkouts).set({ completedAt: at, ...(orgKey !== null && { org: orgKey }) })
    .where(and(eq(checkouts.id, id), isNull(checkouts.completedAt))).returning({ id: checkouts.id })
  return completed.length > 0
}
