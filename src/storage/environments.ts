import { and, asc, eq, gt, inArray, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import { LRUCache } from 'lru-cache'
import type { Instant, OutagePolicy } from '../domain/entitlement.ts'
import { coalesce } from './coalesce.ts'
import { type Database, type Orm, orm } from './database.ts'
import { environments, features } from './schema.ts'

const SETTINGS_AGE_MAX_MS = 5_000
/** With the ledger away, how long until it is asked again. */
const OUTAGE_RETRY_MS = 1_000
const ENVIRONMENTS_CACHED_MAX = 1_000
/** How often the clock is read to see whether settings are still young. */
const CLOCK_RESOLUTION_MS = 100
/** Of one environment, with their policies for outages. */
const FEATURES_KNOWN_MAX = 10_000
const LOAD_LIMITS = { batchMax: 200, inFlightMax: 2, waitingMax: 20_000 }

export interface EnvironmentSettings {
  readonly name: string
  /** `plan:free@0`: what an org is subscribed to on first sight; null: an unknown org is an error. */
  readonly defaultPlan: string | null
  /** Frozen time; null: the clock on the wall. */
  readonly fixedNow: Instant | null
}

export interface Environment extends EnvironmentSettings {
  /** Set: a test clock. Its plans and its default plan are those of this environment, its time is its own. */
  readonly parent: string | null
  /** Of a test clock, and up to an hour behind. */
  readonly lastUsedAt: Instant
  readonly createdAt: Instant
}

/** With what its questions depend on while the ledger is away. */
export interface KnownEnvironment extends Environment {
  /**
   * The policy of each of its features, by name; of very many, those that say something come first. Empty where time is
   * frozen: there nothing can be answered without the ledger, which has the time.
   */
  readonly onOutage: ReadonlyMap<string, OutagePolicy>
}

export interface Environments {
  /** At most 5 s old; of an environment with frozen time, always as the ledger has it now. */
  get (name: string): KnownEnvironment | Promise<KnownEnvironment | undefined>
  /** As `get`, but whatever is known: something that belongs to it was changed. */
  renew (name: string): Promise<void>
  /** Creates or replaces. */
  put (settings: EnvironmentSettings): Promise<void>
  /** Creates it with default settings if it is new. */
  ensure (name: string): Promise<void>
  /** The environment, then its test clocks, oldest first. @param after the name of the last one that was seen; null: from the start */
  list (name: string, after: string | null, max: number): Promise<Environment[]>
}

export function environmentStore (database: Database): Environments {
  const db = orm(database)
  /** Those whose time is not frozen. */
  const cached = new LRUCache<string, KnownEnvironment>({
    max: ENVIRONMENTS_CACHED_MAX, ttl: SETTINGS_AGE_MAX_MS, ttlResolution: CLOCK_RESOLUTION_MS, noDeleteOnStaleGet: true
  })
  /** Settings that are known and no longer young: however many ask, the ledger is asked once. */
  const renewing = new Map<string, Promise<KnownEnvironment | undefined>>()

  /** Always asks anew: an answer that is on its way already may be older than the change that its caller has seen. */
  const load = coalesce<string, KnownEnvironment | undefined>(async names => {
    const wanted = [...new Set(names)]
    const rows = await select(db, inArray(environments.name, wanted), { onOutage: ON_OUTAGE })
    const found = new Map(rows.map(({ onOutage, ...row }) => [row.name, { ...row, onOutage: new Map(Object.entries(onOutage ?? {})) }]))
    for (const name of wanted) {
      const environment = found.get(name)
      if (environment?.fixedNow === null) cached.set(name, environment)
      else cached.delete(name)
    }
    return names.map(name => found.get(name))
  }, LOAD_LIMITS)

  async function renew (old: KnownEnvironment): Promise<KnownEnvironment | undefined> {
    try {
      return await load(old.name)
    } catch {
      // Without the ledger, questions are answered from the mirror: its settings are then as old as the outage.
      cached.set(old.name, old, { ttl: OUTAGE_RETRY_MS })
      return old
    } finally {
      renewing.delete(old.name)
    }
  }

  return {
    get: wanted => {
      const young = cached.get(wanted)
      if (young !== undefined) return young
      const old = cached.get(wanted, { allowStale: true })
      if (old === undefined) return load(wanted)
      const pending = renewing.get(wanted) ?? renew(old)
      renewing.set(wanted, pending)
      return pending
    },
    renew: async name => { await load(name) },
    put: async ({ name, ...settings }) => {
      await db.insert(environments).values({ name, ...settings })
        .onConflictDoUpdate({ target: environments.name, set: settings })
      cached.delete(name)
    },
    ensure: async name => {
      await db.insert(environments).values({ name }).onConflictDoNothing()
    },
    list: async (name, after, max) => {
      const own = after === null ? eq(environments.name, name) : undefined
      const clocks = and(eq(environments.parent, name), after === null || after === name ? undefined : gt(environments.name, after))
      return await select(db, or(own, clocks)).orderBy(sql`${environments.parent} is not null`, asc(environments.name)).limit(max)
    }
  }
}

const parents = alias(environments, 'parents')

/** A test clock without a time is deleted, whatever is still stored of it. */
const EXISTS = or(isNull(environments.parent), isNotNull(environments.fixedNow))

const ON_OUTAGE = sql<Readonly<Record<string, OutagePolicy>> | null>`case when ${environments.fixedNow} is null then (
  select json_object_agg(known.name, known.on_outage) from (
    select name, on_outage from ${features} where environment = ${environments.name}
    order by on_outage = 'lastKnown', id limit ${sql.raw(String(FEATURES_KNOWN_MAX))}
  ) known) end`

function select<More extends Readonly<Record<string, SQL>> = {}> (db: Orm, which: SQL | undefined, more = {} as More) {
  const { name, parent, fixedNow, lastUsedAt, createdAt } = environments
  const defaultPlan = sql<string | null>`coalesce(${parents.defaultPlan}, ${environments.defaultPlan})`
  return db.select({ name, parent, defaultPlan, fixedNow, lastUsedAt, createdAt, ...more }).from(environments)
    .leftJoin(parents, eq(parents.name, environments.parent)).where(and(which, EXISTS)).$dynamic()
}
