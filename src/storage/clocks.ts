import { and, asc, eq, inArray, isNotNull, isNull, lt, lte, sql } from 'drizzle-orm'
import { CLOCKS_MAX } from '../domain/test-clock.ts'
import type { Instant } from '../domain/entitlement.ts'
import { plainArray } from './arrays.ts'
import { type Database, type Orm, orm } from './database.ts'
import type { Environment } from './environments.ts'
import { counters, environments, events, idempotencyKeys, keys, orgs, overrides, reservations, subscriptions } from './schema.ts'
import { orgAliases, orgImportRows, orgImports, segmentEvents, segmentRules } from './schema-kana.ts'

const USE_NOTED_EVERY_MS = 3_600_000
const EXPIRED_AT_ONCE_MAX = 100
const PURGED_ORGS_MAX = 100
const PURGED_ROWS_MAX = 5_000

/**
 * Environments that have a parent and a time of their own. One that is deleted loses its time first: from then on nobody
 * finds it, and what it holds is deleted page by page.
 */
export interface Clocks {
  /** @returns false, and makes nothing, if the parent has as many as it may have, or is a test clock itself */
  add (clock: { readonly id: string, readonly parent: string, readonly present: Instant }): Promise<boolean>
  /** Forward, or nowhere. @returns false if the parent has no such clock, or it is past `present` */
  advance (clock: { readonly id: string, readonly parent: string, readonly present: Instant }, at: Instant): Promise<boolean>
  /** It was named by a call. Written at most once an hour. */
  used (clock: Environment, at: Instant): Promise<void>
  /** @returns false if the parent has no such clock */
  remove (id: string, parent: string, at: Instant): Promise<boolean>
  /** Removes clocks that were last used before `unusedSince`, a page of them. */
  expire (unusedSince: Instant, at: Instant): Promise<void>
  /**
   * Deletes a page of what removed clocks hold, in one transaction; at last the clock itself. Replicas that do it at the same
   * time take different clocks.
   * @param removedBefore gives time to what was under way in a clock when it was removed
   * @returns whether there may be more
   */
  purge (removedBefore: Instant): Promise<boolean>
}

export function clockStore (database: Database): Clocks {
  const db = orm(database)
  const noting = new Set<string>()
  const { name, parent, fixedNow, lastUsedAt } = environments

  return {
    add: async clock => {
      const made = await db.execute(sql`
        insert into environments (name, parent, fixed_now)
        select ${clock.id}, parent.name, ${new Date(clock.present).toISOString()}::timestamptz from environments parent
        where parent.name = ${clock.parent} and parent.parent is null
          and (select count(*) from environments clock where clock.parent = parent.name) < ${CLOCKS_MAX}
        returning name`)
      return made.length > 0
    },
    advance: async ({ id, parent: owner, present }, at) => {
      const moved = await db.update(environments).set({ fixedNow: present, lastUsedAt: at })
        .where(and(eq(name, id), eq(parent, owner), lte(fixedNow, present))).returning({ name })
      return moved.length > 0
    },
    used: async (clock, at) => {
      if (at - clock.lastUsedAt < USE_NOTED_EVERY_MS || noting.has(clock.name)) return
      noting.add(clock.name)
      try {
        await db.update(environments).set({ lastUsedAt: at })
          .where(and(eq(name, clock.name), isNotNull(fixedNow), lt(lastUsedAt, at)))
      } finally {
        noting.delete(clock.name)
      }
    },
    remove: async (id, owner, at) => {
      const removed = await db.update(environments).set({ fixedNow: null, lastUsedAt: at })
        .where(and(eq(name, id), eq(parent, owner), isNotNull(fixedNow))).returning({ name })
      return removed.length > 0
    },
    expire: async (unusedSince, at) => {
      const unused = and(isNotNull(parent), isNotNull(fixedNow), lt(lastUsedAt, unusedSince))
      const some = db.select({ name }).from(environments).where(unused).limit(EXPIRED_AT_ONCE_MAX).for('update', { skipLocked: true })
      await db.update(environments).set({ fixedNow: null, lastUsedAt: at }).where(inArray(name, some))
    },
    purge: async removedBefore => await database.transaction(async session => {
      const db = orm(session)
      const [clock] = await db.select({ name }).from(environments)
        .where(and(isNotNull(parent), isNull(fixedNow), lt(lastUsedAt, removedBefore)))
        .limit(1).for('update', { skipLocked: true })
      if (clock === undefined) return false
      await purgePage(db, clock.name)
      return true
    })
  }
}

async function purgePage (db: Orm, clock: string): Promise<void> {
  // Locked in key order, as the ledger does it: a report that has one of them is finished first, and counts for nothing.
  const locked = await db.select({ id: orgs.id }).from(orgs).where(eq(orgs.environment, clock))
    .orderBy(asc(orgs.id)).limit(PURGED_ORGS_MAX).for('update')
  if (locked.length === 0) {
    await db.delete(keys).where(eq(keys.environment, clock))
    await db.delete(idempotencyKeys).where(eq(idempotencyKeys.environment, clock))
    await db.delete(segmentEvents).where(eq(segmentEvents.environment, clock))
    await db.delete(segmentRules).where(eq(segmentRules.environment, clock))
    const imports = db.select({ id: orgImports.id }).from(orgImports).where(eq(orgImports.environment, clock))
    await db.delete(orgImportRows).where(inArray(orgImportRows.import, imports))
    await db.delete(orgImports).where(eq(orgImports.environment, clock))
    await db.delete(environments).where(eq(environments.name, clock))
    return
  }
  const ids = locked.map(({ id }) => id)
  let room = PURGED_ROWS_MAX
  for (const table of [events, counters, reservations, overrides, subscriptions, orgAliases]) {
    const [deleted] = await db.execute<{ count: number }>(sql`
      with deleted as (
        delete from ${table} where ctid = any (array(
          select ctid from ${table} where org = any (${plainArray(ids)}::int[]) limit ${room}
        )) returning 1
      ) select count(*)::int as count from deleted`)
    room -= deleted?.count ?? 0
    if (room <= 0) return
  }
  await db.delete(orgs).where(inArray(orgs.id, ids))
}
