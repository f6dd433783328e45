import { emptyLedger } from '../e2e/embedded.ts'
import { type LedgerRows, rowsOfFolder, rowsOfPostgres } from '../e2e/ledger-rows.ts'
import type { Scope } from '../fixtures/guard.ts'
import { type PostgresServer, postgresProgramsMissing, privatePostgres } from '../fixtures/postgres.ts'
import { tcpProxy } from '../fixtures/proxy.ts'
import { redisProgramMissing } from '../fixtures/redis.ts'
import { type RedisPlace, redisPlace } from './redis-place.ts'
import { type Replica, startReplica } from './replica.ts'

/** What runs, and can break. */
export interface World {
  readonly replicas: readonly Replica[]
  readonly postgres: PostgresServer | undefined
  readonly redis: RedisPlace | undefined
  /** What the ledger has in the end. The embedded one ends its process first. */
  rows: () => Promise<LedgerRows>
}

export const WORLDS = ['servers', 'embedded'] as const
export type WorldName = typeof WORLDS[number]

/** For tap's `skip`: why that world cannot be made here, or false. */
export function worldMissing (name: WorldName): string | false {
  return name === 'servers' && (postgresProgramsMissing || redisProgramMissing)
}

export async function openWorld (t: Scope, name: WorldName, replicas: number): Promise<World> {
  return name === 'embedded' ? await embedded(t) : await onServers(t, replicas)
}

/** Replicas on one Postgres and one Redis; each way between two of them can fail by itself. */
async function onServers (t: Scope, count: number): Promise<World> {
  const [postgres, redis] = await Promise.all([privatePostgres(t), redisPlace(t)])
  const replicas = await Promise.all(Array.from({ length: count }, async (_, i) => {
    const [toPostgres, toRedis] = [await tcpProxy(t, postgres.port), await redis.link()]
    const env = { DATABASE_URL: toPostgres.url(postgres.url), REDIS_URL: toRedis.url('redis://127.0.0.1') }
    return await startReplica(t, { name: `replica ${i + 1}`, env, toPostgres, toRedis })
  }))
  return { replicas, postgres, redis, rows: async () => await rowsOfPostgres(postgres.url) }
}

/** One process, whose ledger is a folder. */
async function embedded (t: Scope): Promise<World> {
  const folder = await emptyLedger(t)
  const replica = await startReplica(t, { name: 'the process', env: { TOLLGATE_DATA_DIR: folder } })
  const rows = async () => {
    await replica.kill('SIGTERM')
    return await rowsOfFolder(folder)
  }
  return { replicas: [replica], postgres: undefined, redis: undefined, rows }
}
