import { sql } from 'drizzle-orm'
import { type Amount, amountFromNumeric } from '../domain/amount.ts'
import type { Instant } from '../domain/entitlement.ts'
import type { Org } from '../domain/org.ts'
import { TIME_END } from '../domain/period.ts'
import type { Tally } from '../domain/reservation.ts'
import { AHEAD_MAX_MS } from '../domain/time.ts'
import { readTallies, type WantedCounter } from './counters.ts'
import { type Database, prepare, type Session, type Statement } from './database.ts'
import type { Orgs } from './orgs.ts'
import { type EventMode, instantFrom } from './schema.ts'

const SHOWN_MAX = 10
/** Counting takes time; past it there are just more. */
const COUNTED_MAX = 1_000

export interface CountedEvent {
  readonly id: string
  readonly at: Instant
  readonly mode: EventMode
  readonly amount: Amount
  readonly delta: Amount
  readonly usedAfter: Amount
}

export interface HeldUnits {
  readonly id: string
  readonly at: Instant
  readonly amount: Amount
  readonly expiresAt: Instant
}

/** Some of many. */
export interface Sample<Item> {
  /** The first ten. */
  readonly items: readonly Item[]
  readonly count: number
  /** There are more than were counted. */
  readonly more: boolean
}

/** What stands behind a counter. */
export interface CounterEvidence {
  readonly tally: Tally
  /** Of its window, the latest use first. */
  readonly events: Sample<CountedEvent>
  /** Those that count, the first to expire first. */
  readonly reservations: Sample<HeldUnits>
}

export interface Evidence {
  /** As it is in the same snapshot. */
  readonly org: Org
  /** null: there is no counter */
  readonly counter: CounterEvidence | null
  /** Of the override that was looked for. */
  readonly reason: string | null
}

/** What to look for, given the org. */
export interface Looked {
  /** null: nothing is counted */
  readonly wanted: WantedCounter | null
  /** Key of the feature and start of an override; null: there is none */
  readonly override: readonly [feature: number, start: Instant] | null
}

export interface EvidenceReader {
  /** All of it from one snapshot of the ledger. @returns undefined: there is no such org any more */
  read (org: number, look: (org: Org) => Looked): Promise<Evidence | undefined>
}

const SNAPSHOT: Statement = { text: 'set transaction isolation level repeatable read, read only', params: [] }

const IN_WINDOW = sql`org = ${sql.placeholder('org')} and feature = ${sql.placeholder('feature')}
  and window_start = ${sql.placeholder('start')}::timestamptz and at >= ${sql.placeholder('start')}::timestamptz
  and at < ${sql.placeholder('until')}::timestamptz`

/** The index knows no order among equal instants: so first how far back a page goes, and then all from there on. */
const latest = prepare<'org' | 'feature' | 'start' | 'until'>(sql`
  select id, at, mode, amount, delta, used_after from events
  where ${IN_WINDOW} and at >= coalesce(
    (select at from events where ${IN_WINDOW} order by at desc offset ${sql.raw(String(SHOWN_MAX - 1))} limit 1), '-infinity'
  )
  order by at desc, seq desc limit ${sql.raw(String(SHOWN_MAX))}`)

const counted = prepare<'org' | 'feature' | 'start' | 'until'>(sql`
  select count(*)::int from (select from events where ${IN_WINDOW} limit ${sql.raw(String(COUNTED_MAX + 1))}) found`)

const LIVE = sql`from reservations where org = ${sql.placeholder('org')} and feature = ${sql.placeholder('feature')}
  and window_start = ${sql.placeholder('start')}::timestamptz and state = 'held' and expires_at > ${sql.placeholder('now')}::timestamptz`

const live = prepare<'org' | 'feature' | 'start' | 'now'>(sql`
  select id, at, amount, expires_at ${LIVE} order by expires_at, id limit ${sql.raw(String(SHOWN_MAX))}`)

const liveCounted = prepare<'org' | 'feature' | 'start' | 'now'>(sql`
  select count(*)::int from (select ${LIVE} limit ${sql.raw(String(COUNTED_MAX + 1))}) found`)

const reasonOf = prepare<'org' | 'feature' | 'start'>(sql`
  select reason from overrides where org = ${sql.placeholder('org')} and feature = ${sql.placeholder('feature')}
    and starts_at = ${sql.placeholder('start')}::timestamptz`)

export function evidenceReader (database: Database, orgs: Orgs): EvidenceReader {
  return {
    read: async (key, look) => await database.transaction(async session => {
      await session.run([SNAPSHOT])
      const org = (await orgs.loadLocked([key], session)).get(key)
      if (org === undefined) return undefined
      const { wanted, override } = look(org)
      const counter = wanted === null ? null : await behind(session, wanted)
      return { org, counter, reason: override === null ? null : await reason(session, key, override) }
    })
  }
}

async function behind (session: Session, wanted: WantedCounter): Promise<CounterEvidence> {
  const { key: { org, feature }, window: { start, end }, now } = wanted
  const counter = { org, feature, start: textOf(start) }
  const window = { ...counter, until: end === null ? 'infinity' : textOf(end + AHEAD_MAX_MS) }
  const [tally] = await readTallies(session, [wanted])
  const [events, eventCount, held, heldCount] = await session.run([
    latest(window), counted(window), live({ ...counter, now: textOf(now) }), liveCounted({ ...counter, now: textOf(now) })
  ])
  return {
    tally: tally as Tally,
    events: sample(events?.rows.map(eventFrom), eventCount?.rows[0]?.[0] as number),
    reservations: sample(held?.rows.map(heldFrom), heldCount?.rows[0]?.[0] as number)
  }
}

async function reason (session: Session, org: number, [feature, start]: readonly [number, Instant]): Promise<string | null> {
  const [found] = await session.run([reasonOf({ org, feature, start: textOf(start) })])
  return (found?.rows[0]?.[0] ?? null) as string | null
}

function sample<Item> (items: readonly Item[] = [], found: number): Sample<Item> {
  return { items, count: Math.min(found, COUNTED_MAX), more: found > COUNTED_MAX }
}

function eventFrom (row: readonly unknown[]): CountedEvent {
  const [id, at, mode, amount, delta, usedAfter] = row as [string, string, EventMode, string, string, string]
  const figures = { amount: amountFromNumeric(amount), delta: amountFromNumeric(delta), usedAfter: amountFromNumeric(usedAfter) }
  return { id, at: instantFrom(at), mode, ...figures }
}

function heldFrom (row: readonly unknown[]): HeldUnits {
  const [id, at, amount, expiresAt] = row as [string, string, string, string]
  return { id, at: instantFrom(at), amount: amountFromNumeric(amount), expiresAt: instantFrom(expiresAt) }
}

/** Postgres reads no more than four digits of a year as we write it. */
function textOf (at: Instant): string {
  return at < TIME_END ? new Date(at).toISOString() : 'infinity'
}
