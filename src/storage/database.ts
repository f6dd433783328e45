import type { SQL } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import { drizzle, type PgRemoteDatabase } from 'drizzle-orm/pg-proxy'

/** One SQL statement; parameters are text, numbers, booleans or null, arrays are Postgres array literals. */
export interface Statement {
  readonly text: string
  readonly params: readonly unknown[]
  /** Sent often, with this very text: worth keeping parsed and planned on each connection. */
  readonly hot?: boolean
}

export const BEGIN: Statement = { text: 'begin', params: [] }
export const COMMIT: Statement = { text: 'commit', params: [] }
export const ROLLBACK: Statement = { text: 'rollback', params: [] }

/** Rows in column order. `int4` is a number, `bool` a boolean, `json` parsed; everything else is Postgres's text. */
export interface Result {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
}

export interface Session {
  /**
   * Sends all statements at once: one round trip. Within a transaction or on a lane they run in order, and the first
   * failure is the one it rejects with; elsewhere in any order, each on its own.
   */
  run (statements: readonly Statement[]): Promise<Result[]>
}

/**
 * A connection of its own, for the ledger's pipelined transactions. Any failure other than a statement's own error
 * makes it unusable; the owner then drops it and takes another.
 */
export interface Lane extends Session {
  /** One statement, which is a transaction by itself. */
  alone (statement: Statement): Promise<Result>
  close (): Promise<void>
}

/** The port behind which postgres.js and PGlite are the same: the same statements, the same rows. */
export interface Database extends Session {
  /** @param timeoutMs how long one call in it may take, where that is longer than usual */
  transaction <T> (work: (session: Session) => Promise<T>, timeoutMs?: number): Promise<T>
  lane (): Lane
  /** Resolves if anybody is there to answer, however busy: it waits for nobody else's statement. */
  ping (): Promise<void>
  /**
   * Ends transactions of Tollgate, of any process, whose process was not heard of for 5 seconds: nobody else can have their locks.
   * @returns how many; 0 of the embedded ledger, where there is no other process
   */
  endAbandoned (): Promise<number>
  close (): Promise<void>
}

/**
 * On a connection that nobody else uses meanwhile. A statement that failed fails it, also where the work went on, as nothing of it
 * is kept then.
 * @param first said before the work begins
 */
export async function inTransaction<T> (
  session: Session, work: (session: Session) => Promise<T>, first: readonly Statement[] = []
): Promise<T> {
  let failure: { readonly error: unknown } | undefined
  const run: Session['run'] = async statements => {
    try {
      return await session.run(statements)
    } catch (error) {
      failure ??= { error }
      throw error
    }
  }
  await session.run([BEGIN, ...first])
  try {
    const value = await work({ run })
    if (failure !== undefined) throw failure.error
    await session.run([COMMIT])
    return value
  } catch (error) {
    // Where there is no connection any more there is nothing to roll back.
    await session.run([ROLLBACK]).catch(() => {})
    throw error
  }
}

export type Orm = PgRemoteDatabase<Record<string, never>>

/** drizzle over any session. Its driver-neutral proxy is used so that one query builder serves both drivers. */
export function orm (session: Session): Orm {
  return drizzle(async (text, params, method) => {
    const [result] = await session.run([{ text, params }])
    if (result === undefined) return { rows: [] }
    return { rows: method === 'execute' ? result.rows.map(row => named(result.columns, row)) : result.rows as unknown[][] }
  })
}

function named (columns: readonly string[], row: readonly unknown[]): Record<string, unknown> {
  return Object.fromEntries(columns.map((column, i) => [column, row[i]]))
}

const dialect = new PgDialect()

/** Compiles a statement once; `sql.placeholder(name)` marks what `bind` fills in on every run. */
export function prepare<Names extends string> (query: SQL): (values: Readonly<Record<Names, unknown>>) => Statement {
  const { sql: text, params } = dialect.sqlToQuery(query)
  const names = params.map(param => {
    if (typeof param === 'object' && param !== null && 'name' in param) return param.name as Names
    throw new Error(`a prepared statement takes placeholders only: ${text}`)
  })
  return values => ({ text, params: names.map(name => values[name]), hot: true })
}

/**
 * Did the statement itself fail, or the connection? Classes 08 and 57P are a statement's failure in form only: the
 * server is closing the connection.
 */
export function isStatementError (error: unknown): boolean {
  const failure = serverFailure(error)
  return failure !== undefined && failure.severity === 'ERROR' && !/^(08|57P)/.test(failure.code)
}

/** The five characters of a server's error, also of one that drizzle has wrapped. */
export function sqlState (error: unknown): string | undefined {
  return serverFailure(error)?.code
}

function serverFailure (error: unknown): { code: string, severity: unknown } | undefined {
  let cause: unknown = error
  for (let depth = 0; depth < 4 && typeof cause === 'object' && cause !== null; depth += 1) {
    const { code, severity } = cause as { code?: unknown, severity?: unknown }
    if (typeof code === 'string' && severity !== undefined) return { code, severity }
    cause = (cause as { cause?: unknown }).cause
  }
  return undefined
}

/** Thrown in place of an answer that did not come in time; the connection it was asked on is given up. */
export class CallTimeout extends Error {
  override readonly name = 'CallTimeout'
}

/**
 * Settles with `promise`, or rejects after `timeoutMs`: a store that is frozen must not hold its callers. Node runs timers before
 * it reads sockets: after a pause of this process an answer may be there already, so they are read once more.
 */
export async function within<T> (timeoutMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => setImmediate(() => reject(new CallTimeout(`no answer within ${timeoutMs} ms`))), timeoutMs)
  })
  try {
    return await Promise.race([promise, expired])
  } finally {
    clearTimeout(timer)
  }
}
