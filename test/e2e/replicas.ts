import type { Test } from 'tap'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { serve, type Service } from '../fixtures/process.ts'
import { tcpProxy, type TcpProxy } from '../fixtures/proxy.ts'
import { privateRedis, redisProgramMissing, type RedisServer } from '../fixtures/redis.ts'
import { until } from '../storage/until.ts'
import { type Api, apiOf, type ApiOptions } from './api.ts'

/** For tap's `skip`: why `twoReplicas` cannot work here, or false. */
export const replicasMissing: string | false = postgresMissing || redisProgramMissing

const ERRORS_SHOWN_MAX = 20
const MIRROR_WITHIN_MS = 15_000

export interface Replicas {
  readonly databaseUrl: string
  readonly redis: RedisServer
  /** Between the first process and Redis. */
  readonly firstToRedis: TcpProxy
  readonly services: readonly [Service, Service]
  readonly apis: readonly [Api, Api]
}

/** Two processes on a new database and a Redis of their own. */
export async function twoReplicas (t: Test, options: ApiOptions = {}): Promise<Replicas> {
  const redis = await privateRedis(t)
  const firstToRedis = await tcpProxy(t, redis.port)
  return { redis, firstToRedis, ...await replicasOn(t, [firstToRedis.url(redis.url), redis.url], options) }
}

/** Two processes on a new database, with these settings of `REDIS_URL`. */
export async function replicasOn (
  t: Test, redisUrls: readonly [string, string], options: ApiOptions = {}
): Promise<Pick<Replicas, 'databaseUrl' | 'services' | 'apis'>> {
  const databaseUrl = await freshLedger(t)
  const start = async (redisUrl: string) => await serve(t, { env: { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl } })
  const services = await Promise.all([start(redisUrls[0]), start(redisUrls[1])])
  t.teardown(() => {
    const errors = services.flatMap(({ output }) => output().split('\n').filter(line => line.startsWith('{"level":50')))
    if (!t.passing() && errors.length > 0) t.comment(errors.slice(0, ERRORS_SHOWN_MAX).join('\n'))
  })
  const apis = services.map(({ url }) => apiOf(t, url, options)) as [Api, Api]
  await mirrorIs('ok', apis)
  return { databaseUrl, services, apis }
}

/** Every replica has seen by itself that the mirror is there. */
export async function mirrorIs (state: 'ok', apis: readonly Api[]): Promise<void> {
  for (const api of apis) await until(`the mirror is ${state}`, async () => (await api.get('/readyz')).body.checks?.mirror === state, MIRROR_WITHIN_MS)
}

/** How often a replica answered a report although the mirror had not taken it in time. */
export async function failedPublishes (apis: readonly Api[]): Promise<number> {
  const metrics = await Promise.all(apis.map(async api => (await api.get('/metrics')).text))
  return metrics.reduce((sum, text) => sum + Number(/^tollgate_mirror_publish_failures_total (\d+)/m.exec(text)?.[1]), 0)
}
