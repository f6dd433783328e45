import { type Amount, amountText } from '../domain/amount.ts'
import { apply, EMPTY, remaining, reportable } from '../domain/counter.ts'
import type { Instant } from '../domain/entitlement.ts'
import { mergedId, parseEventId, parseFeature, parseOrg } from '../domain/ids.ts'
import { grantAt, type Org } from '../domain/org.ts'
import { canonicalJson, type Properties } from '../domain/properties.ts'
import { instantOfUse } from '../domain/time.ts'
import type { Window } from '../domain/window.ts'
import type { AnswerTo, CountOp, Recorded } from '../storage/ledger-op.ts'
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

/** At once, where the environment is known. @throws TollgateError what is not well formed, by its field */
export function prepareCount<Kind extends 'report' | 'consume'> (
  stores: Stores, kind: Kind, usage: Usage
): Prepared<Kind> | Promise<Prepared<Kind>> {
  parseOrg(usage.org)
  parseFeature(usage.feature)
  const id = usage.id === undefined ? newEventId() : parseEventId(usage.id, usage.idPointer)
  const told = present(stores, usage.environment)
  return told instanceof Promise ? told.then(told => prepared(kind, usage, id, told)) : prepared(kind, usage, id, told)
}

function prepared<Kind extends 'report' | 'consume'> (
  kind: Kind, { org, feature, n, at, clobber, properties: sent, id: givenId }: Usage, id: string, told: Present
): Prepared<Kind> {
  const properties = sent === undefined ? null : canonicalJson(sent)
  const content = [feature, amountText(n), at, clobber, properties]
  const op = {
    kind,
    feature,
    mode: clobber ? 'set' as const : 'add' as const,
    amount: n,
    at: instantOfUse(at, told.now),
    fixedNow: told.environment.fixedNow,
    atIsNow: at === null && told.environment.fixedNow === null,
    id,
    idGiven: givenId !== undefined,
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

/** Counts it in the org. */
export function append<Kind extends 'report' | 'consume'> (
  { ledger, eventLog }: Stores, { org: name, op }: Prepared<Kind>, org: Org
): Promise<AnswerTo<CountOp<Kind>>> {
  if (org.name === name || !op.idGiven) return ledger.append<CountOp<Kind>>(inOrg(op, org, op.id))
  // Sent again under the id of an org that was merged since, an event may have another id there.
  const id = mergedId(name, op.id)
  return available(eventLog.find(org.key, id))
    .then(found => ledger.append<CountOp<Kind>>(inOrg(op, org, found === undefined ? op.id : id)))
}

/** Each by its name: one that is spread, and then added to, is copied slowly, and lives in two pieces. */
function inOrg<Kind extends 'report' | 'consume'> (
  { kind, feature, mode, amount, at, fixedNow, atIsNow, idGiven, fingerprint, properties }: Prepared<Kind>['op'], org: Org, id: string
): CountOp<Kind> {
  return { kind, org, feature, mode, amount, at, fixedNow, atIsNow, id, idGiven, fingerprint, properties }
}

export function countedAs (
  { org, op: { id, feature } }: { org: string, op: { id: string, feature: string } },
  { usedAfter: used, reservedAfter: reserved, limitAfter: limit, window, duplicate, voided }: Recorded
): Counted {
  return { id, org, feature, used, reserved, limit, remaining: remaining(limit, used + reserved), window, duplicate, voided }
}
