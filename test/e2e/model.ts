import type { EventRow, LedgerRows } from './ledger-rows.ts'

export type Aggregate = 'sum' | 'count' | 'max' | 'last' | 'perpetual'

interface Total {
  used: bigint
  events: number
  /** The instant of the event that `last` shows. */
  shownAt: number
  windowEnd: number | null
}

const ONE = 10n ** 9n

/** What the total is after one more event: the rules of the design, told a second time. */
function usedAfter (aggregate: Aggregate, { used, shownAt }: Total, { mode, amount, at }: EventRow): bigint {
  if (mode === 'set') return amount
  if (aggregate === 'sum') return used + amount < 0n ? 0n : used + amount
  if (aggregate === 'count') return used + ONE
  if (aggregate === 'max') return amount > used ? amount : used
  return at >= shownAt ? amount : used
}

/**
 * Recounts every window in the order in which its events arrived.
 * @returns what in the ledger is not as it should be, one line each
 */
export function recounted ({ events, counters }: LedgerRows, aggregateOf: (event: EventRow) => Aggregate): string[] {
  const wrong: string[] = []
  const totals = new Map<string, Total>()
  for (const event of events) {
    const key = windowKey(event)
    const total = totals.get(key) ?? { used: 0n, events: 0, shownAt: -Infinity, windowEnd: null }
    const used = usedAfter(aggregateOf(event), total, event)
    if (event.usedAfter !== used) wrong.push(`${key} event ${event.id}: used ${event.usedAfter}, the model says ${used}`)
    if (event.delta !== used - total.used) wrong.push(`${key} event ${event.id}: delta ${event.delta}, not ${used - total.used}`)
    if (event.at < event.windowStart || (event.windowEnd !== null && event.at >= event.windowEnd)) wrong.push(`${key} has no ${event.at}`)
    const shownAt = event.mode === 'set' || event.at >= total.shownAt ? event.at : total.shownAt
    totals.set(key, { used, events: total.events + 1, shownAt, windowEnd: event.windowEnd })
  }
  for (const counter of counters) {
    const key = windowKey(counter)
    const total = totals.get(key)
    totals.delete(key)
    if (total === undefined) wrong.push(`${key} has a counter and no event`)
    else if (counter.used !== total.used) wrong.push(`${key} counts ${counter.used}, its events ${total.used}`)
    else if (counter.version !== total.events) wrong.push(`${key} is at version ${counter.version} after ${total.events} events`)
    else if (counter.windowEnd !== total.windowEnd) wrong.push(`${key} ends at ${counter.windowEnd}, not ${total.windowEnd}`)
  }
  return [...wrong, ...[...totals.keys()].map(key => `${key} has events and no counter`)]
}

export function windowKey ({ org, feature, windowStart }: Pick<EventRow, 'org' | 'feature' | 'windowStart'>): string {
  return `${org} ${feature} ${windowStart}`
}
