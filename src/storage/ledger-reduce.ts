import { TollgateError } from '../errors.ts'
import { type Amount } from '../domain/amount.ts'
import { apply, decide, type Op as Use, reportable } from '../domain/counter.ts'
import type { Grant, Instant } from '../domain/entitlement.ts'
import { grantAt, presentOf, type Org } from '../domain/org.ts'
import { decideCommit, heldAmount, hold, isExpired, letGo, type Tally } from '../domain/reservation.ts'
import { windowNow } from '../domain/window.ts'
import { type WantedCounter, wantedCounter } from './counters.ts'
import type {
  Answer, CommitOp, CountOp, Denied, ExtendOp, HoldOp, LaneOp, Op, Outcome, Recorded, ReleaseOp, Reserved, StoredReservation
} from './ledger-op.ts'
import type { CounterKey } from './mirror.ts'
import type { EventMode } from './schema.ts'

/** An op and where it counts: `org` and `wanted` undefined if its org is gone, `grant` null if the feature is not held at `at`. */
export interface Placed<Asked extends LaneOp = LaneOp> {
  readonly op: Asked
  readonly now: Instant
  readonly at: Instant
  readonly org: Org | undefined
  readonly grant: Grant | null
  readonly wanted: WantedCounter | undefined
}

/** A row of the ledger. */
export interface NewEvent {
  readonly op: Pick<Op, 'id' | 'fingerprint'>
  readonly key: CounterKey
  readonly at: Instant
  readonly mode: EventMode
  readonly amount: Amount
  readonly recorded: Recorded
  readonly properties: string | null
  readonly refersTo: string | null
  readonly actor: string | null
}

export interface Counted {
  readonly wanted: WantedCounter
  readonly tally: Tally
}

export interface Touched extends Counted {
  readonly basedOn: number
  tally: Tally
}

export type StoredEvents = Map<string, { readonly fingerprint: string, readonly recorded: Recorded }>

/** What was read under the locks; texts are `<org>:<id>`, and `WantedCounter.text`. Ops of one batch see each other here. */
export interface Known {
  readonly tallies: ReadonlyMap<string, Tally>
  readonly events: StoredEvents
  readonly reservations: Map<string, StoredReservation>
}

/** What is to be written. */
export interface Reduced {
  readonly outcomes: Outcome[]
  readonly events: NewEvent[]
  readonly touched: Map<string, Touched>
  /** Counters of what was there already: whoever committed it may not have come to tell the mirror. */
  readonly seen: Map<string, Counted>
  readonly reservations: Map<string, { readonly org: number, readonly reservation: StoredReservation }>
  /** Ops that were not there before. */
  readonly fresh: Op[]
}

/** @param wall the time of the batch */
export function place (op: LaneOp, org: Org | undefined, wall: Instant): Placed {
  const held = org?.features.get(op.feature)
  if (org === undefined || held === undefined) return { op, now: wall, at: op.at, org, grant: null, wanted: undefined }
  const now = op.fixedNow ?? presentOf(org, wall)
  const at = op.atIsNow ? presentOf(org, op.at) : op.at
  const grant = grantAt(org, held, at, Math.max(at, now))
  if ('window' in op) {
    const window = windowNow(held.timeline, op.window)
    const aggregate = held.timeline.grantAtEnd(window)?.aggregate ?? 'sum'
    return { op, now, at, org, grant, wanted: wantedCounter(org.key, held.key, window, aggregate, now) }
  }
  if (grant === null || grant.type === 'boolean') return { op, now, at, org, grant, wanted: undefined }
  return { op, now, at, org, grant, wanted: wantedCounter(org.key, held.key, held.timeline.windowAt(at), grant.aggregate, now) }
}

/** In the order of arrival. */
export function reduce (placed: readonly Placed[], known: Known): Reduced {
  const reduced: Reduced = { outcomes: [], events: [], touched: new Map(), seen: new Map(), reservations: new Map(), fresh: [] }
  for (const it of placed) {
    try {
      reduced.outcomes.push({ answer: answerTo(it, known, reduced) })
    } catch (error) {
      if (!(error instanceof TollgateError)) throw error
      reduced.outcomes.push({ refused: error })
    }
  }
  return reduced
}

function answerTo (it: Placed, known: Known, reduced: Reduced): Answer {
  const { org, op } = it
  // One that was renamed since its caller's replica last saw it is not whom the caller means: somebody else may have that name now.
  if (org === undefined || org.name !== op.org.name) throw new TollgateError('org_not_found', 'org not found', { pointer: '/org' })
  // An id that was made here is nobody else's; only a batch that is sent again may find it.
  const mayBeThere = makesEvent(op) && (op.idGiven || known.events.size > 0)
  const before = mayBeThere ? known.events.get(textOf(it, op.id)) : undefined
  if (before !== undefined) {
    if (before.fingerprint === op.fingerprint) {
      see(it, known, reduced)
      return { ...before.recorded, duplicate: true }
    }
    throw new TollgateError('event_conflict', `event ${op.id} was reported before with different content`, { pointer: '/id' })
  }
  switch (op.kind) {
    case 'report':
    case 'consume': return count(it as Placed<CountOp>, known, reduced)
    case 'hold': return reserve(it as Placed<HoldOp>, known, reduced)
    case 'commit': return commit(it as Placed<CommitOp>, known, reduced)
    case 'release': return release(it as Placed<ReleaseOp>, known, reduced)
    case 'extend': return extend(it as Placed<ExtendOp>, known, reduced)
  }
}

/** The ids of reservations are not those of events: what one makes when it is committed is named after it. */
export function makesEvent ({ kind }: LaneOp): boolean {
  return kind === 'report' || kind === 'consume' || kind === 'commit'
}

function count (it: Placed<CountOp>, known: Known, reduced: Reduced): Recorded | Denied {
  const { op, at, grant, wanted } = it
  const use = { mode: op.mode, amount: op.amount, at }
  if (op.kind === 'consume') {
    if (grant !== null) reportable(grant)
    const denied = deny(grant, wanted, use, known, reduced)
    if (denied !== undefined) return denied
  }
  reportable(grant)
  return append(it, stateOf(wanted, known, reduced), use, op.properties, null, known, reduced)
}

function reserve (it: Placed<HoldOp>, known: Known, reduced: Reduced): Reserved | Denied {
  const { op, now, at, grant, wanted } = it
  const text = textOf(it, op.id)
  const before = known.reservations.get(text)
  if (before !== undefined) {
    if (before.fingerprint === op.fingerprint) {
      see(it, known, reduced)
      return { reservation: before, duplicate: true }
    }
    throw new TollgateError('event_conflict', `reservation ${op.id} was made before with different content`, { pointer: '/id' })
  }
  const amount = grant === null ? 0n : heldAmount(grant, op.amount)
  const denied = deny(grant, wanted, { mode: 'add', amount: op.amount, at }, known, reduced)
  if (denied !== undefined) return denied
  const state = stateOf(wanted, known, reduced)
  const expiresAt = now + op.ttlMs
  state.tally = hold(state.tally, amount, expiresAt)
  touch(state, reduced)
  reduced.fresh.push(op)
  return keep(it, {
    id: op.id,
    feature: state.wanted.key.feature,
    at,
    window: state.wanted.window,
    amount,
    expiresAt,
    state: 'held',
    used: state.tally.used,
    reserved: state.tally.reserved,
    limit: grant?.limit ?? null,
    fingerprint: op.fingerprint
  }, known, reduced)
}

function commit (it: Placed<CommitOp>, known: Known, reduced: Reduced): Recorded | Denied {
  const { op, now, at, grant, wanted } = it
  const reservation = settled(it, known)
  if (reservation.state !== 'held') throw conflict(reservation)
  reportable(grant)
  const state = stateOf(wanted, known, reduced)
  const use = { amount: op.amount ?? reservation.amount, at }
  const { ok, late, verdict } = decideCommit(grant, state.tally, reservation, use, now)
  if (!ok) return { denied: verdict, version: state.tally.version, window: state.wanted.window, late }
  state.tally = letGo(state.tally, reservation)
  keep(it, { ...reservation, state: 'committed' }, known, reduced)
  return append(it, state, { mode: 'add', ...use }, null, late ? 'its reservation had expired' : null, known, reduced)
}

/** What is settled stays as it is: a caller may release whatever is left, without knowing. */
function release (it: Placed<ReleaseOp>, known: Known, reduced: Reduced): Reserved {
  const reservation = settled(it, known)
  if (reservation.state !== 'held') {
    see(it, known, reduced)
    return { reservation, duplicate: true }
  }
  const state = stateOf(it.wanted, known, reduced)
  const tally = letGo(state.tally, reservation)
  if (tally !== state.tally) {
    state.tally = tally
    touch(state, reduced)
  }
  reduced.fresh.push(it.op)
  return keep(it, { ...reservation, state: 'released' }, known, reduced)
}

/** The counter stays as it is: who looks past its earliest expiry finds that the units are held for longer. */
function extend (it: Placed<ExtendOp>, known: Known, reduced: Reduced): Reserved {
  const { op, now, wanted } = it
  const reservation = settled(it, known)
  if (reservation.state !== 'held') throw conflict(reservation)
  if (isExpired(reservation, stateOf(wanted, known, reduced).tally, now)) {
    throw new TollgateError('reservation_conflict', `reservation ${reservation.id} has expired; hold the units anew`)
  }
  return keep(it, { ...reservation, expiresAt: Math.max(reservation.expiresAt, now + op.ttlMs) }, known, reduced)
}

/** @returns undefined: allowed */
function deny (
  grant: Grant | null, wanted: WantedCounter | undefined, use: Use, known: Known, reduced: Reduced
): Denied | undefined {
  const tally = wanted === undefined ? undefined : stateOf(wanted, known, reduced).tally
  const verdict = decide(grant, tally ?? NOTHING, use)
  return verdict.ok ? undefined : { denied: verdict, version: tally?.version ?? 0, window: wanted?.window ?? null, late: false }
}

const NOTHING: Tally = { used: 0n, reserved: 0n, version: 0, lastAt: null, reservedUntil: null }

function append (
  it: Placed, state: Touched, use: Use, properties: string | null, reason: string | null, known: Known, reduced: Reduced
): Recorded {
  const { op, grant, at } = it
  const { aggregate, limit } = reportable(grant)
  const { counter: { used, reserved, version, lastAt }, delta } = apply(state.tally, aggregate, use)
  state.tally = { used, reserved, version, lastAt, reservedUntil: state.tally.reservedUntil }
  touch(state, reduced)
  const { key, window } = state.wanted
  const recorded = {
    usedAfter: used, reservedAfter: reserved, limitAfter: limit, delta, window, reason, duplicate: false, voided: false
  }
  if (op.idGiven) known.events.set(textOf(it, op.id), { fingerprint: op.fingerprint, recorded })
  reduced.events.push({ op, key, at, mode: use.mode, amount: use.amount, recorded, properties, refersTo: null, actor: null })
  reduced.fresh.push(op)
  return recorded
}

function stateOf (wanted: WantedCounter | undefined, { tallies }: Known, { touched }: Reduced): Touched {
  if (wanted === undefined) throw new TollgateError('feature_not_found', 'feature not found', { pointer: '/feature' })
  const state = touched.get(wanted.text)
  if (state !== undefined) return state
  const tally = tallies.get(wanted.text) as Tally
  return { wanted, basedOn: tally.version, tally }
}

function touch (state: Touched, { touched }: Reduced): void {
  touched.set(state.wanted.text, state)
}

function see ({ wanted }: Placed, { tallies }: Known, { seen }: Reduced): void {
  if (wanted !== undefined) seen.set(wanted.text, { wanted, tally: tallies.get(wanted.text) as Tally })
}

function settled (it: Placed<CommitOp | ReleaseOp | ExtendOp>, { reservations }: Known): StoredReservation {
  const { reservation: id } = it.op
  const reservation = reservations.get(textOf(it, id))
  if (reservation === undefined) throw new TollgateError('reservation_not_found', `there is no reservation ${id}`)
  return reservation
}

function keep (it: Placed, reservation: StoredReservation, known: Known, reduced: Reduced): Reserved {
  const text = textOf(it, reservation.id)
  known.reservations.set(text, reservation)
  reduced.reservations.set(text, { org: (it.org as Org).key, reservation })
  return { reservation, duplicate: false }
}

function textOf ({ org }: Placed, id: string): string {
  return `${(org as Org).key}:${id}`
}

function conflict ({ id, state }: StoredReservation): TollgateError {
  return new TollgateError('reservation_conflict', `reservation ${id} is ${state} already`)
}
