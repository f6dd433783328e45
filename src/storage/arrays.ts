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
