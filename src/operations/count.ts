import { type Amount, amountText } from '../domain/amount.ts'
import { apply, EMPTY, remaining, reportable } from '../domain/counter.ts'
import type { Instant } from '../domain/entitlement.ts'
import { mergedId, parseEventId, parseFeature, parseOrg } from '../domain/ids.ts'
import { grantAt, type Org } from '../domain/org.ts'
import { canonicalJson, type Properties } from '../domain/properties.ts'
import { instantOfUse } from '../domain/time.ts'
import type { Window } from '../domain/window.ts'
import type { CountOp, Recorded } from '../storage/ledger-op.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { newEventId } from './event-id.ts'
import { fingerprint } from './fingerprint.ts'
import { type Present, present } from './time.ts'

/** Usage to count, as it was asked for. */
export interface Usage {
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

export interface Counted {
  readonly id: string
  readonly org: string
  readonly feature: string
  readonly used: Amount
  readonly reserved: Amount
  /** null: unlimited */
  readonly limit: Amount | null
  readonly remaining: Amount | null
  readonly window: Window
  /** This event was counted before; the figures are those of then. */
  readonly duplicate: boolean
  /** The event was voided since it was first answered. */
  readonly voided: boolean
}

/** Usage that is ready to be counted: all that the caller sent is well formed. */
export interface Prepared<Kind extends 'report' | 'consume'> {
  readonly org: string
  readonly told: Present
  readonly op: Omit<CountOp<Kind>, 'org'>
}

/** @throws TollgateError what is not well formed, by its field */
export async function prepareCount<Kind extends 'report' | 'consume'> (
  stores: Stores, kind: Kind, { clobber, ...input }: Usage
): Promise<Prepared<Kind>> {
  const org = parseOrg(input.org)
  const feature = parseFeature(input.feature)
  const id = input.id === undefined ? newEventId() : parseEventId(input.id, input.idPointer)
  const told = await present(stores, input.environment)
  const properties = input.properties === undefined ? null : canonicalJson(input.properties)
  const content = [feature, amountText(input.n), input.at, clobber, properties]
  const op = {
    kind,
    feature,
    mode: clobber ? 'set' as const : 'add' as const,
    amount: input.n,
    at: instantOfUse(input.at, told.now),
    fixedNow: told.environment.fixedNow,
    atIsNow: input.at === null && told.environment.fixedNow === null,
    id,
    idGiven: input.id !== undefined,
    fingerprint: fingerprint(kind === 'report' ? content : [kind, ...content]),
    properties
  }
  return { org, told, op }
}

/** @throws TollgateError for what an org that is not stored yet would refuse: then it is not stored */
export function judgeUnseen ({ told, op }: Prepared<'report' | 'consume'>, unseen: Org): void {
  const held = unseen.features.get(op.feature)
  const { aggregate } = reportable(held === undefined ? null : grantAt(unseen, held, op.at, told.now))
  apply(EMPTY, aggregate, op)
}

/** Sent again under the id of an org that was merged since, an event may have another id there. */
export async function opIn<Kind extends 'report' | 'consume'> (
  stores: Stores, { org: name, op }: Prepared<Kind>, org: Org
): Promise<Omit<CountOp<Kind>, 'org'> & { readonly org: Org }> {
  if (org.name === name || !op.idGiven) return { org, ...op }
  const id = mergedId(name, op.id)
  return await available(stores.eventLog.find(org.key, id)) === undefined ? { org, ...op } : { org, ...op, id }
}

export function countedAs (
  { org, op: { id, feature } }: { org: string, op: { id: string, feature: string } },
  { usedAfter: used, reservedAfter: reserved, limitAfter: limit, window, duplicate, voided }: Recorded
): Counted {
  return { id, org, feature, used, reserved, limit, remaining: remaining(limit, used + reserved), window, duplicate, voided }
}
