import { makePgArray } from 'drizzle-orm/pg-core'
import { TollgateError } from '../errors.ts'
import { type Amount, amountFromNumeric } from '../domain/amount.ts'
import { apply, reportable } from '../domain/counter.ts'
import type { Grant, Instant } from '../domain/entitlement.ts'
import { grantAt, presentOf, type Org } from '../domain/org.ts'
import type { Window } from '../domain/window.ts'
import { amountArray, instantArray, plainArray } from './arrays.ts'
import { readTallies, talliesFrom, talliesStatement, type WantedCounter, wantedCounter } from './counters.ts'
import { BEGIN, COMMIT, isStatementError, type Lane, type Result, type Statement } from './database.ts'
import { lockOrgs, readEvents, readVersions, write } from './ledger-statements.ts'
import type { Publication, Tally } from './mirror.ts'
import type { Orgs } from './orgs.ts'
import { instantFrom } from './schema.ts'

/** One report on its way into the ledger. */
export interface Op {
  /** As this process last saw it; read again under its lock if its version has moved on. */
  readonly org: Org
  readonly feature: string
  readonly mode: 'add' | 'set'
  readonly amount: Amount
  readonly at: Instant
  /** The environment's frozen time; null: the clock on the wall, as it is when the batch is judged. */
  readonly fixedNow: Instant | null
  /** `at` is the wall clock's now: not before a change of the org that a clock ahead of ours made. */
  readonly atIsNow: boolean
  readonly id: string
  /** The caller chose the id, so it may be there already. */
  readonly idGiven: boolean
  /** A UUID's worth of the hash of the request as it was sent. */
  readonly fingerprint: string
  /** JSON text. */
  readonly properties: string | null
}

/** What was stored of an event: the answer to it, now and whenever it is sent again. */
export interface Recorded {
  readonly usedAfter: Amount
  /** null: unlimited */
  readonly limitAfter: Amount | null
  readonly window: Window
  readonly duplicate: boolean
}

export type Outcome = { readonly recorded: Recorded } | { readonly refused: TollgateError }

export interface Committed {
  /** One per op, in order. */
  readonly outcomes: readonly Outcome[]
  readonly publications: readonly Publication[]
}

/** The connection failed. `sent`: the commit was on its way, so whether it happened is not known. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
  readonly sent: boolean
  /** With what was sent: the ops that were new to the ledger then, so that finding them later is no duplicate. */
  readonly fresh: readonly Op[]
  constructor (sent: boolean, fresh: readonly Op[], cause: unknown) {
    super('the connection to the ledger was lost', { cause })
    this.sent = sent
    this.fresh = fresh
  }
}

/** An op and where it counts: `org` and `wanted` undefined if its org is gone, `grant` null if the feature is not held at `at`. */
interface Placed {
  readonly op: Op
  readonly at: Instant
  readonly org: Org | undefined
  readonly grant: Grant | null
  readonly wanted: WantedCounter | undefined
}

interface NewEvent {
  readonly op: Op
  readonly at: Instant
  readonly key: WantedCounter['key']
  readonly delta: Amount
  readonly recorded: Recorded
}

interface Touched {
  readonly wanted: WantedCounter
  readonly basedOn: number
  tally: Tally
}

/**
 * One transaction, two round trips: lock and read; reduce in TypeScript; write and commit.
 * @param checkIds look for every id, also those made here: the batch may have been committed before
 * @throws ConnectionLost, or the error of a statement, after which nothing of the batch has happened
 */
export async function commitBatch (lane: Lane, ops: readonly Op[], orgs: Orgs, checkIds: boolean): Promise<Committed> {
  const keys = [...new Set(ops.map(({ org }) => org.key))].sort((a, b) => a - b)
  let placed = ops.map(op => place(op, op.org))
  const asked = ops.filter(({ idGiven }) => idGiven || checkIds)
  const guessed = wantedOf(placed)
  const statements = [
    BEGIN, lockOrgs({ orgs: plainArray(keys) }), readVersions({ orgs: plainArray(keys) }), talliesStatement(guessed)
  ]
  if (asked.length > 0) {
    statements.push(readEvents({ orgs: plainArray(asked.map(({ org }) => org.key)), ids: makePgArray(asked.map(({ id }) => id)) }))
  }
  const [, , versions, counted, known] = await talk(undefined, async () => await lane.run(statements))
  const current = new Map(versions?.rows.map(([id, version]) => [id as number, Number(version)]))
  const { reread, tallies } = await talk(undefined, async () => {
    const moved = keys.filter(key => current.has(key) && placed.some(({ op }) => op.org.key === key && op.org.version !== current.get(key)))
    const reread = moved.length === 0 ? undefined : await orgs.loadLocked(moved, lane)
    for (const org of reread?.values() ?? []) orgs.remember(org)
    const tallies = mapOf(guessed, await talliesFrom(lane, guessed, counted?.rows ?? []))
    return { reread, tallies }
  })
  if (reread !== undefined || current.size < keys.length) {
    placed = ops.map(op => place(op, current.has(op.org.key) ? reread?.get(op.org.key) ?? op.org : undefined))
    const missing = wantedOf(placed).filter(({ text }) => !tallies.has(text))
    const late = await talk(undefined, async () => await readTallies(lane, missing))
    for (const [text, tally] of mapOf(missing, late)) tallies.set(text, tally)
  }
  const reduced = reduce(placed, tallies, storedEvents(known))
  const confirmedAt = Date.now()
  const statement = reduced.events.length === 0 ? [] : [writeStatement(reduced, String(versions?.rows[0]?.[2]))]
  await talk(reduced.events.map(({ op }) => op), async () => await lane.run([...statement, COMMIT]))
  return { outcomes: reduced.outcomes, publications: publicationsOf(reduced.touched, current, confirmedAt) }
}

/** Tells a statement's own failure, after which the transaction is rolled back, from the loss of the connection. */
async function talk<T> (sent: readonly Op[] | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof TollgateError || isStatementError(error)) throw error
    throw new ConnectionLost(sent !== undefined, sent ?? [], error)
  }
}

function place (op: Op, org: Org | undefined): Placed {
  const at = org !== undefined && op.atIsNow ? presentOf(org, op.at) : op.at
  const held = org?.features.get(op.feature)
  if (org === undefined || held === undefined) return { op, at, org, grant: null, wanted: undefined }
  const grant = grantAt(org, held, at, Math.max(at, op.fixedNow ?? presentOf(org, Date.now())))
  if (grant === null || grant.type === 'boolean') return { op, at, org, grant, wanted: undefined }
  const window = held.timeline.windowAt(at)
  return { op, at, org, grant, wanted: wantedCounter(org.key, held.key, window, grant.aggregate) }
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

type Stored = Map<string, { readonly fingerprint: string, readonly recorded: Recorded }>

function storedEvents (result: Result | undefined): Stored {
  const rows = (result?.rows ?? []) as unknown as Array<[number, string, string, string, string | null, string, string | null]>
  return new Map(rows.map(([org, id, fingerprint, usedAfter, limitAfter, start, end]) => [`${org}:${id}`, {
    fingerprint,
    recorded: {
      usedAfter: amountFromNumeric(usedAfter),
      limitAfter: limitAfter === null ? null : amountFromNumeric(limitAfter),
      window: { start: instantFrom(start), end: end === null ? null : instantFrom(end) },
      duplicate: true
    }
  }]))
}

interface Reduced {
  readonly outcomes: Outcome[]
  readonly events: NewEvent[]
  readonly touched: Map<string, Touched>
}

/** In the order of arrival. */
function reduce (placed: readonly Placed[], tallies: ReadonlyMap<string, Tally>, known: Stored): Reduced {
  const reduced: Reduced = { outcomes: [], events: [], touched: new Map() }
  for (const it of placed) {
    try {
      reduced.outcomes.push({ recorded: record(it, tallies, known, reduced) })
    } catch (error) {
      if (!(error instanceof TollgateError)) throw error
      reduced.outcomes.push({ refused: error })
    }
  }
  return reduced
}

function record (
  { op, at, org, grant, wanted }: Placed, tallies: ReadonlyMap<string, Tally>, known: Stored, { events, touched }: Reduced
): Recorded {
  if (org === undefined) throw new TollgateError('org_not_found', 'org not found', { pointer: '/org' })
  const before = known.get(`${org.key}:${op.id}`)
  if (before !== undefined) {
    if (before.fingerprint === op.fingerprint) return { ...before.recorded, duplicate: true }
    throw new TollgateError('event_conflict', `event ${op.id} was reported before with different content`, { pointer: '/id' })
  }
  const { aggregate, limit } = reportable(grant)
  if (wanted === undefined) throw new Error(`a reportable ${op.feature} has no counter`)
  const { text } = wanted
  const state = touched.get(text) ?? fresh(wanted, tallies.get(text) as Tally)
  const { counter, delta } = apply(state.tally, aggregate, { ...op, at })
  state.tally = { ...counter, reservedUntil: state.tally.reservedUntil }
  touched.set(text, state)
  const recorded = { usedAfter: counter.used, limitAfter: limit, window: wanted.window, duplicate: false }
  known.set(`${org.key}:${op.id}`, { fingerprint: op.fingerprint, recorded })
  events.push({ op, at, key: wanted.key, delta, recorded })
  return recorded
}

function fresh (wanted: WantedCounter, tally: Tally): Touched {
  return { wanted, basedOn: tally.version, tally }
}

function writeStatement ({ events, touched }: Reduced, transaction: string): Statement {
  const counters = wantedSorted(touched)
  return write({
    transaction,
    orgs: plainArray(events.map(({ key }) => key.org)),
    ids: makePgArray(events.map(({ op }) => op.id)),
    features: plainArray(events.map(({ key }) => key.feature)),
    ats: instantArray(events.map(({ at }) => at)),
    starts: instantArray(events.map(({ key }) => key.start)),
    ends: instantArray(events.map(({ recorded }) => recorded.window.end)),
    amounts: amountArray(events.map(({ op }) => op.amount)),
    modes: plainArray(events.map(({ op }) => op.mode)),
    deltas: amountArray(events.map(({ delta }) => delta)),
    usedAfter: amountArray(events.map(({ recorded }) => recorded.usedAfter)),
    limitAfter: amountArray(events.map(({ recorded }) => recorded.limitAfter)),
    fingerprints: plainArray(events.map(({ op }) => op.fingerprint)),
    properties: makePgArray(events.map(({ op }) => op.properties)),
    cOrgs: plainArray(counters.map(({ wanted }) => wanted.key.org)),
    cFeatures: plainArray(counters.map(({ wanted }) => wanted.key.feature)),
    cStarts: instantArray(counters.map(({ wanted }) => wanted.key.start)),
    cEnds: instantArray(counters.map(({ wanted }) => wanted.window.end)),
    cUsed: amountArray(counters.map(({ tally }) => tally.used)),
    cReserved: amountArray(counters.map(({ tally }) => tally.reserved)),
    cVersions: plainArray(counters.map(({ tally }) => tally.version)),
    cBasedOn: plainArray(counters.map(({ basedOn }) => basedOn)),
    cLastAts: instantArray(counters.map(({ tally }) => tally.lastAt))
  })
}

function wantedSorted (touched: ReadonlyMap<string, Touched>): Touched[] {
  return [...touched.values()].sort(({ wanted: { key: a } }, { wanted: { key: b } }) =>
    a.org - b.org || a.feature - b.feature || a.start - b.start)
}

function publicationsOf (
  touched: ReadonlyMap<string, Touched>, versions: ReadonlyMap<number, number>, confirmedAt: Instant
): Publication[] {
  const perOrg = new Map<number, Array<Publication['counters'][number]>>()
  for (const { wanted: { key }, tally } of touched.values()) {
    const counters = perOrg.get(key.org) ?? []
    counters.push({ key, tally })
    perOrg.set(key.org, counters)
  }
  return [...perOrg].map(([org, counters]) => ({ org, version: versions.get(org) as number, counters, confirmedAt }))
}
