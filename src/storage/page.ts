import type { Place } from '../domain/cursor.ts'

/** Part of a sorted list. */
export interface Page<Item> {
  readonly items: readonly Item[]
  /** After which the next page goes on; null: there is none. */
  readonly next: Place | null
}

/** @param rows of a query that asked for one row more than fits the page */
export function pageOf<Item> (rows: readonly Item[], countMax: number, placeOf: (item: Item) => Place): Page<Item> {
  const items = rows.slice(0, countMax)
  const last = items.at(-1)
  return { items, next: last === undefined || rows.length <= countMax ? null : placeOf(last) }
}
