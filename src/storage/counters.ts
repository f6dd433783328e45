import { sql } from 'drizzle-orm'
import { amountFromNumeric } from '../domain/amount.ts'
import { type Counter, EMPTY } from '../domain/counter.ts'
import type { Aggregate, Instant } from '../domain/entitlement.ts'
import { AHEAD_MAX_MS } from '../domain/time.ts'
import type { Tally } from '../domain/reservation.ts'
import type { Window } from '../domain/window.ts'
import { epochArray, instantOf, plainArray } from './arrays.ts'
import { prepare, type Session, type Statement } from './database.ts'
import { foldWindow } from './fold.ts'
import type { CounterKey } from './mirror.ts'
import { lastFigureOfPruned } from './pruned-window.ts'
import { instantFrom } from './schema.ts'

/** A counter that is asked for, with what is needed to fold it from its events if its row is missing. */
export interface WantedCounter {
  readonly key: CounterKey
  /** Equal for equal keys, for use in maps. */
  readonly text: string
  readonly window: Window
  readonly aggregate: Aggregate
  /** Units whose hold has expired by then are not reserved any more. */
  readonly now: Instant
}

export function wantedCounter (org: number, feature: number, window: Window, aggregate: Aggregate, now: Instant): WantedCounter {
  const { start } = window
  return { key: { org, feature, start }, text: `${org}:${feature}:${start}`, window, aggregate, now }
}

/**
 * A counter's row or, where there is none, the fold of its window's events: deltas add up to `used` for every
 * aggregate, and each event raised the version by one. An event may be ahead of the clock, so one that was counted before
 * its window was cut short may lie a little past the window's end: by no more than `at` may be ahead.
 * Past the earliest expiry of what is held in a counter, what is still held is added up anew.
 */
const tallies = prepare<'orgs' | 'features' | 'starts' | 'untils' | 'nows'>(sql`
  select wanted.n, c.used, c.reserved, c.version, c.last_at, c.reserved_until, folded.used, folded.version, held.reserved, held.until
  from (
    select org, feature, ${instantOf('window_start')} as window_start, ${instantOf('until')} as until, ${instantOf('now')} as now, n
    from unnest(${sql.placeholder('orgs')}::int[], ${sql.placeholder('features')}::int[], ${sql.placeholder('starts')}::bigint[],
      ${sql.placeholder('untils')}::bigint[], ${sql.placeholder('nows')}::bigint[])
      with ordinality as given (org, feature, window_start, until, now, n)
  ) wanted
  left join counters c
    on c.org = wanted.org and c.feature = wanted.feature and c.window_start = wanted.window_start
  left join lateral (
    select sum(e.delta) as used, count(*) as version from events e
    where c.org is null and e.org = wanted.org and e.feature = wanted.feature
      and e.window_start = wanted.window_start and e.at >= wanted.window_start
      and e.at < coalesce(wanted.until, 'infinity')
  ) folded on true
  left join lateral (
    select coalesce(sum(r.amount), 0) as reserved, min(r.expires_at) as until from reservations r
    where (c.org is null or c.reserved_until <= wanted.now) and r.org = wanted.org and r.feature = wanted.feature
      and r.window_start = wanted.window_start and r.state = 'held' and r.expires_at > wanted.now
  ) held on true`)

/** In the order of `wanted`. Run it under the orgs' locks where what it reads will be written back. */
export async function readTallies (session: Session, wanted: readonly WantedCounter[]): Promise<Tally[]> {
  if (wanted.length === 0) return []
  const [result] = await session.run([talliesStatement(wanted)])
  return await talliesFrom(session, wanted, result?.rows ?? [])
}

export function talliesStatement (wanted: readonly WantedCounter[]): Statement {
  return tallies({
    orgs: plainArray(wanted.map(({ key }) => key.org)),
    features: plainArray(wanted.map(({ key }) => key.feature)),
    starts: epochArray(wanted.map(({ key }) => key.start)),
    untils: epochArray(wanted.map(({ window: { end } }) => end === null ? null : end + AHEAD_MAX_MS)),
    nows: epochArray(wanted.map(({ now }) => now))
  })
}

type Row = [n: string, used: string | null, reserved: string | null, version: string | null, lastAt: string | null,
  reservedUntil: string | null, foldedUsed: string | null, foldedVersion: string, heldReserved: string, heldUntil: string | null]

export async function talliesFrom (
  session: Session, wanted: readonly WantedCounter[], rows: ReadonlyArray<readonly unknown[]>
): Promise<Tally[]> {
  const found = new Array<Tally>(wanted.length)
  for (const row of rows as unknown as Row[]) {
    const n = Number(row[0]) - 1
    const counter = wanted[n] as WantedCounter
    const tally = rowTally(row) ?? { ...await fold(session, counter, row), ...stillHeld(row) }
    found[n] = tally.reservedUntil !== null && tally.reservedUntil <= counter.now ? { ...tally, ...stillHeld(row) } : tally
  }
  return found
}

/** Which of them `talliesFrom` gives just as their rows are, neither folded nor added up anew: by `WantedCounter.text`. */
export function asStored (wanted: readonly WantedCounter[], rows: ReadonlyArray<readonly unknown[]>): Set<string> {
  const texts = new Set<string>()
  for (const [n, used, , , , reservedUntil] of rows as unknown as Row[]) {
    const { text, now } = wanted[Number(n) - 1] as WantedCounter
    if (used !== null && (reservedUntil === null || instantFrom(reservedUntil) > now)) texts.add(text)
  }
  return texts
}

function rowTally ([, used, reserved, version, lastAt, reservedUntil]: Row): Tally | undefined {
  if (used === null || reserved === null) return undefined
  return {
    used: amountFromNumeric(used),
    reserved: amountFromNumeric(reserved),
    version: Number(version),
    lastAt: lastAt === null ? null : instantFrom(lastAt),
    reservedUntil: reservedUntil === null ? null : instantFrom(reservedUntil)
  }
}

function stillHeld ([, , , , , , , , reserved, until]: Row): Pick<Tally, 'reserved' | 'reservedUntil'> {
  return { reserved: amountFromNumeric(reserved), reservedUntil: until === null ? null : instantFrom(until) }
}

/** Sums are added up by Postgres; only `last` needs more than a sum: which event it shows. */
async function fold (session: Session, { key, aggregate }: WantedCounter, [, , , , , , used, version]: Row): Promise<Counter> {
  if (Number(version) === 0) return EMPTY
  const plain = aggregate !== 'last' && aggregate !== 'perpetual'
  const counter = plain ? { ...EMPTY, used: amountFromNumeric(used as string) } : await foldWindow(session, key, aggregate)
  const left = await lastFigureOfPruned(session, key)
  return { ...counter, ...(left !== undefined && { used: left }), version: Number(version) }
}
