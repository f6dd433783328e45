import type { LRUCache } from 'lru-cache'
import type { Instant } from '../domain/entitlement.ts'
import type { Tally } from '../domain/reservation.ts'
import { type CounterKey, type Entry, isYoung, type Mirror } from './mirror.ts'
import { recent } from './recent.ts'

const ENTRIES_MAX = 200_000

interface Written<Value> extends Entry<Value> {
  readonly version: number
  readonly writtenAt: Instant
}

/** The mirror's specification, in one process. */
export function memoryMirror ({ ageMaxMs }: { ageMaxMs: number }): Mirror {
  const versions = recent<number, Written<number>>(ENTRIES_MAX)
  const tallies = recent<string, Written<Tally>>(ENTRIES_MAX)

  return {
    read: async (org, counters) => ({
      version: versions.get(org),
      counters: counters.map(key => tallies.get(textOf(key)))
    }),
    publish: async (publications, writtenAt) => {
      let drift = 0
      for (const { org, version, counters, confirmedAt } of publications) {
        if (version !== null) drift += put(versions, org, { value: version, version, confirmedAt, writtenAt }, ageMaxMs)
        for (const { key, tally } of counters) {
          drift += put(tallies, textOf(key), { value: tally, version: tally.version, confirmedAt, writtenAt }, ageMaxMs)
        }
      }
      return drift
    },
    ping: async () => {},
    close: async () => {
      versions.clear()
      tallies.clear()
    }
  }
}

/** @returns 1 if it met a young entry below the version it wrote */
function put<Key extends string | number, Value> (
  entries: LRUCache<Key, Written<Value>>, key: Key, entry: Written<Value>, ageMaxMs: number
): number {
  const known = entries.get(key)
  const later = known !== undefined &&
    (known.version > entry.version || (known.version === entry.version && known.confirmedAt > entry.confirmedAt))
  if (!later || !isYoung(known.writtenAt, entry.writtenAt, ageMaxMs)) entries.set(key, entry)
  return known !== undefined && known.version < entry.version && isYoung(known.confirmedAt, entry.writtenAt, ageMaxMs) ? 1 : 0
}

function textOf ({ org, feature, start }: CounterKey): string {
  return `${org}:${feature}:${start}`
}
