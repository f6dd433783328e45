import { makePgArray } from 'drizzle-orm/pg-core'
import type { Instant } from '../domain/entitlement.ts'
import { amountArray, epochArray, instantArray, plainArray, sparse } from './arrays.ts'
import type { Statement } from './database.ts'
import type { Counted, NewEvent, Reduced, Touched } from './ledger-reduce.ts'
import { write, writeReservations } from './ledger-statements.ts'
import type { Publication } from './mirror.ts'

export type Written = Pick<Reduced, 'events' | 'touched' | 'reservations'>

/** @param transaction the one that holds the locks */
export function writeStatements (written: Written, transaction: string): Statement[] {
  const { events, touched, reservations } = written
  const statements: Statement[] = []
  if (events.length > 0 || touched.size > 0) {
    statements.push(eventsAndCounters(events, inKeyOrder(touched), { transaction, locked: '{}', known: '{}' }))
  }
  if (reservations.size > 0) statements.push(reservationsStatement([...reservations.values()], transaction))
  return statements
}

/**
 * A transaction by itself.
 * @param versions of every org of the batch, in key order: it locks them, and raises unless these are their versions
 */
export function writeAhead (
  events: readonly NewEvent[], counters: ReadonlyMap<string, Touched>, versions: ReadonlyMap<number, number>
): Statement {
  const guard = { transaction: null, locked: plainArray([...versions.keys()]), known: plainArray([...versions.values()]) }
  return eventsAndCounters(events, inKeyOrder(counters), guard)
}

/** Counters in key order: the order in which rows are written, the same in every process. */
function inKeyOrder (touched: ReadonlyMap<string, Touched>): Touched[] {
  return [...touched.values()].sort(({ wanted: { key: a } }, { wanted: { key: b } }) =>
    a.org - b.org || a.feature - b.feature || a.start - b.start)
}

interface Guard {
  readonly transaction: string | null
  readonly locked: string
  readonly known: string
}

function eventsAndCounters (events: readonly NewEvent[], counters: readonly Touched[], guard: Guard): Statement {
  return write({
    ...guard,
    orgs: plainArray(events.map(({ key }) => key.org)),
    ids: makePgArray(events.map(({ op }) => op.id)),
    features: plainArray(events.map(({ key }) => key.feature)),
    ats: epochArray(events.map(({ at }) => at)),
    starts: epochArray(events.map(({ key }) => key.start)),
    ends: epochArray(events.map(({ recorded }) => recorded.window.end)),
    amounts: amountArray(events.map(({ amount }) => amount)),
    modes: plainArray(events.map(({ mode }) => mode)),
    refersTo: sparse(events.map(({ refersTo }) => refersTo), makePgArray),
    reasons: sparse(events.map(({ recorded }) => recorded.reason), makePgArray),
    actors: sparse(events.map(({ actor }) => actor), makePgArray),
    deltas: amountArray(events.map(({ recorded }) => recorded.delta)),
    usedAfter: amountArray(events.map(({ recorded }) => recorded.usedAfter)),
    limitAfter: amountArray(events.map(({ recorded }) => recorded.limitAfter)),
    reservedAfter: sparse(events.map(({ recorded: { reservedAfter } }) => reservedAfter === 0n ? null : reservedAfter), amountArray),
    fingerprints: plainArray(events.map(({ op }) => op.fingerprint)),
    properties: sparse(events.map(({ properties }) => properties), makePgArray),
    cOrgs: plainArray(counters.map(({ wanted }) => wanted.key.org)),
    cFeatures: plainArray(counters.map(({ wanted }) => wanted.key.feature)),
    cStarts: epochArray(counters.map(({ wanted }) => wanted.key.start)),
    cEnds: epochArray(counters.map(({ wanted }) => wanted.window.end)),
    cUsed: amountArray(counters.map(({ tally }) => tally.used)),
    cReserved: amountArray(counters.map(({ tally }) => tally.reserved)),
    cVersions: plainArray(counters.map(({ tally }) => tally.version)),
    cBasedOn: plainArray(counters.map(({ basedOn }) => basedOn)),
    cLastAts: epochArray(counters.map(({ tally }) => tally.lastAt)),
    cReservedUntil: sparse(counters.map(({ tally }) => tally.reservedUntil), epochArray)
  })
}

type Kept = Reduced['reservations'] extends Map<string, infer Row> ? Row : never

function reservationsStatement (rows: readonly Kept[], transaction: string): Statement {
  const kept = rows.map(({ reservation }) => reservation)
  return writeReservations({
    transaction,
    orgs: plainArray(rows.map(({ org }) => org)),
    ids: makePgArray(kept.map(({ id }) => id)),
    features: plainArray(kept.map(({ feature }) => feature)),
    ats: instantArray(kept.map(({ at }) => at)),
    starts: instantArray(kept.map(({ window }) => window.start)),
    ends: instantArray(kept.map(({ window }) => window.end)),
    amounts: amountArray(kept.map(({ amount }) => amount)),
    expiries: instantArray(kept.map(({ expiresAt }) => expiresAt)),
    states: plainArray(kept.map(({ state }) => state)),
    used: amountArray(kept.map(({ used }) => used)),
    reserved: amountArray(kept.map(({ reserved }) => reserved)),
    limits: amountArray(kept.map(({ limit }) => limit)),
    fingerprints: plainArray(kept.map(({ fingerprint }) => fingerprint))
  })
}

export function publicationsOf (
  touched: ReadonlyMap<string, Counted>, versions: ReadonlyMap<number, number>, confirmedAt: Instant
): Publication[] {
  const perOrg = new Map<number, Array<Publication['counters'][number]>>()
  for (const { wanted: { key }, tally } of touched.values()) {
    const counters = perOrg.get(key.org) ?? []
    counters.push({ key, tally })
    perOrg.set(key.org, counters)
  }
  return [...perOrg].map(([org, counters]) => ({ org, version: versions.get(org) as number, counters, confirmedAt }))
}
