import { type Amount, amountText } from '../domain/amount.ts'
import { parseTextCursor } from '../domain/cursor.ts'
import { decide, EMPTY, remaining } from '../domain/counter.ts'
import type { Instant } from '../domain/entitlement.ts'
import { commitId, mergedId, parseFeature, parseOrg, parseReservationId } from '../domain/ids.ts'
import { grantAt, type Org } from '../domain/org.ts'
import { heldAmount, type ReservationState, TTL_MAX_SECONDS, TTL_MIN_SECONDS } from '../domain/reservation.ts'
import { TIME_BEGIN } from '../domain/period.ts'
import { LAST_INSTANT } from '../domain/time.ts'
import { TollgateError } from '../errors.ts'
import { available } from '../storage/ledger-reader.ts'
import type { CommitOp, Denied, ExtendOp, HoldOp, Recorded, ReleaseOp, Reserved, StoredReservation } from '../storage/ledger-op.ts'
import type { FoundReservation } from '../storage/reservations.ts'
import type { Stores } from '../storage/stores.ts'
import { newEventId } from './event-id.ts'
import { fingerprint } from './fingerprint.ts'
import { type Listed, listed } from './listed.ts'
import { counting, orgFromLedger, orgToAsk, UNSEEN } from './org.ts'
import { type Present, present } from './time.ts'

const LIST = 'reservations'

export interface HoldRequest {
  readonly environment: string
  readonly org: string
  readonly feature: string
  readonly n: Amount
  readonly ttlSeconds: number
  readonly id: string | undefined
  readonly idPointer: string
}

/** A reservation, and how it stands at the moment of the answer. */
export interface Reservation {
  readonly id: string
  readonly org: string
  readonly feature: string
  readonly n: Amount
  readonly state: ReservationState | 'expired'
  readonly at: Instant
  readonly expiresAt: Instant
  readonly window: StoredReservation['window']
  /** The event that counts it. */
  readonly event: string | null
  /** When it was made. */
  readonly used: Amount
  /** When it was made, with what it holds. */
  readonly reserved: Amount
  readonly limit: Amount | null
  readonly remaining: Amount | null
}

export type Held = { readonly ok: true, readonly reservation: Reservation, readonly duplicate: boolean } | Refused
export type Committed = { readonly ok: true, readonly reservation: Reservation, readonly recorded: Recorded } | Refused

/** Nothing was held, or counted. */
export interface Refused extends Denied {
  readonly ok: false
  readonly id: string
  readonly org: string
  readonly feature: string
}

/**
 * Keeps units of the current window free for one use, if the limit allows, until they are committed or released, or expire.
 * @throws TollgateError `org_not_found`, `event_conflict` for an id that was used before with other content
 */
export async function reserve (stores: Stores, request: HoldRequest): Promise<Held> {
  const name = parseOrg(request.org)
  const feature = parseFeature(request.feature)
  const { n: amount, ttlSeconds } = request
  if (amount <= 0n) throw new TollgateError('invalid_amount', 'n must be more than 0', { pointer: '/n' })
  const ttlMs = ttlOf(ttlSeconds)
  const id = request.id === undefined ? newEventId() : parseReservationId(request.id, request.idPointer)
  const told = await present(stores, request.environment)
  const { fixedNow } = told.environment
  const op: Omit<HoldOp, 'org'> = {
    kind: 'hold',
    feature,
    amount,
    ttlMs,
    at: told.now,
    fixedNow,
    atIsNow: fixedNow === null,
    id,
    idGiven: request.id !== undefined,
    fingerprint: fingerprint(['hold', feature, amountText(amount), ttlSeconds])
  }
  const known = await orgToAsk(stores, told, name, '/org')
  const denied = known.key === UNSEEN ? deniedUnseen(known, told, op) : undefined
  if (denied !== undefined) return { ok: false, id, org: name, feature, ...denied }
  const answer = await counting(stores, told, name, () => {}, async org => {
    const [former] = op.idGiven ? await asMerged(stores, name, org, id) : []
    return await stores.ledger.append({ org, ...op, id: former?.id ?? id })
  })
  if ('denied' in answer) return { ok: false, id, org: name, feature, ...answer }
  return { ok: true, reservation: shown({ ...answer.reservation, org: name, featureName: feature }, told.now), duplicate: answer.duplicate }
}

function deniedUnseen (unseen: Org, { now }: Present, op: Omit<HoldOp, 'org'>): Denied | undefined {
  const held = unseen.features.get(op.feature)
  const grant = held === undefined ? null : grantAt(unseen, held, op.at, now)
  if (grant !== null) heldAmount(grant, op.amount)
  const verdict = decide(grant, EMPTY, { mode: 'add', ...op })
  const window = held === undefined || grant === null ? null : held.timeline.windowAt(op.at)
  return verdict.ok ? undefined : { denied: verdict, version: 0, window, late: false }
}

/** Which reservation is meant. */
export interface Named {
  readonly environment: string
  readonly id: string
  /** undefined: there is one of this id in the environment */
  readonly org: string | undefined
  /** Where `org` was said. */
  readonly orgPointer: string
}

/**
 * Counts `n`, or all that is held, in the window of the hold. More than is held counts if the limit allows, and so does
 * what is committed after the hold has expired.
 * @throws TollgateError `reservation_not_found`; `reservation_conflict` once it is settled; `event_conflict` for another n
 */
export async function commitReservation (stores: Stores, named: Named, n: Amount | null): Promise<Committed> {
  if (n !== null && n < 0n) throw new TollgateError('invalid_amount', 'n must not be negative', { pointer: '/n' })
  const { reservation, told, org } = await find(stores, named)
  const op: CommitOp = {
    ...settling(reservation, told, org),
    kind: 'commit',
    id: commitId(reservation.id),
    amount: n,
    fingerprint: fingerprint(['commit', n === null ? null : amountText(n)])
  }
  const answer = await stores.ledger.append(op)
  if ('denied' in answer) return { ok: false, id: reservation.id, org: org.name, feature: reservation.featureName, ...answer }
  return { ok: true, reservation: shown({ ...reservation, state: 'committed' }, told.now), recorded: answer }
}

/** Lets go what is still held. @throws TollgateError `reservation_not_found` */
export async function releaseReservation (stores: Stores, named: Named): Promise<Reservation> {
  const { reservation, told, org } = await find(stores, named)
  const { id, fingerprint } = reservation
  const op: ReleaseOp = { ...settling(reservation, told, org), kind: 'release', id, fingerprint }
  return asShown(reservation, await stores.ledger.append(op), told)
}

/**
 * Holds for `ttlSeconds` from now, or as long as before, if that is longer.
 * @throws TollgateError `reservation_not_found`, `reservation_conflict`
 */
export async function extendReservation (stores: Stores, named: Named, ttlSeconds: number): Promise<Reservation> {
  const ttlMs = ttlOf(ttlSeconds)
  const { reservation, told, org } = await find(stores, named)
  const { id, fingerprint } = reservation
  const op: ExtendOp = { ...settling(reservation, told, org), kind: 'extend', id, fingerprint, ttlMs }
  return asShown(reservation, await stores.ledger.append(op), told)
}

/** @throws TollgateError `reservation_not_found` */
export async function getReservation (stores: Stores, named: Named): Promise<Reservation> {
  const { reservation, told } = await find(stores, named)
  return shown(reservation, told.now)
}

/** Of one org, the latest first. @throws TollgateError `org_not_found` */
export async function listReservations (
  stores: Stores, org: string, { environment, cursor, countMax }: { environment: string, cursor: string | undefined, countMax: number }
): Promise<Listed<Reservation>> {
  const [at = '', id = ''] = cursor === undefined ? [] : parseTextCursor(cursor, LIST, 2)
  const told = await present(stores, environment)
  const { key } = await orgFromLedger(stores, told, parseOrg(org, '?org'))
  const after = cursor === undefined ? null : [Number(at), id] as const
  if (after !== null && !(Number.isSafeInteger(after[0]) && after[0] >= TIME_BEGIN && after[0] <= LAST_INSTANT)) {
    throw new TollgateError('invalid_request', 'cursor must be one that a page of this list gave', { pointer: '?cursor' })
  }
  const { items, next } = await available(stores.reservations.list(key, after, countMax))
  return listed(LIST, { items: items.map(item => shown(item, told.now)), next })
}

interface Found {
  readonly reservation: FoundReservation
  readonly told: Present
  readonly org: Org
}

async function find (stores: Stores, { environment, org, orgPointer, id }: Named): Promise<Found> {
  const wanted = parseReservationId(id, '?id')
  const name = org === undefined ? undefined : parseOrg(org, orgPointer)
  const told = await present(stores, environment)
  const [reservation, another] = await named(stores, environment, name, wanted)
  if (reservation === undefined) throw new TollgateError('reservation_not_found', `there is no reservation ${wanted}`)
  if (another !== undefined) {
    throw new TollgateError('invalid_request', `more than one org has a reservation ${wanted}; say which org`, { pointer: orgPointer })
  }
  return { reservation, told, org: await orgToAsk(stores, told, reservation.org, '/org') }
}

async function named (stores: Stores, environment: string, name: string | undefined, id: string): Promise<FoundReservation[]> {
  const found = await available(stores.reservations.find(environment, name, id))
  const org = name === undefined || found.length > 0 ? undefined : await available(stores.orgs.load(environment, name))
  if (name === undefined || org === undefined || org.name === name) return found
  const former = await asMerged(stores, name, org, id)
  return former.length > 0 ? former : await available(stores.reservations.find(environment, org.name, id))
}

/** What was renamed as its org was merged into one that had a reservation of the same id. @param name of the org, as the caller knows it */
async function asMerged (stores: Stores, name: string, org: Org, id: string): Promise<FoundReservation[]> {
  return org.name === name ? [] : await available(stores.reservations.find(org.environment, org.name, mergedId(name, id)))
}

function settling ({ id, featureName, at, window }: FoundReservation, { environment: { fixedNow } }: Present, org: Org) {
  return { org, feature: featureName, at, fixedNow, atIsNow: false, idGiven: true, reservation: id, window }
}

function ttlOf (seconds: number): number {
  if (!Number.isInteger(seconds) || seconds < TTL_MIN_SECONDS || seconds > TTL_MAX_SECONDS) {
    throw new TollgateError('invalid_request',
      `ttlSeconds must be a whole number from ${TTL_MIN_SECONDS} to ${TTL_MAX_SECONDS}`, { pointer: '/ttlSeconds' })
  }
  return seconds * 1_000
}

function asShown ({ org, featureName }: FoundReservation, { reservation }: Reserved, { now }: Present): Reservation {
  return shown({ ...reservation, org, featureName }, now)
}

function shown ({ featureName: feature, amount: n, fingerprint: _, state, ...row }: FoundReservation, now: Instant): Reservation {
  const { used, reserved, limit } = row
  return {
    ...row,
    feature,
    n,
    state: state === 'held' && row.expiresAt <= now ? 'expired' : state,
    event: state === 'committed' ? commitId(row.id) : null,
    remaining: remaining(limit, used + reserved)
  }
}
