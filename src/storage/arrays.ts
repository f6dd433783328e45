import { type SQL, sql } from 'drizzle-orm'
import { type Amount, amountText } from '../domain/amount.ts'
import type { Instant } from '../domain/entitlement.ts'

/** Array literals of things that need no escaping; texts from callers go through drizzle's `makePgArray`. */

/** Of numbers, UUIDs and words of our own. */
export function plainArray (items: ReadonlyArray<number | string>): string {
  return `{${items.join(',')}}`
}

export function instantArray (instants: ReadonlyArray<Instant | null>): string {
  let known: Instant | null = null
  let text = 'null'
  const texts = instants.map(at => {
    // Most of a batch shares its window's bounds, and often its millisecond.
    if (at !== known) text = at === null ? 'null' : `"${new Date(at).toISOString()}"`
    known = at
    return text
  })
  return `{${texts.join(',')}}`
}

export function amountArray (amounts: ReadonlyArray<Amount | null>): string {
  return `{${amounts.map(amount => amount === null ? 'null' : amountText(amount)).join(',')}}`
}

/** For `bigint[]` and `instantOf`: a date as text takes either side ten times as long to write or to read. */
export function epochArray (instants: ReadonlyArray<Instant | null>): string {
  return `{${instants.map(at => at ?? 'null').join(',')}}`
}

/** To the millisecond, whatever the year: seconds with a fraction, as `to_timestamp` takes them, are not exact from 2242 on. */
export function instantOf (column: string): SQL {
  const ms = sql.raw(column)
  return sql`to_timestamp(${ms} / 1000) + ${ms} % 1000 * interval '1 millisecond'`
}

/** What is null for all of them need not be said for each: `unnest` fills in what one of its arrays lacks. */
export function sparse<Item> (items: ReadonlyArray<Item | null>, encode: (items: Array<Item | null>) => string): string | null {
  return items.every(item => item === null) ? null : encode([...items])
}
