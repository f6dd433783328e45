import type { Amount } from '../domain/amount.ts'
import { refold } from '../domain/correction.ts'
import { type Counter, EMPTY } from '../domain/counter.ts'
import type { Aggregate, Instant } from '../domain/entitlement.ts'
import type { HeldFeature, Org } from '../domain/org.ts'
import type { Tally } from '../domain/reservation.ts'
import type { Window } from '../domain/window.ts'
import { type WantedCounter, wantedCounter } from './counters.ts'
import type { Touched } from './ledger-reduce.ts'
import type { EventMode } from './schema.ts'

/** A counter of an org before it was merged. */
export interface FormerCounter {
  readonly feature: number
  readonly start: Instant
  readonly used: Amount
  readonly version: number
  readonly lastAt: Instant | null
}

/** An event on its way to the org that is kept. */
export interface MovedEvent {
  readonly feature: number
  readonly at: Instant
  /** Where it counted. */
  readonly window: Window
  readonly mode: EventMode
  readonly amount: Amount
  /** What a report counts as now; null: it was voided. */
  readonly effective: Amount | null
  readonly delta: Amount
}

/** A counter of the merged org, as its events come in. */
export interface MergedCounter extends Touched {
  readonly aggregate: Aggregate
  /** Something of the org that is kept is in it. */
  shared: boolean
  /** What is added to it set a total, or took from one. */
  uneven: boolean
  lastAdded: { readonly at: Instant, readonly limit: Amount | null } | undefined
}

export type Owner = 'kept' | 'from'

export function featureOf (org: Org, key: number): HeldFeature | undefined {
  return [...org.features.values()].find(held => held.key === key)
}

/** Would these windows be others, were the merged org's plans what they are counted by? */
export function reshaped (before: HeldFeature | undefined, after: HeldFeature | undefined, counters: readonly FormerCounter[]): boolean {
  if (before === undefined || after === undefined) return false
  return counters.some(({ start }) => {
    const [was, is] = [before.timeline.windowAt(start), after.timeline.windowAt(start)]
    return was.start !== is.start || was.end !== is.end
  })
}

/** The counter of the merged org in which an instant lies. What it does not hold is counted where it was. */
export function wantedAt (merged: Org, feature: number, at: Instant, was: Window, now: Instant): WantedCounter {
  const timeline = featureOf(merged, feature)?.timeline
  const window = timeline?.windowAt(at) ?? was
  return wantedCounter(merged.key, feature, window, timeline?.grantAtEnd(window)?.aggregate ?? 'sum', now)
}

/**
 * Adds one event to a counter. Sums and counts of the two orgs add up: what an event changed, it changes; where windows are cut
 * otherwise, each org's events are added up by themselves first, as a clobber set the total of its own org only. A maximum or a
 * last value is that of all events.
 * @param alone what the events of its org have come to in this window, by themselves
 * @param recut its windows are not what they were
 * @returns the change of the total, and what its org's events come to
 */
export function addMoved (counter: MergedCounter, alone: Counter, event: MovedEvent, recut: boolean): { delta: Amount, alone: Counter } {
  const { aggregate, tally } = counter
  const { mode, effective, at } = event
  const adds = aggregate === 'sum' || aggregate === 'count'
  const correction = mode === 'void' || mode === 'amend'
  if (adds && !recut) {
    raise(counter, { ...tally, used: tally.used + event.delta, lastAt: later(tally.lastAt, at) })
    return { delta: event.delta, alone }
  }
  const before = adds ? alone : tally
  const after = correction ? before : refold(before, aggregate, [{ mode, amount: effective, at }])
  const delta = after.used - before.used
  raise(counter, { ...tally, used: tally.used + delta, lastAt: adds ? later(tally.lastAt, at) : after.lastAt })
  return { delta, alone: adds ? after : EMPTY }
}

/** What a counter says beyond the events that are left of it: others were deleted for their age. */
export function addLost ({ aggregate, ...counter }: MergedCounter, { used, lastAt }: FormerCounter, known: Amount): Tally {
  const { tally } = counter
  if (aggregate === 'sum' || aggregate === 'count') return { ...tally, used: tally.used + used - known }
  if (aggregate === 'max') return { ...tally, used: used > tally.used ? used : tally.used }
  return lastAt !== null && (tally.lastAt === null || lastAt > tally.lastAt) ? { ...tally, used, lastAt } : tally
}

function raise (counter: MergedCounter, tally: Tally): void {
  counter.tally = { ...tally, version: counter.tally.version + 1 }
}

function later (a: Instant | null, b: Instant): Instant {
  return a === null || b > a ? b : a
}
