import type { Amount } from '../domain/amount.ts'
import { cursorText, parseCursor } from '../domain/cursor.ts'
import type { Instant } from '../domain/entitlement.ts'
import { mergedId, parseEventId, parseFeature, parseOrg } from '../domain/ids.ts'
import { LAST_INSTANT } from '../domain/time.ts'
import { TollgateError } from '../errors.ts'
import type { EventPlace, LoggedEvent } from '../storage/event-log.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { orgFromLedger, UNSEEN } from './org.ts'
import { present } from './time.ts'

const OF_ORG = 'events-of-org'
const ARRIVALS = 'events'
/** In place of a cursor: begin after what is there. */
const LATEST = 'latest'

export interface EventsQuestion {
  readonly environment: string
  /** undefined: events of all orgs, in order of arrival; else the latest instant of use first */
  readonly org: string | undefined
  readonly feature: string | undefined
  /** Instants of use in `[from, to)`. */
  readonly from: Instant | null
  readonly to: Instant | null
  readonly cursor: string | undefined
  readonly pageMax: number
}

export interface EventsPage {
  readonly events: readonly LoggedEvent[]
  /** Where the next page begins. In order of arrival there always is one: what has not happened yet comes after it. */
  readonly cursor: string | null
  /** false: that was all there is now. */
  readonly more: boolean
}

/** @throws TollgateError `org_not_found`; `feature_not_found` for a feature that no plan of the environment has */
export async function listEvents (stores: Stores, question: EventsQuestion): Promise<EventsPage> {
  const { environment, org } = question
  const named = question.feature === undefined ? undefined : parseFeature(question.feature, '?feature')
  const feature = named === undefined ? undefined : await available(stores.eventLog.featureKey(environment, named))
  if (named !== undefined && feature === undefined) throw new TollgateError('feature_not_found', 'feature not found', { pointer: '?feature' })
  return org === undefined ? await arrivals(stores, question, feature) : await ofOrg(stores, question, org, feature)
}

async function ofOrg (
  stores: Stores, { environment, cursor, pageMax, ...filter }: EventsQuestion, org: string, feature: number | undefined
): Promise<EventsPage> {
  const before = cursor === undefined ? null : placeOf(cursor)
  const key = await orgKey(stores, environment, org)
  if (key === UNSEEN) return { events: [], cursor: null, more: false }
  // One more than is shown, to know whether there is more.
  const found = await available(stores.eventLog.newest(key, feature, filter, before, pageMax + 1))
  const events = found.slice(0, pageMax)
  const last = events.at(-1)
  const more = last !== undefined && found.length > pageMax
  return { events, cursor: more ? cursorText(OF_ORG, [last.at, last.seq]) : null, more }
}

async function arrivals (
  stores: Stores, { environment, cursor, pageMax, ...filter }: EventsQuestion, feature: number | undefined
): Promise<EventsPage> {
  const arrivalCursor = (readTo: number): string => cursorText(ARRIVALS, [readTo])
  if (cursor === LATEST) return { events: [], cursor: arrivalCursor(await available(stores.eventLog.end())), more: false }
  const [after = 0] = cursor === undefined ? [] : parseCursor(cursor, ARRIVALS, 1)
  const { events, readTo, more } = await available(stores.eventLog.arrivals(environment, feature, filter, after, pageMax))
  return { events, cursor: arrivalCursor(readTo), more }
}

function placeOf (cursor: string): EventPlace {
  const [at, seq] = parseCursor(cursor, OF_ORG, 2) as [number, number]
  return { at: Math.min(at, LAST_INSTANT), seq }
}

/** An event with what became of it. */
export interface EventHistory extends LoggedEvent {
  /** The amount that it counts as now; null: nothing, as it was voided, or is itself a correction. */
  readonly countsAs: Amount | null
  /** The oldest first; of more than 100, the latest. */
  readonly corrections: readonly LoggedEvent[]
}

/** @throws TollgateError `org_not_found`, `event_not_found` */
export async function getEvent (stores: Stores, environment: string, org: string, id: string): Promise<EventHistory> {
  const wanted = parseEventId(id, '?id')
  const { key, name } = await orgFromLedger(stores, await present(stores, environment), parseOrg(org, '?org'))
  const find = async (id: string): Promise<LoggedEvent | undefined> =>
    key === UNSEEN ? undefined : await available(stores.eventLog.find(key, id))
  // Of an org that was merged into another, which may have had an event of the same id.
  const event = (name === org ? undefined : await find(mergedId(org, wanted))) ?? await find(wanted)
  if (event === undefined) throw new TollgateError('event_not_found', `${org} has no event ${wanted}`)
  const corrections = await available(stores.eventLog.corrections(key, event.id))
  // The one that was found first may have been voided since.
  const voided = corrections.some(({ mode }) => mode === 'void')
  const countsAs = voided || event.refersTo !== null ? null : (corrections.at(-1) ?? event).amount
  return { ...event, voided, countsAs, corrections }
}

async function orgKey (stores: Stores, environment: string, org: string): Promise<number> {
  const name = parseOrg(org, '?org')
  return (await orgFromLedger(stores, await present(stores, environment), name)).key
}
