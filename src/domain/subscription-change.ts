import { TollgateError } from '../errors.ts'
import type { Instant } from './entitlement.ts'
import { type Holding, holdingText } from './ids.ts'
import {
  givesAccess, isOver, type ScheduleChange, type ScheduleRequest, type Subscription, type SubscriptionStatus, takeoverOf
} from './schedule.ts'

/** One more subscription, beside those that there are. */
export interface Addition {
  readonly holding: Holding
  /** null: at once */
  readonly startsAt: Instant | null
  readonly endsAt: Instant | null
  readonly status: SubscriptionStatus
  /** null: as a change of plan has it, which keeps the anchor of what is held */
  readonly anchorAt: Instant | null
}

/**
 * What is added ends nothing. As with a change of plan, a start in the past is the anchor, and where usage already lies
 * after it the subscription itself starts now.
 * @throws TollgateError `subscription_conflict` if the same is held over an overlapping stretch: a request that is sent
 *   twice must not grant twice; `invalid_request` for a stretch that is empty, and for what would be over from the start
 */
export function added (
  request: Omit<ScheduleRequest, 'phases'>, { holding, startsAt: effectiveAt, endsAt, status, anchorAt }: Addition
): ScheduleChange {
  const takeover = takeoverOf(request, { effectiveAt })
  const startsAt = takeover.at
  if (endsAt !== null && endsAt <= startsAt) {
    throw invalid('/endsAt', `endsAt must be later than the start, ${new Date(startsAt).toISOString()}`)
  }
  const row = {
    ...holding, startsAt, endsAt, status, anchorAt: anchorAt ?? takeover.anchorAt, timeZone: request.timeZone, phaseAt: takeover.phaseAt
  }
  if (isClosed(row)) throw invalid('/status', `a subscription cannot begin as ${status}, which is for good`)
  checkAlone(request.current, row, '/plan')
  return { end: [], remove: [], add: [row] }
}

/** What to change about a subscription; undefined: leave it. */
export interface Alteration {
  readonly status: SubscriptionStatus | undefined
  /** null: without end */
  readonly endsAt: Instant | null | undefined
}

/**
 * A new status or end, from `now` on. Access in the past stays as it was: where the new status gives access and the old
 * one did not, or the other way round, the subscription ends now and another one goes on with the new status. Without an
 * end, `cancelled` ends it now.
 * @param current all rows of the org
 * @throws TollgateError `subscription_conflict` for what is over, and where the same is held otherwise by then;
 *   `invalid_request` for an end in the past, and for one of a cancellation that would give access
 */
export function altered (
  current: readonly Subscription[], row: Subscription, { status: sent, endsAt: sentEnd }: Alteration, now: Instant
): ScheduleChange {
  checkOngoing(row, now)
  const status = sent ?? row.status
  const endsAt = endOf(row, status, sentEnd, now)
  if (row.endsAt !== null && isBefore(row.endsAt, endsAt)) checkAlone(current, { ...row, endsAt }, '/endsAt')
  const inPlace = { end: [{ id: row.id, endsAt, status }], remove: [], add: [] }
  if (row.startsAt >= now || givesAccess(row) === givesAccess({ status, endsAt })) return inPlace
  const { id, ...rest } = row
  const goesOn = endsAt === null || endsAt > now
  return { end: [{ id, endsAt: now }], remove: [], add: goesOn ? [{ ...rest, startsAt: now, endsAt, status }] : [] }
}

function endOf (row: Subscription, status: SubscriptionStatus, sent: Instant | null | undefined, now: Instant): Instant | null {
  if (typeof sent === 'number' && (sent < now || sent <= row.startsAt)) {
    throw invalid('/endsAt', `endsAt must not be before ${new Date(Math.max(now, row.startsAt + 1)).toISOString()}`)
  }
  const endsAt = sent === undefined ? row.endsAt : sent
  if (status !== 'cancelled') return endsAt
  if (sent === null) throw invalid('/endsAt', 'what is cancelled has an end; to have it go on, set its status as well')
  // It has not begun, so with no end said anew it never does.
  if (row.startsAt >= now) return sent ?? null
  if (!givesAccess(row)) {
    if (sent !== undefined && sent > now) throw invalid('/endsAt', 'what gives no access is cancelled at once: leave endsAt out')
    return now
  }
  return endsAt ?? now
}

/**
 * Ends a subscription now; one that has not begun was never held, and goes.
 * @throws TollgateError `subscription_conflict` for what is over
 */
export function ended (row: Subscription, now: Instant): ScheduleChange {
  checkOngoing(row, now)
  if (row.startsAt >= now) return { end: [], remove: [row.id], add: [] }
  return { end: [{ id: row.id, endsAt: now }], remove: [], add: [] }
}

/** From `now` on periods are counted on another zone's clocks; the past stays as it was, so each row ends and another goes on. */
export function inZone (current: readonly Subscription[], timeZone: string, now: Instant): ScheduleChange {
  const ongoing = current.filter(row => !isOver(row, now) && !isClosed(row) && row.timeZone !== timeZone)
  return {
    end: ongoing.filter(({ startsAt }) => startsAt < now).map(({ id }) => ({ id, endsAt: now })),
    remove: ongoing.filter(({ startsAt }) => startsAt >= now).map(({ id }) => id),
    add: ongoing.map(({ id: _id, ...row }) => ({ ...row, timeZone, startsAt: Math.max(row.startsAt, now) }))
  }
}

/** Nothing brings it back. It must not be given an end either, with which `cancelled` says that there was access until then. */
function isClosed ({ status, endsAt }: Pick<Subscription, 'status' | 'endsAt'>): boolean {
  return status === 'incomplete_expired' || (status === 'cancelled' && endsAt === null)
}

function checkOngoing (row: Subscription, now: Instant): void {
  if (isOver(row, now)) throw conflict(`subscription ${row.id} is over since ${new Date(row.endsAt as Instant).toISOString()}: add another one`, '?id')
  if (isClosed(row)) throw conflict(`subscription ${row.id} is ${row.status} for good: add another one`, '?id')
}

/** @param row with its id, if it has one already */
function checkAlone (current: readonly Subscription[], row: Omit<Subscription, 'id'> & { readonly id?: number }, pointer: string): void {
  const same = current.find(other => other.id !== row.id && !isClosed(other) && holdingText(other) === holdingText(row) &&
    isBefore(other.startsAt, row.endsAt) && isBefore(row.startsAt, other.endsAt))
  if (same !== undefined) throw conflict(`${holdingText(row)} is held already over that time, by subscription ${same.id}`, pointer)
}

function isBefore (at: Instant, end: Instant | null): boolean {
  return end === null || at < end
}

function conflict (message: string, pointer: string): TollgateError {
  return new TollgateError('subscription_conflict', message, { pointer })
}

function invalid (pointer: string, message: string): TollgateError {
  return new TollgateError('invalid_request', message, { pointer })
}
