import type { Amount } from '../domain/amount.ts'
import { decide, type Verdict } from '../domain/counter.ts'
import type { Instant } from '../domain/entitlement.ts'
import { type AnswerableVerdict, verdictInOutage } from '../domain/outage.ts'
import type { Window } from '../domain/window.ts'
import { TollgateError } from '../errors.ts'
import type { Stores } from '../storage/stores.ts'
import type { Standing, Standings } from './standing.ts'
import type { Present } from './time.ts'

export interface Answer extends AnswerableVerdict {
  readonly org: string
  readonly feature: string
  /** At its end usage is next at 0; null: there is nothing to reset, or it is not known. */
  readonly window: Window | null
  /** Whether usage beyond the limit is permitted. */
  readonly permitsOverage: boolean
  /** The instant of the verdict. */
  readonly at: Instant
  /** The ledger could not be asked: the figures are up to 15 minutes old, or the feature's policy is the answer. */
  readonly degraded: boolean
}

/** @throws TollgateError `invalid_amount` */
export function checkAsked (n: Amount, pointer: string): void {
  if (n < 0n) throw new TollgateError('invalid_amount', 'n must not be negative', { pointer })
}

/** Where an org stands with a feature, as an answer; with the ledger away, as the policy of the feature has it. */
export function answerOf (
  stores: Stores, { environment }: Present, { org, now, outage }: Standings,
  { feature, grant, counter, window, unknown }: Standing, n: Amount
): Answer {
  const known = unknown ? undefined : decide(grant, counter, { mode: 'add', amount: n, at: now })
  const { ok, reason, used, reserved, limit, remaining, overage } = known !== undefined && outage === null
    ? known
    : withoutLedger(stores, environment, feature, known)
  return {
    ok,
    reason,
    used,
    reserved,
    limit,
    remaining,
    overage,
    org: org.name,
    feature,
    window: unknown ? null : window,
    permitsOverage: grant?.overage ?? false,
    at: now,
    degraded: outage !== null
  }
}

/** The same, where neither store nor this process knows the org. */
export function answerUnknown (stores: Stores, { environment, now }: Present, org: string, feature: string): Answer {
  const place = { org, feature, window: null, permitsOverage: false, at: now }
  return { ...withoutLedger(stores, environment, feature, undefined), ...place, degraded: true }
}

/** A feature that is not known here has the standard policy, which then has nothing to go by, and refuses. */
function withoutLedger (
  stores: Stores, { onOutage }: Present['environment'], feature: string, known: Verdict | undefined
): AnswerableVerdict {
  const policy = onOutage.get(feature) ?? 'lastKnown'
  stores.events.degraded(policy)
  return verdictInOutage(policy, known)
}
