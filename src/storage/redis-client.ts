import { ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel'
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import { readFileSync } from 'node:fs'
import { parseRedisUrl, type RedisAccess } from '../redis-url.ts'
import { leaveReplacedMaster } from './redis-sentinel.ts'

/** Past it the ledger is asked instead, so a slow Redis costs a caller no more than this. */
const COMMAND_TIMEOUT_MS = 250
const CONNECT_TIMEOUT_MS = 1_000
/**
 * A connection on which nothing was answered for so long is given up. Else one to a machine that is gone would be used until
 * the kernel gives up, after a quarter of an hour, although its successor is there.
 */
const SILENCE_MAX_MS = 1_000
const RECONNECT_DELAY_MS = 200
const DISCONNECT_TIMEOUT_MS = 100
const REDIRECTIONS_MAX = 3
const FAILURES_TO_OPEN = 3
const HALF_OPEN_AFTER_MS = 500

/** What commands are sent to: a server, a cluster, or a pipeline to one of its nodes. */
export interface Commands<Answer> {
  mget (keys: string[]): Answer
  get (key: string): Answer
  /** `lua/publish.lua`: the number of keys, the keys, its arguments. */
  publishEntries (...args: ReadonlyArray<string | number>): Answer
}

export type Server = Redis & Commands<Promise<unknown>>

export type Nodes = Cluster & Commands<Promise<unknown>>

const SHARED = {
  connectTimeout: CONNECT_TIMEOUT_MS,
  socketTimeout: SILENCE_MAX_MS,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  scripts: { publishEntries: { lua: readFileSync(new URL('./lua/publish.lua', import.meta.url), 'utf8') } }
} satisfies RedisOptions

const ONE_SERVER = {
  ...SHARED,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  retryStrategy: () => RECONNECT_DELAY_MS,
  // A master that has become a replica: whoever is the master now is found by connecting anew.
  reconnectOnError: (error: Error) => error.message.includes('READONLY')
} satisfies RedisOptions

export interface OpenRedis {
  readonly redis: Server | Nodes
  readonly close: () => void
}

/** @param onError told about lost and regained connections; not called for each failed command */
export function openRedis (text: string, onError: (error: Error) => void): OpenRedis {
  const address = parseRedisUrl(text)
  if (address === undefined) throw new TypeError('REDIS_URL cannot be read')
  if (address.kind === 'cluster') {
    const cluster = new Cluster([...address.nodes], clusterOptions(address.access))
    cluster.on('error', onError)
    cluster.on('node error', onError)
    return { redis: cluster as unknown as Nodes, close: () => cluster.disconnect() }
  }
  if (address.kind === 'server') {
    const server = new Redis(address.url, ONE_SERVER)
    server.on('error', onError)
    return { redis: server as Server, close: () => server.disconnect() }
  }
  const server = new Redis(sentinelOptions(address))
  server.on('error', onError)
  const access = { ...accessOptions(address.sentinelAccess), connectTimeout: CONNECT_TIMEOUT_MS }
  const listened = address.sentinels.map(host => ({ ...host, ...access }))
  const stopListening = leaveReplacedMaster(server, address.name, listened, onError)
  return {
    redis: server as Server,
    close: () => {
      stopListening()
      server.disconnect()
    }
  }
}

function sentinelOptions ({ sentinels, name, database, access, sentinelAccess }: SentinelAddress) {
  return {
    ...ONE_SERVER,
    ...accessOptions(access),
    ...(access.tls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
    ...(sentinelAccess.username !== undefined && { sentinelUsername: sentinelAccess.username }),
    ...(sentinelAccess.password !== undefined && { sentinelPassword: sentinelAccess.password }),
    db: database,
    name,
    sentinels: [...sentinels],
    // Else one that is silent would be waited for as long as it is.
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
    sentinelRetryStrategy: () => RECONNECT_DELAY_MS
  } satisfies RedisOptions
}

type SentinelAddress = Extract<ReturnType<typeof parseRedisUrl>, { kind: 'sentinel' }>

function clusterOptions (access: RedisAccess) {
  return {
    redisOptions: { ...SHARED, ...accessOptions(access) },
    scripts: SHARED.scripts,
    enableOfflineQueue: false,
    // A cluster that has lost some of its slots serves the others.
    enableReadyCheck: false,
    maxRedirections: REDIRECTIONS_MAX,
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    clusterRetryStrategy: () => RECONNECT_DELAY_MS,
    // Names are left as they are: certificates are for names.
    dnsLookup: (host, callback) => callback(null, host)
  } satisfies ClusterOptions
}

function accessOptions ({ username, password, tls }: RedisAccess): Pick<RedisOptions, 'username' | 'password' | 'tls'> {
  return { ...(username !== undefined && { username }), ...(password !== undefined && { password }), ...(tls && { tls: {} }) }
}

/** Runs what asks a server, unless that server failed again and again a moment ago. @throws when it does not answer in time */
export type Guard = <Answer>(ask: () => Promise<Answer>) => Promise<Answer>

/** For one server each: one that fails must not be mistaken for others. */
export function serverGuard (): Guard {
  const breaker = circuitBreaker(handleAll, {
    halfOpenAfter: HALF_OPEN_AFTER_MS,
    breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN)
  })
  return async ask => await breaker.execute(async () => await inTime(ask()))
}

/**
 * Node runs timers before it reads sockets. After a pause of this process (garbage, a busy core) an answer may be there
 * already, so the socket is read once more before Redis is called slow: else a report would be answered unpublished.
 */
export async function inTime<T> (answer: Promise<T>): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const late = (): void => reject(new Error(`Redis did not answer within ${COMMAND_TIMEOUT_MS} ms`))
    const timer = setTimeout(() => setImmediate(late), COMMAND_TIMEOUT_MS)
    answer.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
