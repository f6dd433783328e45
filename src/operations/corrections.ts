import { type Amount, amountText } from '../domain/amount.ts'
import { remaining } from '../domain/counter.ts'
import { parseEventId, parseOrg } from '../domain/ids.ts'
import { parseReason } from '../domain/reason.ts'
import { TollgateError } from '../errors.ts'
import type { CorrectOp } from '../storage/ledger-op.ts'
import type { Stores } from '../storage/stores.ts'
import type { Counted } from './count.ts'
import { newEventId } from './event-id.ts'
import { fingerprint } from './fingerprint.ts'
import { orgToAsk, UNSEEN } from './org.ts'
import { present } from './time.ts'

export interface Correction {
  readonly environment: string
  readonly org: string
  /** Where it was said. */
  readonly orgPointer: string
  /** Of the event that is corrected. */
  readonly event: string
  /** What it shall count as; null: nothing, it is voided */
  readonly n: Amount | null
  readonly reason: string | undefined
  /** Who asks. */
  readonly actor: string
  /** Of the event that is appended. */
  readonly id: string | undefined
  readonly idPointer: string
}

export type Corrected = Omit<Counted, 'feature' | 'voided'> & { readonly refersTo: string }

/**
 * Voids or amends an event of any age by one that is appended: its window's total is right in the next read, whatever came
 * after it. The original stays as it was recorded.
 * @throws TollgateError `org_not_found`, `event_not_found`, `correction_conflict`, `event_conflict`, `invalid_amount`
 */
export async function correct (stores: Stores, input: Correction): Promise<Corrected> {
  const name = parseOrg(input.org, input.orgPointer)
  const refersTo = parseEventId(input.event, '?id')
  const id = input.id === undefined ? newEventId() : parseEventId(input.id, input.idPointer)
  const reason = input.reason === undefined ? null : parseReason(input.reason)
  const told = await present(stores, input.environment)
  const org = await orgToAsk(stores, told, name, input.orgPointer)
  if (org.key === UNSEEN) throw new TollgateError('event_not_found', `there is no event ${refersTo}`)
  const op: CorrectOp = {
    kind: 'correct',
    org,
    fixedNow: told.environment.fixedNow,
    id,
    idGiven: input.id !== undefined,
    fingerprint: fingerprint(['correct', refersTo, input.n === null ? null : amountText(input.n), reason]),
    refersTo,
    amount: input.n,
    reason,
    actor: input.actor
  }
  const { usedAfter: used, reservedAfter: reserved, limitAfter: limit, window, duplicate } = await stores.ledger.append(op)
  return { id, refersTo, org: name, used, reserved, limit, remaining: remaining(limit, used + reserved), window, duplicate }
}
