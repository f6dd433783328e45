import { makePgArray } from 'drizzle-orm/pg-core'
import type { Instant } from '../domain/entitlement.ts'
import { amountArray, instantArray, plainArray } from './arrays.ts'
import type { Statement } from './database.ts'
import type { Counted, NewEvent, Reduced, Touched } from './ledger-reduce.ts'
import { write, writeReservations } from './ledger-statements.ts'
import type { Publication } from './mirror.ts'

export type Written = Pick<Reduced, 'events' | 'touched' | 'reservations'>

/** @param transaction the one that holds the locks */
export function writeStatements (written: Written, transaction: string): Statement[] {
  const { events, touched, reservations } = written
  const statements: Statement[] = []
  if (events.length > 0 || touched.size > 0) statements.push(eventsAndCounters(events, inKeyOrder(touched), transaction))
  if (reservations.size > 0) statements.push(reservationsStatement([...reservations.values()], transaction))
  return statements
}

/** Counters in key order: the order in which rows are written, the same in every process. */
function inKeyOrder (touched: ReadonlyMap<string, Touched>): Touched[] {
  return [...touched.values()].sort(({ wanted: { key: a } }, { wanted: { key: b } }) =>
    a.org - b.org || a.feature - b.feature || a.start - b.start)
}

function eventsAndCounters (events: readonly NewEvent[], counters: readonly Touched[], transaction: string): Statement {
  return write({
    transaction,
    orgs: plainArray(events.map(({ key }) => key.org)),
    ids: makePgArray(events.map(({ op }) => op.id)),
    features: plainArray(events.map(({ key }) => key.feature)),
    ats: instantArray(events.map(({ at }) => at)),
    starts: instantArray(events.map(({ key }) => key.start)),
    ends: instantArray(events.map(({ recorded }) => recorded.window.end)),
    amounts: amountArray(events.map(({ amount }) => amount)),
    modes: plainArray(events.map(({ mode }) => mode)),
    refersTo: makePgArray(events.map(({ refersTo }) => refersTo)),
    reasons: makePgArray(events.map(({ recorded }) => recorded.reason)),
    actors: makePgArray(events.map(({ actor }) => actor)),
    deltas: amountArray(events.map(({ recorded }) => recorded.delta)),
    usedAfter: amountArray(events.map(({ recorded }) => recorded.usedAfter)),
    limitAfter: amountArray(events.map(({ recorded }) => recorded.limitAfter)),
    reservedAfter: amountArray(events.map(({ recorded: { reservedAfter } }) => reservedAfter === 0n ? null : reservedAfter)),
    fingerprints: plainArray(events.map(({ op }) => op.fingerprint)),
    properties: makePgArray(events.map(({ properties }) => properties)),
    cOrgs: plainArray(counters.map(({ wanted }) => wanted.key.org)),
    cFeatures: plainArray(counters.map(({ wanted }) => wanted.key.feature)),
    cStarts: instantArray(counters.map(({ wanted }) => wanted.key.start)),
    cEnds: instantArray(counters.map(({ wanted }) => wanted.window.end)),
    cUsed: amountArray(counters.map(({ tally }) => tally.used)),
    cReserved: amountArray(counters.map(({ tally }) => tally.reserved)),
    cVersions: plainArray(counters.map(({ tally }) => tally.version)),
    cBasedOn: plainArray(counters.map(({ basedOn }) => basedOn)),
    cLastAts: instantArray(counters.map(({ tally }) => tally.lastAt)),
    cReservedUntil: instantArray(counters.map(({ tally }) => tally.reservedUntil))
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
