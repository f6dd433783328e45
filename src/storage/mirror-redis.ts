import { Cluster } from 'ioredis'
import { CLOCK_SKEW_MAX_MS } from '../domain/time.ts'
import {
  type CounterKey, decodeTally, decodeVersion, encodeTally, encodeVersion, ENTRY_KEPT_MS, type Mirror, type Publication
} from './mirror.ts'
import { openRedis } from './redis-client.ts'
import { clusterEntries } from './redis-cluster.ts'
import { type KeyEntry, serverEntries } from './redis-entries.ts'

export interface RedisMirrorOptions {
  /** As `parseRedisUrl` understands it. */
  readonly url: string
  readonly ledgerId: string
  readonly ageMaxMs: number
  /** Told about lost and regained connections; not called for each failed command. */
  readonly onError: (error: Error) => void
}

export function redisMirror ({ url, ledgerId, ageMaxMs, onError }: RedisMirrorOptions): Mirror {
  const { redis, close } = openRedis(url, onError)
  const entries = redis instanceof Cluster ? clusterEntries(redis) : serverEntries(redis)
  // The braces put all keys of an org in one slot of a cluster.
  const versionKey = (org: number): string => `tollgate:${ledgerId}:{${org}}`
  const counterKey = ({ org, feature, start }: CounterKey): string => `tollgate:${ledgerId}:{${org}}:${feature}:${start}`

  return {
    read: async (org, counters) => {
      const [version, ...tallies] = await entries.get([versionKey(org), ...counters.map(counterKey)])
      return { version: decodeVersion(version), counters: tallies.map(decodeTally) }
    },
    publish: async (publications, now) => {
      const perOrg = publications.map(publication => entriesOf(publication, now))
      return await entries.put(perOrg, [now, ageMaxMs, CLOCK_SKEW_MAX_MS, ENTRY_KEPT_MS])
    },
    ping: async () => await entries.ping(),
    close: async () => close()
  }

  function entriesOf ({ org, version, counters, confirmedAt }: Publication, now: number): KeyEntry[] {
    const written = counters.map(({ key, tally }): KeyEntry => [counterKey(key), encodeTally(tally, confirmedAt, now)])
    if (version !== null) written.push([versionKey(org), encodeVersion(version, confirmedAt, now)])
    return written
  }
}
