import type { Amount } from '../domain/amount.ts'
import { allowedReason, type AllowedReason, decide, EMPTY, over, type RefusedReason, remaining } from '../domain/counter.ts'
import type { Instant } from '../domain/entitlement.ts'
import { grantAt, type Org } from '../domain/org.ts'
import type { Window } from '../domain/window.ts'
import type { Denied, Recorded } from '../storage/ledger-op.ts'
import type { Stores } from '../storage/stores.ts'
import { append, type Counted, judgeUnseen, prepareCount, type Prepared, type Usage } from './count.ts'
import { counting, orgToAsk, UNSEEN } from './org.ts'

/** `ok`: counted. Else nothing was, and the figures are those on which that was decided. */
export interface Consumed extends Omit<Counted, 'window'> {
  readonly ok: boolean
  readonly reason: AllowedReason | RefusedReason
  readonly overage: Amount
  /** null: the feature is not held */
  readonly window: Window | null
  /** Of the counter on which a refusal was decided; null when it was counted. */
  readonly version: number | null
  /** When it was asked, by the environment's clock. */
  readonly now: Instant
}

/**
 * Checks and counts in one step, under the org's lock: a limit is never passed, with any number of callers and replicas.
 * A retry with the id of what was counted gives the first answer; what was refused is asked again.
 * @throws TollgateError `org_not_found`, `event_conflict`, and what the ledger throws
 */
export async function consume (stores: Stores, usage: Usage): Promise<Consumed> {
  const made = prepareCount(stores, 'consume', usage)
  const prepared = made instanceof Promise ? await made : made
  const { org: name, told } = prepared
  const known = await orgToAsk(stores, told, name, '/org')
  const denied = known.key === UNSEEN ? deniedUnseen(known, prepared) : undefined
  if (denied !== undefined) return consumedAs(prepared, denied)
  const answer = await counting(stores, told, name, unseen => judgeUnseen(prepared, unseen), org => append(stores, prepared, org))
  return consumedAs(prepared, answer)
}

/** An org that nothing was counted for yet is not stored only to be refused. */
function deniedUnseen (unseen: Org, { told, op }: Prepared<'consume'>): Denied | undefined {
  const held = unseen.features.get(op.feature)
  const grant = held === undefined ? null : grantAt(unseen, held, op.at, told.now)
  const verdict = decide(grant, EMPTY, op)
  const window = held === undefined || grant === null ? null : held.timeline.windowAt(op.at)
  return verdict.ok ? undefined : { denied: verdict, version: 0, window, late: false }
}

function consumedAs ({ org, told: { now }, op: { id, feature } }: Prepared<'consume'>, answer: Recorded | Denied): Consumed {
  const { window } = answer
  if ('denied' in answer) {
    const { denied: { ok, reason, used, reserved, limit, remaining, overage }, version } = answer
    return {
      ok, reason, id, org, feature, used, reserved, limit, remaining, overage, window, now, version, duplicate: false, voided: false
    }
  }
  const { reason, used, reserved, limit, remaining, overage } = allowed(answer)
  const { duplicate, voided } = answer
  return { ok: true, reason, id, org, feature, used, reserved, limit, remaining, overage, window, now, version: null, duplicate, voided }
}

export function allowed ({ usedAfter: used, reservedAfter: reserved, limitAfter: limit, delta }: Recorded) {
  return {
    reason: allowedReason({ limit, used, reserved, delta }),
    used,
    reserved,
    limit,
    remaining: remaining(limit, used + reserved),
    overage: over(limit, used)
  }
}
