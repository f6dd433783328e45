import postgres from 'postgres'
import { pgliteDatabase } from '../../src/storage/pglite.ts'

/** Amounts are whole numbers of 10^-9, as the ledger has them; instants are milliseconds. */
export interface EventRow {
  readonly org: string
  readonly id: string
  readonly feature: string
  readonly at: number
  readonly windowStart: number
  readonly windowEnd: number | null
  readonly mode: string
  readonly amount: bigint
  readonly delta: bigint
  readonly usedAfter: bigint
  readonly limitAfter: bigint | null
  readonly reservedAfter: bigint
  /** The id of the event that it corrects. */
  readonly refersTo: string | null
}

export interface CounterRow {
  readonly org: string
  readonly feature: string
  readonly windowStart: number
  readonly windowEnd: number | null
  readonly used: bigint
  readonly version: number
}

export interface LedgerRows {
  /** In the order of `seq`. */
  readonly events: readonly EventRow[]
  readonly counters: readonly CounterRow[]
}

const EVENTS = `select orgs.name, e.id, features.name, ${ms('e.at')}, ${ms('e.window_start')}, ${ms('e.window_end')}, e.mode,
  e.amount::text, e.delta::text, e.used_after::text, e.limit_after::text,
  coalesce(e.reserved_after, 0)::text, e.refers_to from events e join orgs on orgs.id = e.org join features on features.id = e.feature order by e.seq`

const COUNTERS = `select orgs.name, features.name, ${ms('c.window_start')}, ${ms('c.window_end')}, c.used::text, c.version::text
  from counters c join orgs on orgs.id = c.org join features on features.id = c.feature`

function ms (column: string): string {
  return `(extract(epoch from ${column}) * 1000)::bigint::text`
}

type Query = (text: string) => Promise<ReadonlyArray<readonly unknown[]>>

async function rowsOf (query: Query): Promise<LedgerRows> {
  const events = await query(EVENTS) as ReadonlyArray<readonly string[]>
  const counters = await query(COUNTERS) as ReadonlyArray<readonly string[]>
  return { events: events.map(eventOf), counters: counters.map(counterOf) }
}

export async function rowsOfPostgres (url: string): Promise<LedgerRows> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await rowsOf(async text => await sql.unsafe(text).values())
  } finally {
    await sql.end()
  }
}

/** Of an embedded ledger whose process has ended. */
export async function rowsOfFolder (folder: string): Promise<LedgerRows> {
  const database = await pgliteDatabase(folder)
  try {
    return await rowsOf(async text => (await database.run([{ text, params: [] }]))[0]?.rows ?? [])
  } finally {
    await database.close()
  }
}

function eventOf (row: ReadonlyArray<string | null>): EventRow {
  const [org, id, feature, at, start, end, mode, amount, delta, usedAfter, limitAfter, reservedAfter, refersTo] = row as string[]
  return {
    org: org as string,
    id: id as string,
    feature: feature as string,
    at: Number(at),
    windowStart: Number(start),
    windowEnd: instantOf(end),
    mode: mode as string,
    amount: nanos(amount as string),
    delta: nanos(delta as string),
    usedAfter: nanos(usedAfter as string),
    limitAfter: limitAfter === null ? null : nanos(limitAfter as string),
    reservedAfter: nanos(reservedAfter as string),
    refersTo: refersTo as string | null
  }
}

function counterOf (row: ReadonlyArray<string | null>): CounterRow {
  const [org, feature, start, end, used, version] = row as string[]
  return {
    org: org as string,
    feature: feature as string,
    windowStart: Number(start),
    windowEnd: instantOf(end),
    used: nanos(used as string),
    version: Number(version)
  }
}

function instantOf (text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : Number(text)
}

/** A decimal text, as Postgres and as JSON have it, in units of 10^-9. */
export function nanos (text: string): bigint {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(text) ?? []
  if (whole === '') throw new Error(`${text} is not a plain decimal of at most 9 places`)
  const magnitude = BigInt(whole + fraction.padEnd(9, '0'))
  return sign === '-' ? -magnitude : magnitude
}
