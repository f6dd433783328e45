import { coalesce, split } from './coalesce.ts'
import { type Server, serverGuard } from './redis-client.ts'

/** A key and what is written there. */
export type KeyEntry = readonly [key: string, entry: string]

/** Entries in Redis, on one server or many. The keys of an org, and so of one `get`, lie in one slot. */
export interface RedisEntries {
  /** In one round trip, together with everybody who asks the same server now. @throws when it does not answer in time */
  get (keys: readonly string[]): Promise<ReadonlyArray<string | null>>
  /**
   * In one round trip per server. What one server does not take, others still do.
   * @param stamps the arguments of `lua/publish.lua` that come before the entries
   * @returns what the script counted, in sum @throws when a server does not answer in time
   */
  put (perOrg: ReadonlyArray<readonly KeyEntry[]>, stamps: readonly number[]): Promise<number>
  /** @throws unless every server that is needed answers in time */
  ping (): Promise<void>
}

/** Few at once: what waits for one answer goes together in the next question. */
const READ_LIMITS = { batchMax: 1_000, inFlightMax: 2, waitingMax: 50_000 }
const PUT_KEYS_MAX = 1_000

/** One server takes all in one command. */
export function serverEntries (server: Server): RedisEntries {
  const guarded = serverGuard()
  const get = coalesce<readonly string[], Array<string | null>>(async groups => {
    const values = await guarded(async () => await server.mget(groups.flat()))
    return split(values as Array<string | null>, groups.map(group => group.length))
  }, READ_LIMITS)
  return {
    get,
    put: async (perOrg, stamps) => {
      const counts = await Promise.all(chunksOf(perOrg.flat()).map(async entries =>
        await guarded(async () => await server.publishEntries(...scriptArguments(entries, stamps)) as number)))
      return counts.reduce((sum, count) => sum + count, 0)
    },
    ping: async () => { await guarded(async () => await server.get('tollgate:ping')) }
  }
}

export function scriptArguments (entries: readonly KeyEntry[], stamps: readonly number[]): Array<string | number> {
  return [entries.length, ...entries.map(([key]) => key), ...stamps, ...entries.map(([, entry]) => entry)]
}

function chunksOf (entries: readonly KeyEntry[]): KeyEntry[][] {
  const chunks: KeyEntry[][] = []
  for (let i = 0; i < entries.length; i += PUT_KEYS_MAX) chunks.push(entries.slice(i, i + PUT_KEYS_MAX))
  return chunks
}
