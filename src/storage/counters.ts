import { sql } from 'drizzle-orm'
import { amountFromNumeric } from '../domain/amount.ts'
import { apply, type Counter, EMPTY } from '../domain/counter.ts'
import type { Aggregate } from '../domain/entitlement.ts'
import { AHEAD_MAX_MS } from '../domain/time.ts'
import type { Window } from '../domain/window.ts'
import { instantArray, plainArray } from './arrays.ts'
import { prepare, type Session } from './database.ts'
import type { CounterKey, Tally } from './mirror.ts'
import { instantFrom } from './schema.ts'

const FOLD_PAGE_EVENTS = 1_000

/** A counter that is asked for, with what is needed to fold it from its events if its row is missing. */
export interface WantedCounter {
  readonly key: CounterKey
  /** Equal for equal keys, for use in maps. */
  readonly text: string
  readonly window: Window
  readonly aggregate: Aggregate
}

export function wantedCounter (org: number, feature: number, window: Window, aggregate: Aggregate): WantedCounter {
  const { start } = window
  return { key: { org, feature, start }, text: `${org}:${feature}:${start}`, window, aggregate }
}

/**
 * A counter's row or, where there is none, the fold of its window's events: deltas add up to `used` for every
 * aggregate, and each event raised the version by one. An event may be ahead of the clock, so one that was counted before
 * its window was cut short may lie a little past the window's end: by no more than `at` may be ahead.
 */
const tallies = prepare<'orgs' | 'features' | 'starts' | 'untils'>(sql`
  select wanted.n, c.used, c.reserved, c.version, c.last_at, c.reserved_until, folded.used, folded.version
  from unnest(${sql.placeholder('orgs')}::int[], ${sql.placeholder('features')}::int[],
    ${sql.placeholder('starts')}::timestamptz[], ${sql.placeholder('untils')}::timestamptz[])
    with ordinality as wanted (org, feature, window_start, until, n)
  left join counters c
    on c.org = wanted.org and c.feature = wanted.feature and c.window_start = wanted.window_start
  left join lateral (
    select sum(e.delta) as used, count(*) as version from events e
    where c.org is null and e.org = wanted.org and e.feature = wanted.feature
      and e.window_start = wanted.window_start and e.at >= wanted.window_start
      and e.at < coalesce(wanted.until, 'infinity')
  ) folded on true`)

const page = prepare<'org' | 'feature' | 'start' | 'after' | 'count'>(sql`
  select seq, mode, amount, at from events
  where org = ${sql.placeholder('org')} and feature = ${sql.placeholder('feature')}
    and window_start = ${sql.placeholder('start')}::timestamptz and at >= ${sql.placeholder('start')}::timestamptz
    and seq > ${sql.placeholder('after')}
  order by seq limit ${sql.placeholder('count')}`)

/** In the order of `wanted`. Run it under the orgs' locks where what it reads will be written back. */
export async function readTallies (session: Session, wanted: readonly WantedCounter[]): Promise<Tally[]> {
  if (wanted.length === 0) return []
  const [result] = await session.run([talliesStatement(wanted)])
  return await talliesFrom(session, wanted, result?.rows ?? [])
}

export function talliesStatement (wanted: readonly WantedCounter[]): ReturnType<typeof tallies> {
  return tallies({
    orgs: plainArray(wanted.map(({ key }) => key.org)),
    features: plainArray(wanted.map(({ key }) => key.feature)),
    starts: instantArray(wanted.map(({ key }) => key.start)),
    untils: instantArray(wanted.map(({ window: { end } }) => end === null ? null : end + AHEAD_MAX_MS))
  })
}

type Row = [string, string | null, string | null, string | null, string | null, string | null, string | null, string]

export async function talliesFrom (
  session: Session, wanted: readonly WantedCounter[], rows: ReadonlyArray<readonly unknown[]>
): Promise<Tally[]> {
  const found = new Array<Tally>(wanted.length)
  for (const row of rows as unknown as Row[]) {
    const n = Number(row[0]) - 1
    found[n] = rowTally(row) ?? await fold(session, wanted[n] as WantedCounter, row)
  }
  return found
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

/** Sums are added up by Postgres; only `last` needs more than a sum: which event it shows. */
async function fold (session: Session, { key, aggregate }: WantedCounter, [, , , , , , used, version]: Row): Promise<Tally> {
  if (Number(version) === 0) return { ...EMPTY, reservedUntil: null }
  const plain = aggregate !== 'last' && aggregate !== 'perpetual'
  const counter = plain
    ? { ...EMPTY, used: amountFromNumeric(used as string), version: Number(version) }
    : await foldByPages(session, key, aggregate)
  return { ...counter, reservedUntil: null }
}

async function foldByPages (session: Session, { org, feature, start }: CounterKey, aggregate: Aggregate): Promise<Counter> {
  let counter: Counter = EMPTY
  let after = '0'
  for (;;) {
    const [result] = await session.run([page({
      org, feature, start: new Date(start).toISOString(), after, count: FOLD_PAGE_EVENTS
    })])
    const rows = (result?.rows ?? []) as unknown as Array<[string, 'add' | 'set', string, string]>
    for (const [seq, mode, amount, at] of rows) {
      counter = apply(counter, aggregate, { mode, amount: amountFromNumeric(amount), at: instantFrom(at) }).counter
      after = seq
    }
    if (rows.length < FOLD_PAGE_EVENTS) return counter
  }
}
