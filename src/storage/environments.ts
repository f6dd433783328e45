import { eq } from 'drizzle-orm'
import { LRUCache } from 'lru-cache'
import type { Instant } from '../domain/entitlement.ts'
import { type Database, orm } from './database.ts'
import { environments } from './schema.ts'

const SETTINGS_AGE_MAX_MS = 5_000
/** With the ledger away, how long until it is asked again. */
const OUTAGE_RETRY_MS = 1_000
const ENVIRONMENTS_CACHED_MAX = 1_000
/** How often the clock is read to see whether settings are still young. */
const CLOCK_RESOLUTION_MS = 100

export interface Environment {
  readonly name: string
  /** `plan:free@0`: what an org is subscribed to on first sight; null: an unknown org is an error. */
  readonly defaultPlan: string | null
  /** Frozen time; null: the clock on the wall. */
  readonly fixedNow: Instant | null
}

export interface Environments {
  /** At most 5 s old; of an environment with frozen time, always as the ledger has it now. */
  get (name: string): Environment | Promise<Environment | undefined>
  /** Creates or replaces. */
  put (environment: Environment): Promise<void>
  /** Creates it with default settings if it is new. */
  ensure (name: string): Promise<void>
}

export function environmentStore (database: Database): Environments {
  const db = orm(database)
  const cached = new LRUCache<string, Environment>({
    max: ENVIRONMENTS_CACHED_MAX, ttl: SETTINGS_AGE_MAX_MS, ttlResolution: CLOCK_RESOLUTION_MS, noDeleteOnStaleGet: true
  })
  /** However many ask at once, the ledger is asked once. */
  const loading = new Map<string, Promise<Environment | undefined>>()
  const { name, defaultPlan, fixedNow } = environments

  async function load (wanted: string): Promise<Environment | undefined> {
    try {
      const [row] = await db.select({ name, defaultPlan, fixedNow }).from(environments).where(eq(name, wanted))
      if (row === undefined) cached.delete(wanted)
      else cached.set(wanted, row)
      return row
    } catch (error) {
      // Without the ledger, questions are answered from the mirror: its settings are then as old as the outage.
      const old = cached.get(wanted, { allowStale: true })
      if (old?.fixedNow !== null) throw error
      cached.set(wanted, old, { ttl: OUTAGE_RETRY_MS })
      return old
    } finally {
      loading.delete(wanted)
    }
  }

  return {
    get: wanted => {
      const known = cached.get(wanted)
      if (known?.fixedNow === null) return known
      const pending = loading.get(wanted) ?? load(wanted)
      loading.set(wanted, pending)
      return pending
    },
    put: async ({ name, ...settings }) => {
      await db.insert(environments).values({ name, ...settings })
        .onConflictDoUpdate({ target: environments.name, set: settings })
      cached.delete(name)
    },
    ensure: async name => {
      await db.insert(environments).values({ name }).onConflictDoNothing()
    }
  }
}
