import { TollgateError } from '../errors.ts'
import { type Amount, WHOLE } from './amount.ts'
import { apply, type Counter, EMPTY } from './counter.ts'
import type { Aggregate, Instant } from './entitlement.ts'

/** A report as it counts now: with the amount it was amended to, if it was; `amount` null: it was voided. */
export interface EffectiveEvent {
  readonly mode: 'add' | 'set'
  readonly amount: Amount | null
  readonly at: Instant
}

/**
 * Goes on with what a window has been told, in the order of arrival. What was voided has never been. A decrease where the aggregate
 * takes none came ahead of its time, before the window had the terms that it began with: it is at the floor.
 */
export function refold (counter: Counter, aggregate: Aggregate, events: Iterable<EffectiveEvent>): Counter {
  for (const { mode, amount: told, at } of events) {
    if (told === null) continue
    const amount = told < 0n && aggregate !== 'sum' ? 0n : told
    counter = apply(counter, aggregate, { mode, amount, at }).counter
  }
  return counter
}

/**
 * The change of a total when one of its events is voided or amended, where that can be told from the event alone: in a sum
 * of amounts that are not negative, and in a count, each event adds its own, whatever comes before and after. A later set
 * forgets the event, and a later negative amount may meet the floor at zero: then the window has to be read.
 * @param before what it counts as now
 * @param after what it shall count as
 * @param plainSince no event that arrived after it sets the total or has a negative amount
 * @returns undefined: read the window
 */
export function changeOfTotal (
  aggregate: Aggregate, before: EffectiveEvent, after: EffectiveEvent, plainSince: boolean
): Amount | undefined {
  const added = addedBy(aggregate, before)
  const adds = addedBy(aggregate, after)
  return !plainSince || added === undefined || adds === undefined ? undefined : adds - added
}

function addedBy (aggregate: Aggregate, { mode, amount }: EffectiveEvent): Amount | undefined {
  if (amount === null) return 0n
  if (mode === 'set' || amount < 0n) return undefined
  if (aggregate === 'sum') return amount
  return aggregate === 'count' ? WHOLE : undefined
}

/** @throws TollgateError `invalid_amount` for an amount that could not have been reported */
export function checkAmended (aggregate: Aggregate, { mode, amount, at }: EffectiveEvent): void {
  if (amount !== null) apply(EMPTY, aggregate, { mode, amount, at })
}

/** @throws TollgateError `event_conflict` for an event that cannot be corrected, or not any more */
export function checkCorrectable (id: string, mode: string, voided: boolean): void {
  if (mode === 'void' || mode === 'amend') {
    throw new TollgateError('correction_conflict', `event ${id} is itself a correction; correct the event that it refers to`)
  }
  if (voided) throw new TollgateError('correction_conflict', `event ${id} was voided; report its usage anew`)
}
