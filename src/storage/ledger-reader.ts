import { sql } from 'drizzle-orm'
import { makePgArray } from 'drizzle-orm/pg-core'
import type { Instant } from '../domain/entitlement.ts'
import type { Tally } from '../domain/reservation.ts'
import { TollgateError } from '../errors.ts'
import { coalesce, split } from './coalesce.ts'
import { talliesFrom, talliesStatement, type WantedCounter } from './counters.ts'
import { type Database, isStatementError, prepare, sqlState } from './database.ts'
import { instantFrom } from './schema.ts'

const READ_LIMITS = { batchMax: 1_000, inFlightMax: 2, waitingMax: 20_000 }

export interface LedgerReading {
  /** undefined: there is no such org any more */
  readonly version: number | undefined
  readonly tallies: readonly Tally[]
  /** Taken before the ledger was asked. */
  readonly confirmedAt: Instant
}

export interface LedgerReader {
  /** One org's version and counters: one round trip for all callers that wait. @throws TollgateError `ledger_unavailable` */
  read (org: number, wanted: readonly WantedCounter[]): Promise<LedgerReading>
  /** Where each feature's first window with usage starts, by the feature's key. */
  earliestWindows (org: number, features: readonly number[]): Promise<ReadonlyMap<number, Instant>>
  ping (): Promise<void>
}

const versionsOf = prepare<'orgs'>(sql`
  select id, version from orgs where id = any(${sql.placeholder('orgs')}::int[]) and deleted_at is null`)

const earliest = prepare<'org' | 'features'>(sql`
  select wanted.feature, first.window_start from unnest(${sql.placeholder('features')}::int[]) as wanted (feature)
  cross join lateral (
    select window_start from counters c where c.org = ${sql.placeholder('org')} and c.feature = wanted.feature
    order by window_start limit 1
  ) first`)

interface Question {
  readonly org: number
  readonly wanted: readonly WantedCounter[]
}

export function ledgerReader (database: Database): LedgerReader {
  const read = coalesce<Question, LedgerReading>(async questions => {
    const confirmedAt = Date.now()
    const wanted = questions.flatMap(question => question.wanted)
    const [versions, counted] = await database.run([
      versionsOf({ orgs: makePgArray([...new Set(questions.map(({ org }) => org))]) }),
      ...(wanted.length === 0 ? [] : [talliesStatement(wanted)])
    ])
    const current = new Map(versions?.rows.map(([id, version]) => [id as number, Number(version)]))
    const tallies = await talliesFrom(database, wanted, counted?.rows ?? [])
    const perQuestion = split(tallies, questions.map(question => question.wanted.length))
    return questions.map(({ org }, i) => ({ version: current.get(org), tallies: perQuestion[i] ?? [], confirmedAt }))
  }, READ_LIMITS)

  return {
    read: async (org, wanted) => await available(read({ org, wanted })),
    earliestWindows: async (org, features) => {
      const [result] = await available(database.run([earliest({ org, features: makePgArray([...features]) })]))
      return new Map(result?.rows.map(([feature, start]) => [feature as number, instantFrom(start as string)]))
    },
    ping: async () => { await database.run([{ text: 'select 1', params: [] }]) }
  }
}

/** Locks and timeouts: a statement that failed for what it met, not for what it is. */
const PASSING = /^(40|55|57)/

/** Whatever keeps the ledger from answering, the caller hears one thing; a statement that is at fault itself is another. */
export async function available<T> (answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (cause) {
    if (cause instanceof TollgateError) throw cause
    if (isStatementError(cause) && !PASSING.test(sqlState(cause) ?? '')) throw new TollgateError('internal_error', undefined, { cause })
    throw new TollgateError('ledger_unavailable', 'the ledger cannot be reached', { cause, retryAfterSeconds: 1 })
  }
}
