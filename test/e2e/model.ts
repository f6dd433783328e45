import type { EventRow, LedgerRows } from './ledger-rows.ts'

export type Aggregate = 'sum' | 'count' | 'max' | 'last' | 'perpetual'

type Effective = Pick<EventRow, 'id' | 'mode' | 'amount' | 'at'>

interface Total {
  readonly used: bigint
  /** The instant of the event that `last` shows. */
  readonly shownAt: number
}

interface Window {
  readonly total: Total
  readonly events: number
  /** What was reported, as it counts now. */
  readonly effective: Effective[]
  readonly windowEnd: number | null
}

const ONE = 10n ** 9n
const NOTHING: Total = { used: 0n, shownAt: -Infinity }

/** What the total is after one more event: the rules of the design, told a second time. */
function usedAfter (aggregate: Aggregate, { used, shownAt }: Total, { mode, amount, at }: Effective): bigint {
  if (mode === 'set') return amount
  if (aggregate === 'sum') return used + amount < 0n ? 0n : used + amount
  if (aggregate === 'count') return used + ONE
  if (aggregate === 'max') return amount > used ? amount : used
  return at >= shownAt ? amount : used
}

function totalAfter (aggregate: Aggregate, total: Total, event: Effective): Total {
  const shownAt = event.mode === 'set' || event.at >= total.shownAt ? event.at : total.shownAt
  return { used: usedAfter(aggregate, total, event), shownAt }
}

/** A correction takes an event's place in the order of arrival, or takes it out, and all is counted anew. */
function windowAfter (aggregate: Aggregate, { total, events, effective }: Window, event: EventRow): Window {
  const { mode, refersTo, amount, windowEnd } = event
  if (mode === 'add' || mode === 'set') {
    effective.push(event)
    return { total: totalAfter(aggregate, total, event), events: events + 1, effective, windowEnd }
  }
  const corrected = effective.flatMap(it => it.id !== refersTo ? [it] : mode === 'void' ? [] : [{ ...it, amount }])
  const recount = corrected.reduce((counted, it) => totalAfter(aggregate, counted, it), NOTHING)
  return { total: recount, events: events + 1, effective: corrected, windowEnd }
}

/**
 * Recounts every window in the order in which its events arrived.
 * @param isCountedOnly whether nothing but its events raises the version of the feature's counters: nothing is held there
 * @returns what in the ledger is not as it should be, one line each
 */
export function recounted (
  { events, counters }: LedgerRows, aggregateOf: (event: EventRow) => Aggregate, isCountedOnly = (_feature: string) => true
): string[] {
  const wrong: string[] = []
  const windows = new Map<string, Window>()
  for (const event of events) {
    const key = windowKey(event)
    const before = windows.get(key) ?? { total: NOTHING, events: 0, effective: [], windowEnd: null }
    const after = windowAfter(aggregateOf(event), before, event)
    const { used } = after.total
    if (event.usedAfter !== used) wrong.push(`${key} event ${event.id}: used ${event.usedAfter}, the model says ${used}`)
    if (event.delta !== used - before.total.used) wrong.push(`${key} event ${event.id}: delta ${event.delta}, not ${used - before.total.used}`)
    if (event.at < event.windowStart || (event.windowEnd !== null && event.at >= event.windowEnd)) wrong.push(`${key} has no ${event.at}`)
    windows.set(key, after)
  }
  for (const counter of counters) {
    const key = windowKey(counter)
    const window = windows.get(key)
    windows.delete(key)
    const raised = counter.version - (window?.events ?? 0)
    if (raised < 0 || (raised > 0 && isCountedOnly(counter.feature))) wrong.push(`${key} is at version ${counter.version} after ${window?.events ?? 0} events`)
    if (window === undefined && isCountedOnly(counter.feature)) wrong.push(`${key} has a counter and no event`)
    if (counter.used !== (window?.total.used ?? 0n)) wrong.push(`${key} counts ${counter.used}, its events ${window?.total.used ?? 0n}`)
    if (window !== undefined && counter.windowEnd !== window.windowEnd) wrong.push(`${key} ends at ${counter.windowEnd}, not ${window.windowEnd}`)
  }
  return [...wrong, ...[...windows.keys()].map(key => `${key} has events and no counter`)]
}

export function windowKey ({ org, feature, windowStart }: Pick<EventRow, 'org' | 'feature' | 'windowStart'>): string {
  return `${org} ${feature} ${windowStart}`
}
