import { and, desc, eq, getTableColumns, inArray, lt, sql } from 'drizzle-orm'
import type { Instant } from '../domain/entitlement.ts'
import { coalesce } from './coalesce.ts'
import { instantArray, plainArray } from './arrays.ts'
import { type Database, type Orm, orm, prepare } from './database.ts'
import { type KeyCache, keyCache } from './key-cache.ts'
import { keys } from './schema.ts'

const USED_EVERY_MS = 60_000
const USE_LIMITS = { batchMax: 500, inFlightMax: 1, waitingMax: 10_000 }

type Row = typeof keys.$inferSelect

/** A key as it may be shown: its digest stays in here. */
export type StoredKey = Omit<Row, 'digest'>

export type NewKey = Pick<Row, 'id' | 'environment' | 'name' | 'kind' | 'scopes' | 'prefix' | 'digest' | 'createdAt' | 'expiresAt'>

export interface Replacement {
  /** When the old key ends. */
  readonly expiresAt: Instant
  readonly successor: NewKey
}

export interface Keys extends KeyCache<StoredKey> {
  /** The key was accepted. Written at most once a minute; nobody waits for it, and nobody hears if it fails. */
  used (key: StoredKey): void
  add (key: NewKey): Promise<StoredKey>
  get (environment: string, id: string): Promise<StoredKey | undefined>
  /** Newest first. @param before the id of a key; null: from the newest on */
  list (environment: string, before: string | null, max: number): Promise<StoredKey[]>
  /**
   * Ends one key and adds its successor, together.
   * @param work told the old key under its lock; what it throws leaves all as it was
   * @returns the successor; undefined if there is no such key
   */
  replace (environment: string, id: string, work: (old: StoredKey) => Replacement): Promise<StoredKey | undefined>
  /** From now on it is refused here, within 5 s elsewhere. The first time stands. @returns undefined if there is no such key */
  revoke (environment: string, id: string, at: Instant): Promise<StoredKey | undefined>
}

const { digest: _digest, ...SHOWN } = getTableColumns(keys)

/** In key order, past those that somebody has locked: nobody waits for this, or is waited for. */
const markUsed = prepare<'ids' | 'at'>(sql`
  with due as (
    select keys.id, used.at from unnest(${sql.placeholder('ids')}::uuid[], ${sql.placeholder('at')}::timestamptz[]) as used (id, at)
    join keys on keys.id = used.id
    where keys.last_used_at is null or keys.last_used_at <= used.at - interval '${sql.raw(String(USED_EVERY_MS))} milliseconds'
    order by keys.id for no key update of keys skip locked
  )
  update keys set last_used_at = due.at from due where keys.id = due.id`)

export interface KeyStoreOptions {
  /** The clock on the wall; that of an environment may be frozen. */
  readonly now?: () => Instant
}

export function keyStore (database: Database, { now = () => Date.now() }: KeyStoreOptions = {}): Keys {
  const db = orm(database)
  const cache = keyCache<StoredKey>({ load: async digests => await byDigest(db, digests), now })
  const writeUse = coalesce<{ id: string, at: Instant }, undefined>(async uses => {
    await database.run([markUsed({ ids: plainArray(uses.map(({ id }) => id)), at: instantArray(uses.map(({ at }) => at)) })])
    return uses.map(() => undefined)
  }, USE_LIMITS)

  return {
    ...cache,
    used: key => {
      const at = now()
      if (key.lastUsedAt !== null && at - key.lastUsedAt < USED_EVERY_MS) return
      key.lastUsedAt = at
      // It may be lost: the next use in a minute writes again.
      writeUse({ id: key.id, at }).catch(() => {})
    },
    add: async key => await insert(db, key),
    get: async (environment, id) => {
      const [key] = await db.select(SHOWN).from(keys).where(and(eq(keys.environment, environment), eq(keys.id, id)))
      return key
    },
    list: async (environment, before, max) => await db.select(SHOWN).from(keys)
      .where(and(eq(keys.environment, environment), before === null ? undefined : lt(keys.id, before)))
      .orderBy(desc(keys.id)).limit(max),
    replace: async (environment, id, work) => {
      const replaced = await database.transaction(async session => await replace(orm(session), environment, id, work))
      if (replaced !== undefined) cache.forget(replaced.digest)
      return replaced?.successor
    },
    revoke: async (environment, id, at) => {
      const [row] = await db.update(keys).set({ revokedAt: sql`coalesce(${keys.revokedAt}, ${new Date(at).toISOString()}::timestamptz)` })
        .where(and(eq(keys.environment, environment), eq(keys.id, id))).returning()
      if (row === undefined) return undefined
      const { digest, ...key } = row
      cache.forget(digest)
      return key
    }
  }
}

async function byDigest (db: Orm, digests: readonly string[]): Promise<Array<StoredKey | undefined>> {
  const rows = await db.select().from(keys).where(inArray(keys.digest, [...digests]))
  const found = new Map(rows.map(({ digest, ...key }) => [digest, key]))
  return digests.map(digest => found.get(digest))
}

async function insert (db: Orm, key: NewKey): Promise<StoredKey> {
  const [stored] = await db.insert(keys).values(key).returning(SHOWN)
  return stored as StoredKey
}

async function replace (
  db: Orm, environment: string, id: string, work: (old: StoredKey) => Replacement
): Promise<{ digest: string, successor: StoredKey } | undefined> {
  const own = and(eq(keys.environment, environment), eq(keys.id, id))
  const [row] = await db.select().from(keys).where(own).for('update')
  if (row === undefined) return undefined
  const { digest, ...old } = row
  const { expiresAt, successor } = work(old)
  await db.update(keys).set({ expiresAt, rotatedTo: successor.id }).where(own)
  return { digest, successor: await insert(db, successor) }
}
