import { connect as dial, type Socket } from 'node:net'
import postgres from 'postgres'
import { CallTimeout, type Database, type Lane, type Result, type Session, type Statement, within } from './database.ts'
import { SESSION_SETTINGS, WAIT_SETTINGS } from './session-settings.ts'

const CONNECTIONS_MAX = 10
const CONNECT_TIMEOUT_SECONDS = 3
/** The server gives up first, at 5 s; this is for a server that does not answer at all. */
const CALL_TIMEOUT_MS = 6_000
/** By then a server has ended what took too long, and said so. */
const GRACE_MS = 1_000
const CLOSE_TIMEOUT_SECONDS = 5
/** One that died without a word, which nobody tells of, is not there to be met by the next caller after a pause. */
const IDLE_TIMEOUT_SECONDS = 15

const JSON_OIDS = [114, 3802]
const TEXT_OIDS = [1082, 1114, 1184]

/** @param url `postgres://user:password@host:port/database` */
export function postgresDatabase (url: string): Database {
  let pool = connect(url, CONNECTIONS_MAX)

  /**
   * A connection can die without a word, and who asks on it waits in vain; the others have then probably died as well. So
   * the first call that is not answered replaces them all: what is under way on them may still end.
   */
  async function onPool<T> (work: (used: postgres.Sql) => Promise<T>): Promise<T> {
    const used = pool
    try {
      return await work(used)
    } catch (error) {
      if (error instanceof CallTimeout && used === pool) {
        pool = connect(url, CONNECTIONS_MAX)
        used.end({ timeout: CLOSE_TIMEOUT_SECONDS }).catch(() => {})
      }
      throw error
    }
  }

  return {
    run: async statements => await onPool(async used => await session(used).run(statements)),
    transaction: async <T>(work: (session: Session) => Promise<T>, timeoutMs?: number) => await onPool(async used => {
      const callMs = timeoutMs === undefined ? CALL_TIMEOUT_MS : timeoutMs + GRACE_MS
      const transaction = used.begin(async tx => {
        const own = session(tx, callMs)
        if (timeoutMs !== undefined) await own.run(patienceOf(timeoutMs))
        return await work(own)
      }) as Promise<T>
      return await within(callMs * 2, transaction)
    }),
    lane: () => lane(connect(url, 1)),
    ping: async () => {
      const own = lane(connect(url, 1))
      await own.run([{ text: 'select 1', params: [] }]).finally(() => { void own.close() })
    },
    close: async () => await pool.end({ timeout: CLOSE_TIMEOUT_SECONDS })
  }
}

/** For the rest of a transaction. */
function patienceOf (timeoutMs: number): Statement[] {
  return ['statement_timeout', 'lock_timeout'].map(name => ({ text: `set local ${name} = ${timeoutMs}`, params: [] }))
}

function connect (url: string, connectionsMax: number): postgres.Sql {
  const client = postgres(url, {
    max: connectionsMax,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    max_lifetime: null,
    idle_timeout: IDLE_TIMEOUT_SECONDS,
    fetch_types: false,
    onnotice: () => {},
    // Retry at once: whoever asks has a deadline of its own.
    backoff: () => 0.1,
    socket,
    connection: { ...SESSION_SETTINGS, ...WAIT_SETTINGS, application_name: 'tollgate' } as Record<string, string>
  } as postgres.Options<Record<string, never>>)
  // Columns are mapped by drizzle's tables, which expect Postgres's text; values come to us as text already.
  for (const oid of TEXT_OIDS) client.options.parsers[oid] = (text: string) => text
  for (const oid of [...TEXT_OIDS, ...JSON_OIDS]) client.options.serializers[oid] = (text: string) => text
  return client
}

interface Address { readonly host: readonly string[], readonly port: readonly number[], readonly path: string | false }

/**
 * postgres.js dials again, at once and for ever, where a connection ends before the server has said anything, as it does
 * behind a proxy whose server is stopped: hundreds of times a second. Here that is a failure as any other.
 */
function socket ({ host: [host], port: [port], path }: Address): Socket {
  const dialled = dial(path !== false ? { path } : { host: host as string, port: port as number })
  dialled.once('end', () => {
    if (dialled.bytesRead === 0) dialled.destroy(new Error('the connection ended before the server said anything'))
  })
  // The name that a certificate is for.
  return Object.assign(dialled, { host })
}

function session (client: postgres.ISql, timeoutMs = CALL_TIMEOUT_MS): Session {
  return {
    run: async statements => await within(timeoutMs, Promise.all(statements.map(async it => await one(client, it))))
  }
}

async function one (client: postgres.ISql, { text, params, hot = false }: Statement): Promise<Result> {
  const rows = await client.unsafe(text, [...params] as never[], { prepare: hot }).values()
  return { columns: rows.columns?.map(column => column.name) ?? [], rows }
}

/** One connection, on which postgres.js pipelines what is sent without waiting. */
function lane (client: postgres.Sql): Lane {
  return { ...session(client), close: async () => await client.end({ timeout: 0 }) }
}
