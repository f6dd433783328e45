/** `npm run sizes`: what an event, a counter, a mirror entry and an org in the cache take, for docs/scaling.md. It measures no speed. */
import { Redis } from 'ioredis'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { pruneEvents } from '../src/background/retention.ts'
import { amountOf } from '../src/domain/amount.ts'
import { parsePlans } from '../src/domain/plan.ts'
import { report } from '../src/operations/report.ts'
import { verify } from '../src/operations/verify.ts'
import { createMetrics } from '../src/plugins/metrics.ts'
import { redisMirror } from '../src/storage/mirror-redis.ts'
import { postgresDatabase } from '../src/storage/postgres.ts'
import { openStores, type Stores } from '../src/storage/stores.ts'
import type { Scope } from '../test/fixtures/guard.ts'
import { privatePostgres } from '../test/fixtures/postgres.ts'
import { privateRedis } from '../test/fixtures/redis.ts'

const EVENTS = 200_000
const ORGS = 1_000
const CACHED_ORGS = 20_000
const AT_ONCE = 500
const AGE_MAX_MS = 60_000
const FEATURE = 'feature:calls'
const PLAN = { 'plan:pro@1': { features: { [FEATURE]: { tiers: [{ upto: 1_000_000 }] }, 'feature:bytes': { type: 'metered' }, 'feature:sso': {} } } }

const teardowns: Array<() => unknown> = []
const scope: Scope = { teardown: stop => teardowns.push(stop) }

async function main (): Promise<void> {
  const { url } = await privatePostgres(scope, { fsync: true })
  const redis = await privateRedis(scope)
  const database = postgresDatabase(url)
  const stores = await openStores({
    database,
    mirrorFor: ledgerId => redisMirror({ url: redis.url, ledgerId, ageMaxMs: AGE_MAX_MS, onError: () => {} }),
    mirrorAgeMaxMs: AGE_MAX_MS,
    events: createMetrics(() => {})
  })
  const ask = async (text: string): Promise<string[]> => ((await database.run([{ text, params: [] }]))[0]?.rows[0] ?? []).map(String)
  const [parsed] = parsePlans({ plans: PLAN })
  if (parsed?.ok !== true) throw new Error('the plan is not well formed')
  await stores.catalog.add('live', parsed.plan, Date.now())
  await stores.environments.put({ name: 'live', defaultPlan: 'plan:pro@1', fixedNow: null })
  await many(ORGS, async i => await count(stores, i))

  const [lsn] = await ask('select pg_current_wal_lsn()')
  await many(EVENTS, async i => await count(stores, i % ORGS))
  const [wal] = await ask(`select pg_current_wal_lsn() - '${lsn}'`)
  const [heap, total] = await ask("select pg_relation_size('events'), pg_total_relation_size('events')")
  const per = (bytes: unknown, rows: number): string => `${Math.round(Number(bytes) / rows)} bytes`
  const rows = EVENTS + ORGS
  console.log(`${rows} events of ${ORGS} orgs, ids made by the service, no properties`)
  console.log(`event on disk: ${per(total, rows)}, of which the row ${per(heap, rows)}`)
  const [sizes] = await ask(`select string_agg(indexrelname || ' ' || (pg_relation_size(indexrelid) / ${rows}), ', ')
    from pg_stat_user_indexes where relname = 'events'`)
  console.log(`  indexes, bytes an event: ${sizes}`)
  console.log(`write-ahead log: ${per(wal, EVENTS)} an event, full pages after checkpoints included`)

  await verified(stores, rows)
  await mirrorSizes(redis.url)
  await cachedOrgs(stores, ask)
  await counterSize(ask)
  await pruned(stores)
  await stores.close()
}

async function count (stores: Stores, i: number): Promise<void> {
  await report(stores, {
    environment: 'live',
    org: `org:customer-${i}`,
    feature: FEATURE,
    n: amountOf(1),
    at: null,
    clobber: false,
    id: undefined,
    idPointer: '/id',
    properties: undefined
  })
}

async function many (total: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < total) await work(next++)
  }))
}

async function verified (stores: Stores, events: number): Promise<void> {
  const start = performance.now()
  let calls = 0
  for (let cursor: string | null | undefined; cursor !== null; calls += 1) {
    const { differences, nextCursor }: Awaited<ReturnType<typeof verify>> =
      await verify(stores, { environment: 'live', org: undefined, cursor: cursor ?? undefined, repair: false })
    if (differences.length > 0) throw new Error(differences[0]?.detail)
    cursor = nextCursor
  }
  const seconds = (performance.now() - start) / 1_000
  console.log(`verify: ${seconds.toFixed(1)} s, ${calls} calls, ${Math.round(events / seconds)} events/s`)
}

async function mirrorSizes (url: string): Promise<void> {
  const client = new Redis(url)
  const keys = await client.keys('tollgate:*')
  for (const [what, fields] of [['counter', 7], ['version of an org', 3]] as const) {
    for (const key of keys) {
      if ((await client.get(key))?.split('|').length !== fields) continue
      console.log(`mirror entry, ${what}: ${await client.call('MEMORY', 'USAGE', key)} bytes`)
      break
    }
  }
  client.disconnect()
}

/** Heap in use by snapshots of orgs that have been asked for; V8 is made to collect before each look. */
async function cachedOrgs (stores: Stores, ask: (text: string) => Promise<string[]>): Promise<void> {
  await ask(`insert into orgs (environment, name) select 'live', 'org:cached-' || n from generate_series(1, ${CACHED_ORGS}) n`)
  await ask(`insert into subscriptions (org, id, plan, starts_at, status, anchor_at, time_zone, phase_at)
    select o.id, o.id + 1000000, p.id, '2026-01-31', 'active', '2026-01-31', 'UTC', '2026-01-31' from orgs o, plans p where o.name like 'org:cached-%'`)
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const before = process.memoryUsage().heapUsed
  await many(CACHED_ORGS, async i => {
    const org = await stores.orgs.load('live', `org:cached-${i + 1}`)
    org?.features.get(FEATURE)?.timeline.windowAt(Date.now())
  })
  collect()
  console.log(`org in the cache, its timeline built: ${Math.round((process.memoryUsage().heapUsed - before) / CACHED_ORGS)} bytes`)
}

async function counterSize (ask: (text: string) => Promise<string[]>): Promise<void> {
  await ask(`insert into counters (org, feature, window_start, window_end, used, reserved, version, based_on)
    select c.org, c.feature, c.window_start - n * interval '1 month', c.window_end, c.used, 0, c.version, 0 from counters c, generate_series(1, 50) n`)
  await ask('vacuum full counters')
  const [counters, rows] = await ask("select pg_total_relation_size('counters'), (select count(*) from counters)")
  console.log(`counter on disk, without dead rows: ${Math.round(Number(counters) / Number(rows))} bytes`)
}

async function pruned (stores: Stores): Promise<void> {
  const start = performance.now()
  let deleted = 0
  await pruneEvents(stores, { keptDays: 1, now: Date.now() + 2 * 86_400_000, pruned: events => { deleted += events } })
  const seconds = (performance.now() - start) / 1_000
  console.log(`retention: ${deleted} events in ${seconds.toFixed(1)} s, ${Math.round(deleted / seconds)} events/s`)
}

try {
  await main()
} finally {
  for (const stop of teardowns.reverse()) await stop()
}
