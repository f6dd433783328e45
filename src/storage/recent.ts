import { LRUCache } from 'lru-cache'

const ONE = (): number => 1

/**
 * Remembers the `max` that were used last, and grows as it fills. With LRUCache's own `max` each start would take the room for all
 * of them: 200,000 places, several megabytes and 40 ms.
 */
export function recent<Key extends {}, Value extends {}> (max: number): LRUCache<Key, Value> {
  return new LRUCache<Key, Value>({ maxSize: max, sizeCalculation: ONE })
}
