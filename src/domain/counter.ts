import { TollgateError } from '../errors.ts'
import { type Amount, AMOUNT_LIMIT, WHOLE } from './amount.ts'
import type { Aggregate, Grant, Instant } from './entitlement.ts'

/** The aggregate of one window's events. Every op raises `version` by one, so a version names a state. */
export interface Counter {
  readonly used: Amount
  readonly reserved: Amount
  readonly version: number
  /** The instant of the event that `last` shows; null before the first one. */
  readonly lastAt: Instant | null
}

export const EMPTY: Counter = { used: 0n, reserved: 0n, version: 0, lastAt: null }

/** One change to a counter: `add` is a report, `set` is Tier's clobber and Kana's SET. */
export interface Op {
  readonly mode: 'add' | 'set'
  readonly amount: Amount
  readonly at: Instant
}

export interface Applied {
  readonly counter: Counter
  /** The change of `used`: the sum of all deltas of a window is its counter, for every aggregate. */
  readonly delta: Amount
}

/**
 * The only place where usage is added up.
 * @throws TollgateError `invalid_amount` for a negative amount where the aggregate takes none, or a total of 10^28
 */
export function apply (counter: Counter, aggregate: Aggregate, op: Op): Applied {
  const used = total(counter, aggregate, op)
  if (used >= AMOUNT_LIMIT) {
    throw new TollgateError('invalid_amount', 'n would raise the total to 10^28 or more', { pointer: '/n' })
  }
  const lastAt = decidesLast(counter, op) ? op.at : counter.lastAt
  return {
    counter: { used, reserved: counter.reserved, version: counter.version + 1, lastAt },
    delta: used - counter.used
  }
}

function total (counter: Counter, aggregate: Aggregate, op: Op): Amount {
  if (op.mode === 'set') {
    if (op.amount < 0n) throw negative('with clobber, which sets the total')
    return op.amount
  }
  if (aggregate === 'sum') return floor(counter.used + op.amount)
  if (op.amount < 0n) throw negative(`for a feature whose aggregate is ${aggregate}; decreases are for sum`)
  switch (aggregate) {
    case 'count': return counter.used + WHOLE
    case 'max': return op.amount > counter.used ? op.amount : counter.used
    case 'last':
    case 'perpetual': return decidesLast(counter, op) ? op.amount : counter.used
  }
}

/** A set forgets what was reported before it, so it decides whatever its instant is; equal instants: the later arrival. */
function decidesLast (counter: Counter, op: Op): boolean {
  return op.mode === 'set' || counter.lastAt === null || op.at >= counter.lastAt
}

/** A decrease never takes a total below zero. */
function floor (amount: Amount): Amount {
  return amount < 0n ? 0n : amount
}

function negative (where: string): TollgateError {
  return new TollgateError('invalid_amount', `n must not be negative ${where}`, { pointer: '/n' })
}

export type AllowedReason = 'unlimited' | 'within_limit' | 'overage' | 'no_increase' | 'granted'
export type RefusedReason = 'limit_reached' | 'feature_not_found'

/**
 * Whether a report may count at all: it must be for something that is held and that has amounts.
 * @throws TollgateError `feature_not_found`; `invalid_request` with Tier's text for a boolean feature
 */
export function reportable (grant: Grant | null): Grant {
  if (grant === null) throw new TollgateError('feature_not_found', 'feature not found', { pointer: '/feature' })
  if (grant.type === 'boolean') throw new TollgateError('invalid_request', 'feature not reportable', { pointer: '/feature' })
  return grant
}

/** What `can` answers. `limit` and `remaining` null: unlimited. */
export interface Verdict {
  readonly ok: boolean
  readonly reason: AllowedReason | RefusedReason
  readonly used: Amount
  readonly reserved: Amount
  readonly limit: Amount | null
  readonly remaining: Amount | null
  /** How far `used` lies above the limit. */
  readonly overage: Amount
}

const NOT_HELD: Verdict = {
  ok: false, reason: 'feature_not_found', used: 0n, reserved: 0n, limit: 0n, remaining: 0n, overage: 0n
}

/**
 * Would `op` be allowed now? (design, "allowed"). Answers; changes nothing.
 * @throws TollgateError as `apply` does
 */
export function decide (grant: Grant | null, counter: Counter, op: Op): Verdict {
  if (grant === null) return NOT_HELD
  const { limit } = grant
  const { used, reserved } = counter
  const reason = reasonOf(grant, counter, op)
  return {
    ok: reason !== 'limit_reached',
    reason,
    used,
    reserved,
    limit,
    remaining: remaining(limit, used + reserved),
    overage: over(limit, used)
  }
}

function reasonOf (grant: Grant, counter: Counter, op: Op): AllowedReason | 'limit_reached' {
  if (grant.type === 'boolean') return 'granted'
  const { limit } = grant
  const { used, reserved } = counter
  const after = total(counter, grant.aggregate, op)
  if (limit === null) return 'unlimited'
  if (after + reserved <= limit) return 'within_limit'
  if (after <= used) return 'no_increase'
  return grant.overage ? 'overage' : 'limit_reached'
}

/** Why an op that was counted was allowed, from what it left behind. */
export function allowedReason (
  { limit, used, reserved, delta }: { limit: Amount | null, used: Amount, reserved: Amount, delta: Amount }
): AllowedReason {
  if (limit === null) return 'unlimited'
  if (used + reserved <= limit) return 'within_limit'
  return delta > 0n ? 'overage' : 'no_increase'
}

/** What is left of a limit, never negative; null: unlimited. */
export function remaining (limit: Amount | null, taken: Amount): Amount | null {
  if (limit === null) return null
  return taken >= limit ? 0n : limit - taken
}

/** How far a total lies above its limit. */
export function over (limit: Amount | null, used: Amount): Amount {
  return limit === null || used <= limit ? 0n : used - limit
}
