import { CircuitBreakerPolicy, ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { readFileSync } from 'node:fs'
import { CLOCK_SKEW_MAX_MS } from '../domain/time.ts'
import { coalesce, split } from './coalesce.ts'
import {
  type CounterKey, decodeTally, decodeVersion, encodeTally, encodeVersion, ENTRY_KEPT_MS, type Mirror,
  type MirrorReading, type Publication
} from './mirror.ts'

/** Past it the ledger is asked instead, so a slow Redis costs a caller no more than this. */
const COMMAND_TIMEOUT_MS = 250
const CONNECT_TIMEOUT_MS = 1_000
const RECONNECT_DELAY_MS = 200
const FAILURES_TO_OPEN = 3
const HALF_OPEN_AFTER_MS = 500
/** Few at once: what waits for one answer goes together in the next question. */
const READ_LIMITS = { batchMax: 1_000, inFlightMax: 2, waitingMax: 50_000 }
const PUBLISH_KEYS_MAX = 1_000

const PUBLISH = readFileSync(new URL('./lua/publish.lua', import.meta.url), 'utf8')

type Client = (Redis | Cluster) & { publishEntries (...args: Array<string | number>): Promise<number> }

export interface RedisMirrorOptions {
  /** `redis://` or `rediss://`; a comma-separated list is a cluster; `redis+sentinel://host:port,host:port/name` */
  readonly url: string
  readonly ledgerId: string
  readonly ageMaxMs: number
  /** Told about lost and regained connections; not called for each failed command. */
  readonly onError: (error: Error) => void
}

interface Question {
  readonly org: number
  readonly counters: readonly CounterKey[]
}

export function redisMirror ({ url, ledgerId, ageMaxMs, onError }: RedisMirrorOptions): Mirror {
  const redis = connect(url)
  redis.on('error', onError)
  redis.defineCommand('publishEntries', { lua: PUBLISH })
  const clustered = redis instanceof Cluster
  const breaker = circuitBreaker(handleAll, {
    halfOpenAfter: HALF_OPEN_AFTER_MS,
    breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN)
  })
  // The braces put all keys of an org in one slot of a cluster.
  const versionKey = (org: number): string => `tollgate:${ledgerId}:{${org}}`
  const counterKey = ({ org, feature, start }: CounterKey): string => `tollgate:${ledgerId}:{${org}}:${feature}:${start}`

  const read = coalesce<Question, MirrorReading>(async questions => {
    const keys = questions.map(({ org, counters }) => [versionKey(org), ...counters.map(counterKey)])
    return (await breaker.execute(async () => await inTime(mget(redis, clustered, keys)))).map(readingOf)
  }, READ_LIMITS)

  return {
    read: async (org, counters) => await read({ org, counters }),
    publish: async (publications, now) => {
      const entries = publications.map(publication => entriesOf(publication, now))
      const counts = await Promise.all(groups(entries, clustered).map(async group => {
        const keys = group.map(([key]) => key)
        const values = group.map(([, value]) => value)
        return await breaker.execute(async () =>
          await inTime(redis.publishEntries(keys.length, ...keys, now, ageMaxMs, CLOCK_SKEW_MAX_MS, ENTRY_KEPT_MS, ...values)))
      }))
      return counts.reduce((sum, count) => sum + count, 0)
    },
    ping: async () => { await pingThrough(breaker, redis) },
    close: async () => redis.disconnect()
  }

  function entriesOf ({ org, version, counters, confirmedAt }: Publication, now: number): Array<[string, string]> {
    const entries = counters.map(({ key, tally }): [string, string] => [counterKey(key), encodeTally(tally, confirmedAt, now)])
    if (version !== null) entries.push([versionKey(org), encodeVersion(version, confirmedAt, now)])
    return entries
  }
}

/** One call per org in a cluster, where a call stays within a slot; elsewhere one for as many as are bounded. */
function groups<Item> (perOrg: Item[][], clustered: boolean): Item[][] {
  if (clustered) return perOrg
  const flat = perOrg.flat()
  const chunks: Item[][] = []
  for (let i = 0; i < flat.length; i += PUBLISH_KEYS_MAX) chunks.push(flat.slice(i, i + PUBLISH_KEYS_MAX))
  return chunks
}

async function mget (redis: Client, clustered: boolean, keys: readonly string[][]): Promise<Array<Array<string | null>>> {
  if (clustered) return await Promise.all(keys.map(async group => await redis.mget(group)))
  return split(await redis.mget(keys.flat()), keys.map(group => group.length))
}

function readingOf ([version, ...counters]: Array<string | null>): MirrorReading {
  return { version: decodeVersion(version), counters: counters.map(decodeTally) }
}

async function pingThrough (breaker: CircuitBreakerPolicy, redis: Client): Promise<void> {
  await breaker.execute(async () => await inTime(redis.get('tollgate:ping')))
}

/**
 * Node runs timers before it reads sockets. After a pause of this process (garbage, a busy core) an answer may be there
 * already, so the socket is read once more before Redis is called slow: else a report would be answered unpublished.
 */
async function inTime<T> (answer: Promise<T>): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const late = (): void => reject(new Error(`Redis did not answer within ${COMMAND_TIMEOUT_MS} ms`))
    const timer = setTimeout(() => setImmediate(late), COMMAND_TIMEOUT_MS)
    answer.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

function connect (url: string): Client {
  const options = {
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => RECONNECT_DELAY_MS
  } satisfies RedisOptions
  const sentinel = /^redis\+sentinel:\/\/(?:([^:@]*):([^@]*)@)?([^/]+)\/([^/?]+)$/.exec(url)
  if (sentinel !== null) {
    const [, username = '', password = '', hosts = '', name = ''] = sentinel
    const credentials = password === '' ? {} : { password, ...(username === '' ? {} : { username }) }
    return new Redis({ ...options, ...credentials, name, sentinels: hosts.split(',').map(hostAndPort) }) as Client
  }
  const nodes = url.split(/,(?=\s*rediss?:\/\/)/).map(node => node.trim())
  if (nodes.length > 1) {
    return new Cluster(nodes, {
      redisOptions: options,
      enableOfflineQueue: false,
      enableAutoPipelining: true,
      clusterRetryStrategy: () => RECONNECT_DELAY_MS
    }) as unknown as Client
  }
  return new Redis(url, options) as Client
}

function hostAndPort (text: string): { host: string, port: number } {
  const at = text.lastIndexOf(':')
  return at < 0 ? { host: text, port: 26379 } : { host: text.slice(0, at), port: Number(text.slice(at + 1)) }
}
