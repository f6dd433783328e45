import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { makePgArray } from 'drizzle-orm/pg-core'
import { type Amount, amountFromNumeric } from '../domain/amount.ts'
import { type Counter, EMPTY } from '../domain/counter.ts'
import type { Instant } from '../domain/entitlement.ts'
import type { Org } from '../domain/org.ts'
import type { Window } from '../domain/window.ts'
import { mergedId } from '../domain/ids.ts'
import { TollgateError } from '../errors.ts'
import { plainArray } from './arrays.ts'
import { readTallies } from './counters.ts'
import { orm, type Session, type Statement } from './database.ts'
import type { Counted, NewEvent } from './ledger-reduce.ts'
import { writeStatements } from './ledger-write.ts'
import {
  addLost, addMoved, featureOf, type FormerCounter, type MergedCounter, type MovedEvent, type Owner, reshaped, wantedAt
} from './merged-windows.ts'
import { renameReservations, renamesOf } from './merged-names.ts'
import { moveReservations } from './moved-reservations.ts'
import { type EventMode, instantFrom } from './schema.ts'

/** They move in one transaction, and embedded, everybody waits for it. */
export const MERGED_EVENTS_MAX = 100_000
const PAGE_EVENTS = 1_000

export interface Merging {
  readonly kept: Org
  readonly from: Org
  /** One org that has held what both have. */
  readonly merged: Org
  /** In the time of their environment. */
  readonly now: Instant
}

/**
 * Gives the org that is kept all that the other has used. Its events arrive anew, in their order, each in the merged org's window;
 * where the plans that came along cut the kept org's windows otherwise, its own events of that feature do so before them.
 * @param session in the transaction that has locked both
 * @returns the counters that changed
 */
export async function mergeUsage (session: Session, merging: Merging): Promise<ReadonlyMap<string, Counted>> {
  const { kept, from, merged, now } = merging
  const former = { kept: await countersOf(session, kept), from: await countersOf(session, from) }
  const recutOf = (owner: Owner): number[] => [...new Set(former[owner].map(({ feature }) => feature))].filter(feature =>
    reshaped(featureOf(merging[owner], feature), featureOf(merged, feature), former[owner].filter(row => row.feature === feature)))
  const recut = { kept: recutOf('kept'), from: recutOf('from') }
  const keptRecut = recut.kept
  await checkCount(session, merging, keptRecut)

  const renames = await renamesOf(session, merging)
  await renameReservations(session, merging)
  const counters = new Map<string, MergedCounter>()
  const counterAt = async (feature: number, at: Instant, was: Window): Promise<MergedCounter> => {
    const wanted = wantedAt(merged, feature, at, was, now)
    const known = counters.get(wanted.text)
    if (known !== undefined) return known
    const [stored] = keptRecut.includes(feature) ? [] : await readTallies(session, [wanted])
    // Above what it was when it had the same start.
    const version = former.kept.find(row => row.feature === feature && row.start === wanted.key.start)?.version ?? 0
    const tally = stored ?? { ...EMPTY, version, reservedUntil: null }
    const state = { shared: tally.version > 0, uneven: false, lastAdded: undefined }
    const counter = { wanted, aggregate: wanted.aggregate, basedOn: tally.version, tally, ...state }
    counters.set(wanted.text, counter)
    return counter
  }

  await orm(session).execute(sql`
    delete from counters where org = ${from.key} or (org = ${kept.key} and feature = any(${plainArray(keptRecut)}::int[]))`)
  const [identified] = await session.run([{ text: 'select pg_current_xact_id()::text', params: [] }])
  const transaction = identified?.rows[0]?.[0] as string
  for (const owner of ['kept', 'from'] as const) {
    const alone = new Map<MergedCounter, Counter>()
    const known = new Map<string, Amount>()
    for await (const page of pagesOf(session, merging[owner], owner === 'kept' ? keptRecut : null)) {
      const events: NewEvent[] = []
      for (const row of page) {
        const counter = await counterAt(row.feature, row.at, row.window)
        const added = addMoved(counter, alone.get(counter) ?? EMPTY, row, recut[owner].includes(row.feature))
        alone.set(counter, added.alone)
        known.set(textOf(row), (known.get(textOf(row)) ?? 0n) + row.delta)
        if (owner === 'kept') counter.shared = true
        else note(counter, row)
        events.push(eventOf(counter, row, owner === 'kept' ? id => id : id => renames.get(id) ?? id, added.delta))
      }
      const ids = makePgArray(page.map(({ id }) => id))
      await orm(session).execute(sql`delete from events where org = ${merging[owner].key} and id = any(${ids}::text[])`)
      await session.run(writeStatements({ events, touched: new Map(), reservations: new Map() }, transaction))
    }
    for (const row of former[owner]) {
      const left = known.get(`${row.feature}:${row.start}`) ?? 0n
      if (left === row.used || (owner === 'kept' && !keptRecut.includes(row.feature))) continue
      const counter = await counterAt(row.feature, row.start, { start: row.start, end: null })
      counter.tally = { ...addLost(counter, row, left), version: counter.tally.version + 1 }
    }
  }
  for (const { feature, start, reserved, until } of await moveReservations(session, merging, keptRecut)) {
    const counter = await counterAt(feature, start, { start, end: null })
    counter.tally = { ...counter.tally, version: counter.tally.version + 1, reserved, reservedUntil: until }
  }
  const totals = [...counters.values()].flatMap(counter => totalOf(counter, from))
  await session.run(writeStatements({ events: totals, touched: counters, reservations: new Map() }, transaction))
  return counters
}

async function countersOf (session: Session, { key }: Org): Promise<FormerCounter[]> {
  const rows = await orm(session).execute<{ feature: number, start: string, used: string, version: string, last: string | null }>(sql`
    select feature, window_start as start, used, version, last_at as last from counters where org = ${key}`)
  return rows.map(({ feature, start, used, version, last }) => ({
    feature,
    start: instantFrom(start),
    used: amountFromNumeric(used),
    version: Number(version),
    lastAt: last === null ? null : instantFrom(last)
  }))
}

/** @throws TollgateError `org_conflict` */
async function checkCount (session: Session, { kept, from }: Merging, keptRecut: readonly number[]): Promise<void> {
  const [found] = await orm(session).execute<{ count: number }>(sql`
    select count(*)::int as count from (
      select from events where org = ${from.key} or (org = ${kept.key} and feature = any(${plainArray(keptRecut)}::int[]))
      limit ${MERGED_EVENTS_MAX + 1}
    ) some_events`)
  if ((found?.count ?? 0) <= MERGED_EVENTS_MAX) return
  throw new TollgateError('org_conflict',
    `more than ${MERGED_EVENTS_MAX} events would have to be moved: these orgs cannot be merged`, { pointer: '/from' })
}

interface MovedRow extends MovedEvent {
  readonly id: string
  readonly refersTo: string | null
  readonly reason: string | null
  readonly actor: string | null
  readonly limitAfter: Amount | null
  readonly reservedAfter: Amount | null
  readonly fingerprint: string
  readonly properties: string | null
}

const FETCH: Statement = { text: `fetch ${PAGE_EVENTS} from moved_events`, params: [] }
const CLOSE: Statement = { text: 'close moved_events', params: [] }

/** In the order of arrival, as they were when the first page was asked for. @param features null: all */
async function * pagesOf (session: Session, { key }: Org, features: readonly number[] | null): AsyncGenerator<MovedRow[]> {
  if (features?.length === 0) return
  await session.run([{
    text: `declare moved_events no scroll cursor for
      select e.id, e.feature, e.at, e.window_start, e.window_end, e.mode, e.amount,
        case c.mode when 'void' then null when 'amend' then c.amount else e.amount end,
        e.delta, e.refers_to, e.reason, e.actor, e.limit_after, e.reserved_after, e.fingerprint, e.properties::text
      from events e left join lateral (
        select mode, amount from events c where c.org = e.org and c.refers_to = e.id order by c.seq desc limit 1
      ) c on true
      where e.org = $1::int and ($2::int[] is null or e.feature = any($2::int[])) order by e.seq`,
    params: [key, features === null ? null : plainArray(features)]
  }])
  for (;;) {
    const [found] = await session.run([FETCH])
    const rows = found?.rows ?? []
    if (rows.length > 0) yield rows.map(rowFrom)
    if (rows.length < PAGE_EVENTS) break
  }
  await session.run([CLOSE])
}

type Row = [id: string, feature: number, at: string, start: string, end: string | null, mode: EventMode, amount: string,
  effective: string | null, delta: string, refersTo: string | null, reason: string | null, actor: string | null, limitAfter: string | null,
  reservedAfter: string | null, fingerprint: string, properties: string | null]

function rowFrom (row: readonly unknown[]): MovedRow {
  const [
    id, feature, at, start, end, mode, amount, effective, delta, refersTo, reason, actor, limitAfter, reservedAfter, fingerprint, properties
  ] = row as Row
  const amountOrNull = (text: string | null): Amount | null => text === null ? null : amountFromNumeric(text)
  return {
    id,
    feature,
    at: instantFrom(at),
    window: { start: instantFrom(start), end: end === null ? null : instantFrom(end) },
    mode,
    amount: amountFromNumeric(amount),
    effective: amountOrNull(effective),
    delta: amountFromNumeric(delta),
    refersTo,
    reason,
    actor,
    limitAfter: amountOrNull(limitAfter),
    reservedAfter: amountOrNull(reservedAfter),
    fingerprint,
    properties
  }
}

/** A total that was set in both orgs: read again from its events, it would be that of the last one only. */
function note (counter: MergedCounter, { mode, amount, at, limitAfter }: MovedRow): void {
  counter.uneven ||= mode === 'set' || amount < 0n
  counter.lastAdded = { at, limit: limitAfter }
}

function eventOf (
  { wanted, tally }: MergedCounter, row: MovedRow, rename: (id: string) => string, delta: Amount
): NewEvent {
  const { id, at, mode, amount, fingerprint, properties, refersTo, actor, reason, limitAfter, reservedAfter } = row
  return {
    op: { id: rename(id), fingerprint },
    key: wanted.key,
    at,
    mode,
    amount,
    recorded: {
      usedAfter: tally.used,
      reservedAfter: reservedAfter ?? 0n,
      limitAfter,
      delta,
      window: wanted.window,
      reason,
      duplicate: false,
      voided: false
    },
    properties,
    refersTo: refersTo === null ? null : rename(refersTo),
    actor
  }
}

/** Says the total of both where it cannot be read from their events, one after the other: it changes nothing. */
function totalOf (counter: MergedCounter, { name, key }: Org): NewEvent[] {
  const { wanted, tally, aggregate, shared, uneven, lastAdded } = counter
  if (!shared || !uneven || lastAdded === undefined || (aggregate !== 'sum' && aggregate !== 'count')) return []
  const id = mergedId(name, `merged/${key}/${wanted.key.feature}/${wanted.key.start}`)
  counter.tally = { ...tally, version: tally.version + 1 }
  return [{
    op: { id, fingerprint: randomUUID() },
    key: wanted.key,
    at: lastAdded.at,
    mode: 'set',
    amount: tally.used,
    recorded: {
      usedAfter: tally.used,
      reservedAfter: 0n,
      limitAfter: lastAdded.limit,
      delta: 0n,
      window: wanted.window,
      reason: `the total of both, as ${name} was merged`,
      duplicate: false,
      voided: false
    },
    properties: null,
    refersTo: null,
    actor: null
  }]
}

function textOf ({ feature, window }: MovedEvent): string {
  return `${feature}:${window.start}`
}
