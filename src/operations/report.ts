import { hash } from 'node:crypto'
import { type Amount, amountText } from '../domain/amount.ts'
import { apply, EMPTY, remaining, reportable } from '../domain/counter.ts'
import type { Instant } from '../domain/entitlement.ts'
import { parseEventId, parseFeature, parseOrg } from '../domain/ids.ts'
import { grantAt } from '../domain/org.ts'
import { canonicalJson, type Properties } from '../domain/properties.ts'
import { instantOfUse } from '../domain/time.ts'
import type { Window } from '../domain/window.ts'
import type { Op } from '../storage/ledger-batch.ts'
import type { Stores } from '../storage/stores.ts'
import { newEventId } from './event-id.ts'
import { counting } from './org.ts'
import { present } from './time.ts'

export interface Report {
  readonly environment: string
  readonly org: string
  readonly feature: string
  readonly n: Amount
  /** null: now */
  readonly at: Instant | null
  /** Set the window's total to `n`, whatever was reported before. */
  readonly clobber: boolean
  /** The event's id, unique within its org; absent: made here. */
  readonly id: string | undefined
  /** Where it came from, for a refusal. */
  readonly idPointer: string
  readonly properties: Properties | undefined
}

export interface Reported {
  readonly id: string
  readonly org: string
  readonly feature: string
  readonly used: Amount
  /** null: unlimited */
  readonly limit: Amount | null
  readonly remaining: Amount | null
  readonly window: Window
  /** This event was counted before; the figures are those of then. */
  readonly duplicate: boolean
}

/**
 * Records usage; resolves when it is durable and in the next read on every replica. Never refused because of a limit.
 * @throws TollgateError `org_not_found`, `feature_not_found`, `event_conflict`, and what the ledger throws
 */
export async function report (stores: Stores, input: Report): Promise<Reported> {
  const { n: amount, clobber } = input
  const name = parseOrg(input.org)
  const feature = parseFeature(input.feature)
  const id = input.id === undefined ? newEventId() : parseEventId(input.id, input.idPointer)
  const now = await present(stores, input.environment)
  const at = instantOfUse(input.at, now.now)
  const mode = clobber ? 'set' : 'add'
  const properties = input.properties === undefined ? null : canonicalJson(input.properties)
  const op: Omit<Op, 'org'> = {
    feature,
    mode,
    amount,
    at,
    fixedNow: now.environment.fixedNow,
    atIsNow: input.at === null && now.environment.fixedNow === null,
    id,
    idGiven: input.id !== undefined,
    fingerprint: fingerprint(input, properties),
    properties
  }
  const { usedAfter, limitAfter, window, duplicate } = await counting(stores, now, name, unseen => {
    const held = unseen.features.get(feature)
    const { aggregate } = reportable(held === undefined ? null : grantAt(unseen, held, at, now.now))
    apply(EMPTY, aggregate, { mode, amount, at })
  }, async org => await stores.ledger.append({ org, ...op }))
  return { id, org: name, feature, used: usedAfter, limit: limitAfter, remaining: remaining(limitAfter, usedAfter), window, duplicate }
}

/** What was sent, not what became of it: an absent `at` stays absent, so a retry a minute later is the same request. */
function fingerprint ({ feature, n, at, clobber }: Report, properties: string | null): string {
  const digest = hash('sha256', JSON.stringify([feature, amountText(n), at, clobber, properties]), 'hex')
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-${digest.slice(12, 16)}-${digest.slice(16, 20)}-${digest.slice(20, 32)}`
}
