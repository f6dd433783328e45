import { and, eq, sql } from 'drizzle-orm'
import { type Database, type Orm, orm, type Session, type Statement } from './database.ts'
import { orgs, overrides, subscriptions } from './schema.ts'
import { orgAliases } from './schema-kana.ts'

/** Rows that one transaction deletes: it holds connections and, embedded, everybody else for as long as that takes. */
const PAGE_ROWS = 1_000

/** The key of a deleted org, and the version by which everybody sees that what they knew of it is no more. */
export interface DeletedOrg {
  readonly key: number
  readonly version: number
}

export interface OrgDeletion {
  /**
   * Deletes an org with everything it holds. Its name is free at once; what it used, which may be much, is deleted by
   * `purge`. @returns undefined if there is no such org
   */
  delete (environment: string, name: string): Promise<DeletedOrg | undefined>
  /**
   * Deletes one page of what a deleted org has used, the org's row last. Any number of processes may do it at once, and be
   * killed at any moment: each takes another org, and what is left is found by its row.
   * @returns is there more to delete, as far as this process can tell?
   */
  purge (): Promise<boolean>
}

export function orgDeletion (database: Database): OrgDeletion {
  return {
    delete: async (environment, name) => await database.transaction(async session => {
      const db = orm(session)
      const [known] = await db.select({ key: orgs.id }).from(orgs)
        .where(and(eq(orgs.environment, environment), eq(orgs.name, name))).for('update')
      if (known === undefined) return undefined
      await db.delete(subscriptions).where(eq(subscriptions.org, known.key))
      await db.delete(overrides).where(eq(overrides.org, known.key))
      await db.delete(orgAliases).where(eq(orgAliases.org, known.key))
      return await entomb(db, known.key)
    }),
    purge: async () => await database.transaction(async session => {
      const [found] = await session.run([NEXT])
      const key = found?.rows[0]?.[0] as number | undefined
      if (key === undefined) return false
      let gone = 0
      for (const table of ['events', 'counters', 'reservations'] as const) gone += await deletePage(session, key, table)
      if (gone === 0) await orm(session).delete(orgs).where(eq(orgs.id, key))
      return true
    })
  }
}

/** What an org leaves behind that is no more, and holds nothing. */
export async function entomb (db: Orm, key: number): Promise<DeletedOrg> {
  const [row] = await db.update(orgs)
    // No id of an org begins like this.
    .set({ name: `${TOMBSTONE}:${key}`, info: {}, deletedAt: Date.now(), version: sql`${orgs.version} + 1` })
    .where(eq(orgs.id, key)).returning({ key: orgs.id, version: orgs.version })
  return row as DeletedOrg
}

const TOMBSTONE = 'deleted'

/** By the index for prefixes, environment by environment; `;` is the character after `:`. */
const NEXT: Statement = {
  text: `select found.id from environments e cross join lateral (
    select o.id from orgs o where o.environment = e.name and o.name ~>=~ '${TOMBSTONE}:' and o.name ~<~ '${TOMBSTONE};' and o.deleted_at is not null
    limit 1 for update skip locked
  ) found limit 1`,
  params: []
}

async function deletePage (session: Session, org: number, table: 'events' | 'counters' | 'reservations'): Promise<number> {
  const text = `with gone as (
    delete from ${table} where ctid = any(array(select ctid from ${table} where org = $1::int limit ${PAGE_ROWS})) returning 1
  ) select count(*)::int from gone`
  const [result] = await session.run([{ text, params: [org] }])
  return result?.rows[0]?.[0] as number
}
