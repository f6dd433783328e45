import { makePgArray } from 'drizzle-orm/pg-core'
import { amountFromNumeric } from '../domain/amount.ts'
import type { Instant } from '../domain/entitlement.ts'
import type { ReservationState, Tally } from '../domain/reservation.ts'
import { TollgateError } from '../errors.ts'
import { plainArray } from './arrays.ts'
import type { CounterMemory } from './counter-memory.ts'
import { asStored, readTallies, talliesFrom, talliesStatement, type WantedCounter } from './counters.ts'
import { BEGIN, COMMIT, isStatementError, type Lane, type Result, sqlState, type Statement } from './database.ts'
import { type Committed, ConnectionLost, type LaneOp, type Op, type Recorded, type StoredReservation } from './ledger-op.ts'
import { makesEvent, place, type Placed, reduce, type Reduced, type StoredEvents, type Touched } from './ledger-reduce.ts'
import { lockOrgs, readEvents, readReservations, readVersions } from './ledger-statements.ts'
import { publicationsOf, writeAhead, writeStatements } from './ledger-write.ts'
import type { Orgs } from './orgs.ts'
import { instantFrom } from './schema.ts'
import { instantOrNull } from './instants.ts'

/**
 * One that goes ahead may be counted by a Postgres that is frozen meanwhile, and its callers hear that its outcome is unknown. One
 * that reads first is surely not counted then: where few wait, it can afford to.
 */
const AHEAD_OPS_MIN = 8
/** What a batch met that knew nothing of it: an org or a counter that somebody else has changed, an id that is there already. */
const MET = new Set(['40001', '23505'])

/**
 * One transaction, reduced in TypeScript. Under load, where this process remembers all that the batch needs, one round trip: lock,
 * check and write. Else two: lock and read; write and commit.
 * @param checkIds look for every id, also those made here: the batch may have been committed before
 * @throws ConnectionLost, or the error of a statement, after which nothing of the batch has happened
 */
export async function commitBatch (
  lane: Lane, ops: readonly LaneOp[], orgs: Orgs, memory: CounterMemory, checkIds: boolean
): Promise<Committed> {
  const now = Date.now()
  const placed = ops.map(op => place(op, op.org, now))
  const mayGoAhead = ops.length >= AHEAD_OPS_MIN && !checkIds && memory.isCalm()
  const ahead = mayGoAhead ? await commitAhead(lane, placed, memory) : undefined
  return ahead ?? await commitRead(lane, placed, orgs, memory, checkIds, now)
}

/** @returns undefined if the batch has to read first; nothing of it has happened then */
async function commitAhead (lane: Lane, placed: readonly Placed[], memory: CounterMemory): Promise<Committed | undefined> {
  const versions = versionsOf(placed)
  const tallies = versions === undefined ? undefined : memory.recall(placed)
  if (versions === undefined || tallies === undefined) return undefined
  const reduced = reduce(placed, { tallies, events: new Map(), reservations: new Map() })
  const counters = reduced.touched.size === 0 ? undefined : withLookedAt(reduced.touched, placed, tallies)
  if (counters === undefined) return undefined
  const confirmedAt = Date.now()
  try {
    await lane.alone(writeAhead(reduced.events, counters, versions))
  } catch (error) {
    if (!isStatementError(error)) throw new ConnectionLost(true, [], error, hopedFor(placed, reduced))
    if (!MET.has(sqlState(error) ?? '')) throw error
    memory.surprised()
    return undefined
  }
  for (const [text, { wanted: { key }, tally }] of reduced.touched) memory.keep(text, tally, versions.get(key.org) as number)
  return { outcomes: reduced.outcomes, publications: publicationsOf(reduced.touched, versions, confirmedAt), ahead: true }
}

/** What each op that would be new is answered if it is. */
function hopedFor (placed: readonly Placed[], { outcomes, fresh }: Reduced): Map<Op, Recorded> {
  const hoped = new Map<Op, Recorded>()
  const isFresh = new Set<Op>(fresh)
  for (const [i, { op }] of placed.entries()) {
    const outcome = outcomes[i]
    if (isFresh.has(op) && outcome !== undefined && 'answer' in outcome) hoped.set(op, outcome.answer as Recorded)
  }
  return hoped
}

/**
 * What is not written is not checked: so what was only looked at, as for a denial, is written as it is.
 * @returns undefined where that would make a row, or change one
 */
function withLookedAt (
  touched: ReadonlyMap<string, Touched>, placed: readonly Placed[], tallies: ReadonlyMap<string, Tally>
): ReadonlyMap<string, Touched> | undefined {
  if (touched.size === tallies.size) return touched
  const counters = new Map(touched)
  for (const { wanted } of placed) {
    if (wanted === undefined || counters.has(wanted.text)) continue
    const tally = tallies.get(wanted.text) as Tally
    if (tally.version === 0 || tally.reservedUntil !== null) return undefined
    counters.set(wanted.text, { wanted, basedOn: tally.version, tally })
  }
  return counters
}

/** @returns each org and its version, in key order; undefined if an op needs more than counters, or knows its org otherwise than another */
function versionsOf (placed: readonly Placed[]): Map<number, number> | undefined {
  const versions = new Map<number, number>()
  for (const { op: { kind, org } } of placed) {
    if (kind !== 'report' && kind !== 'consume') return undefined
    if ((versions.get(org.key) ?? org.version) !== org.version) return undefined
    versions.set(org.key, org.version)
  }
  return new Map([...versions].sort(([a], [b]) => a - b))
}

async function commitRead (
  lane: Lane, guesses: readonly Placed[], orgs: Orgs, memory: CounterMemory, checkIds: boolean, now: Instant
): Promise<Committed> {
  const ops = guesses.map(({ op }) => op)
  const keys = [...new Set(ops.map(({ org }) => org.key))].sort((a, b) => a - b)
  let placed = guesses
  const guessed = wantedOf(guesses)
  let wanted = guessed
  const asked = ops.filter(op => makesEvent(op) && (op.idGiven || checkIds))
  const settled = ops.flatMap(reservationOf)
  const statements = [BEGIN, lockOrgs({ orgs: plainArray(keys) }), readVersions({ orgs: plainArray(keys) }), talliesStatement(guessed)]
  if (asked.length > 0) statements.push(byIds(readEvents, asked.map(({ org, id }) => [org.key, id])))
  if (settled.length > 0) statements.push(byIds(readReservations, settled))
  const [, , versions, counted, ...found] = await talk(undefined, async () => await lane.run(statements))
  const events = storedEvents(asked.length > 0 ? found.shift() : undefined)
  const reservations = storedReservations(found.shift())
  const current = new Map(versions?.rows.map(([id, version]) => [id as number, Number(version)]))
  const { reread, tallies } = await talk(undefined, async () => {
    const moved = keys.filter(key => current.has(key) && placed.some(({ op }) => op.org.key === key && op.org.version !== current.get(key)))
    const reread = moved.length === 0 ? undefined : await orgs.loadLocked(moved, lane)
    for (const org of reread?.values() ?? []) orgs.remember(org)
    const tallies = mapOf(guessed, await talliesFrom(lane, guessed, counted?.rows ?? []))
    return { reread, tallies }
  })
  if (reread !== undefined || current.size < keys.length) {
    placed = ops.map(op => place(op, current.has(op.org.key) ? reread?.get(op.org.key) ?? op.org : undefined, now))
    wanted = wantedOf(placed)
    const missing = wanted.filter(({ text }) => !tallies.has(text))
    const late = await talk(undefined, async () => await readTallies(lane, missing))
    for (const [text, tally] of mapOf(missing, late)) tallies.set(text, tally)
  }
  memory.compare(tallies, events.size > 0 || reread !== undefined || current.size < keys.length)
  const reduced = reduce(placed, { tallies, events, reservations })
  const confirmedAt = Date.now()
  const writes = writeStatements(reduced, String(versions?.rows[0]?.[2]))
  await talk(reduced.fresh, async () => await lane.run([...writes, COMMIT]))
  const stored = asStored(guessed, counted?.rows ?? [])
  for (const { text, key: { org } } of wanted) {
    const tally = reduced.touched.get(text)?.tally ?? (stored.has(text) ? tallies.get(text) : undefined)
    if (tally !== undefined) memory.keep(text, tally, current.get(org) as number)
  }
  const publications = publicationsOf(new Map([...reduced.seen, ...reduced.touched]), current, confirmedAt)
  return { outcomes: reduced.outcomes, publications, ahead: false }
}

/** Tells a statement's own failure, after which the transaction is rolled back, from the loss of the connection. */
export async function talk<T> (sent: readonly Op[] | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof TollgateError || isStatementError(error)) throw error
    throw new ConnectionLost(sent !== undefined, sent ?? [], error)
  }
}

/** Each counter once, in key order: the order in which rows are written, the same in every process. */
function wantedOf (placed: readonly Placed[]): WantedCounter[] {
  const wanted = new Map<string, WantedCounter>()
  for (const it of placed) if (it.wanted !== undefined) wanted.set(it.wanted.text, it.wanted)
  return [...wanted.values()].sort(({ key: a }, { key: b }) => a.org - b.org || a.feature - b.feature || a.start - b.start)
}

function mapOf (wanted: readonly WantedCounter[], tallies: readonly Tally[]): Map<string, Tally> {
  return new Map(wanted.map(({ text }, i) => [text, tallies[i] as Tally]))
}

/** The reservation that an op makes or settles. */
function reservationOf (op: LaneOp): Array<[org: number, id: string]> {
  if (op.kind === 'hold') return [[op.org.key, op.id]]
  return 'reservation' in op ? [[op.org.key, op.reservation]] : []
}

export function byIds (
  statement: (values: { orgs: string, ids: string }) => Statement, ids: ReadonlyArray<readonly [org: number, id: string]>
): Statement {
  return statement({ orgs: plainArray(ids.map(([org]) => org)), ids: makePgArray(ids.map(([, id]) => id)) })
}

type EventRow = [org: number, id: string, fingerprint: string, usedAfter: string, reservedAfter: string | null, limitAfter: string | null,
  delta: string, start: string, end: string | null, reason: string | null, voided: boolean]

export function storedEvents (result: Result | undefined): StoredEvents {
  const rows = (result?.rows ?? []) as unknown as EventRow[]
  return new Map(rows.map(([org, id, fingerprint, usedAfter, reservedAfter, limitAfter, delta, start, end, reason, voided]) => [
    `${org}:${id}`,
    {
      fingerprint,
      recorded: {
        usedAfter: amountFromNumeric(usedAfter),
        reservedAfter: reservedAfter === null ? 0n : amountFromNumeric(reservedAfter),
        limitAfter: limitAfter === null ? null : amountFromNumeric(limitAfter),
        delta: amountFromNumeric(delta),
        window: { start: instantFrom(start), end: instantOrNull(end) },
        reason,
        duplicate: true,
        voided
      }
    }
  ]))
}

type ReservationRow = [org: number, id: string, feature: number, at: string, start: string, end: string | null, amount: string,
  expiresAt: string, state: ReservationState, used: string, reserved: string, limit: string | null, fingerprint: string]

function storedReservations (result: Result | undefined): Map<string, StoredReservation> {
  const rows = (result?.rows ?? []) as unknown as ReservationRow[]
  return new Map(rows.map(row => [`${row[0]}:${row[1]}`, reservationFrom(row)]))
}

export function reservationFrom (row: readonly unknown[]): StoredReservation {
  const [, id, feature, at, start, end, amount, expiresAt, state, used, reserved, limit, fingerprint] = row as ReservationRow
  return {
    id,
    feature,
    at: instantFrom(at),
    window: { start: instantFrom(start), end: instantOrNull(end) },
    amount: amountFromNumeric(amount),
    expiresAt: instantFrom(expiresAt),
    state,
    used: amountFromNumeric(used),
    reserved: amountFromNumeric(reserved),
    limit: limit === null ? null : amountFromNumeric(limit),
    fingerprint
  }
}
