import { TollgateError } from '../errors.ts'
import { type Amount, WHOLE } from './amount.ts'
import { type Counter, decide, reportable, type Verdict } from './counter.ts'
import type { Grant, Instant } from './entitlement.ts'

/** A counter, and the earliest instant at which units held in it stop counting (null: none are held). */
export interface Tally extends Counter {
  readonly reservedUntil: Instant | null
}

export type ReservationState = 'held' | 'committed' | 'released'

/** What a hold is, as far as counting goes. */
export interface Hold {
  readonly amount: Amount
  readonly expiresAt: Instant
  readonly state: ReservationState
}

export const TTL_MIN_SECONDS = 1
export const TTL_MAX_SECONDS = 7 * 86_400
/** After its expiry, for whoever asks what became of it. */
const KEPT_DAYS = 30

/** Reservations that expired before it are not kept any longer. */
export function keptSince (now: Instant): Instant {
  return now - KEPT_DAYS * 86_400_000
}

/** Why a commit may count, or may not. */
export interface CommitVerdict {
  readonly ok: boolean
  /** The hold had expired, and there was room all the same. */
  readonly late: boolean
  readonly verdict: Verdict
}

/**
 * The units that a hold of `n` takes: `count` counts one per event, whatever its amount.
 * @throws TollgateError where usage does not add up, so that nothing can be kept free for it; as `reportable` does
 */
export function heldAmount (grant: Grant | null, n: Amount): Amount {
  const { aggregate } = reportable(grant)
  if (aggregate === 'sum') return n
  if (aggregate === 'count') return WHOLE
  throw new TollgateError('invalid_request', `a feature whose aggregate is ${aggregate} takes no reservations`, { pointer: '/feature' })
}

/**
 * Is the hold still among the counter's reserved units? Whoever wrote the counter last has left out all that had expired
 * by his clock, which need not be ours: that is seen from the earliest expiry that he left in.
 */
export function isHeld ({ state, expiresAt }: Hold, { reservedUntil }: Tally): boolean {
  return state === 'held' && reservedUntil !== null && expiresAt >= reservedUntil
}

/** Has it expired, or been left out by a clock ahead of ours? */
export function isExpired (hold: Hold, tally: Tally, now: Instant): boolean {
  return hold.state === 'held' && (now >= hold.expiresAt || !isHeld(hold, tally))
}

export function hold (tally: Tally, amount: Amount, expiresAt: Instant): Tally {
  return {
    ...tally,
    version: tally.version + 1,
    reserved: tally.reserved + amount,
    reservedUntil: Math.min(expiresAt, tally.reservedUntil ?? Infinity)
  }
}

/** The earliest expiry may stay that of what is let go here: then a reader asks the ledger once more than it needs to. */
export function letGo (tally: Tally, held: Hold): Tally {
  if (!isHeld(held, tally)) return tally
  const reserved = tally.reserved - held.amount
  return { ...tally, version: tally.version + 1, reserved, reservedUntil: reserved === 0n ? null : tally.reservedUntil }
}

/**
 * May `n` be counted in place of what was held? No more than was held: yes, whatever became of the limit meanwhile. More,
 * or after the hold has expired: if a new use of as much would be allowed.
 * @throws TollgateError as `decide` does
 */
export function decideCommit (
  grant: Grant | null, tally: Tally, held: Hold, use: { readonly amount: Amount, readonly at: Instant }, now: Instant
): CommitVerdict {
  const late = isExpired(held, tally, now)
  const verdict = decide(grant, late ? tally : letGo(tally, held), { mode: 'add', ...use })
  return { ok: verdict.ok || (!late && takes(grant, use.amount) <= held.amount), late, verdict }
}

function takes (grant: Grant | null, n: Amount): Amount {
  return grant?.aggregate === 'count' ? WHOLE : n
}
