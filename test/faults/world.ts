import { emptyLedger } from '../e2e/embedded.ts'
import { type LedgerRows, rowsOfFolder, rowsOfPostgres } from '../e2e/ledger-rows.ts'
import type { Scope } from '../fixtures/guard.ts'
import { type PostgresServer, postgresProgramsMissing, privatePostgres } from '../fixtures/postgres.ts'
import { tcpProxy } from '../fixtures/proxy.ts'
import { redisProgramMissing } from '../fixtures/redis.ts'
import { clusterGroup, type RedisGroup, sentinelGroup } from './redis-group.ts'
import { type RedisPlace, redisPlace } from './redis-place.ts'
import { type Replica, startReplica } from './replica.ts'

/** Characters of a log. */
const LAST_WORDS = 3_000

/** What runs, and can break. */
export interface World {
  readonly replicas: readonly Replica[]
  readonly postgres: PostgresServer | undefined
  readonly redis: RedisPlace | undefined
  /** In place of `redis`. */
  readonly redisGroup: RedisGroup | undefined
  /** What the ledger has in the end. The embedded one ends its process first. */
  rows: () => Promise<LedgerRows>
}

const WORLDS = {
  servers: async (t: Scope, replicas: number) => await onServers(t, replicas),
  cluster: async (t: Scope, replicas: number) => await onServers(t, replicas, await clusterGroup(t)),
  sentinel: async (t: Scope, replicas: number) => await onServers(t, replicas, await sentinelGroup(t)),
  embedded: async (t: Scope) => await embedded(t)
}

export type WorldName = keyof typeof WORLDS

export function isWorld (name: string): name is WorldName {
  return Object.hasOwn(WORLDS, name)
}

/** For tap's `skip`: why that world cannot be made here, or false. */
export function worldMissing (name: WorldName): string | false {
  return name !== 'embedded' && (postgresProgramsMissing || redisProgramMissing)
}

export async function openWorld (t: Scope, name: WorldName, replicas: number): Promise<World> {
  return await WORLDS[name](t, replicas)
}

/** For where something went wrong. */
export function lastWords ({ replicas }: World): string {
  return replicas.map(({ name, output }) => `the last words of ${name}: ${output().slice(-LAST_WORDS)}`).join('; ')
}

/** Replicas on one Postgres, and one Redis or several; each way between two of them can fail by itself. */
async function onServers (t: Scope, count: number, redisGroup?: RedisGroup): Promise<World> {
  const postgres = await privatePostgres(t)
  const redis = redisGroup === undefined ? await redisPlace(t) : undefined
  const replicas = await Promise.all(Array.from({ length: count }, async (_, i) => {
    const [toPostgres, toRedis] = [await tcpProxy(t, postgres.port), await redis?.link()]
    const redisUrl = redisGroup?.url ?? toRedis?.url('redis://127.0.0.1') as string
    const env = { DATABASE_URL: toPostgres.url(postgres.url), REDIS_URL: redisUrl }
    return await startReplica(t, { name: `replica ${i + 1}`, env, toPostgres, ...(toRedis !== undefined && { toRedis }) })
  }))
  return { replicas, postgres, redis, redisGroup, rows: async () => await rowsOfPostgres(postgres.url) }
}

/** One process, whose ledger is a folder. */
async function embedded (t: Scope): Promise<World> {
  const folder = await emptyLedger(t)
  const replica = await startReplica(t, { name: 'the process', env: { TOLLGATE_DATA_DIR: folder } })
  const rows = async () => {
    await replica.kill('SIGTERM')
    return await rowsOfFolder(folder)
  }
  return { replicas: [replica], postgres: undefined, redis: undefined, redisGroup: undefined, rows }
}
