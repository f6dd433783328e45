import postgres from 'postgres'
import { type Database, type Lane, type Result, type Session, type Statement, within } from './database.ts'
import { SESSION_SETTINGS } from './session-settings.ts'

const CONNECTIONS_MAX = 10
const CONNECT_TIMEOUT_SECONDS = 3
/** The server gives up first, at 5 s; this is for a server that does not answer at all. */
const CALL_TIMEOUT_MS = 6_000
const CLOSE_TIMEOUT_SECONDS = 5

const JSON_OIDS = [114, 3802]
const TEXT_OIDS = [1082, 1114, 1184]

/** @param url `postgres://user:password@host:port/database` */
export function postgresDatabase (url: string): Database {
  const pool = connect(url, CONNECTIONS_MAX)
  return {
    run: async statements => await session(pool).run(statements),
    transaction: async <T>(work: (session: Session) => Promise<T>, timeoutMs = CALL_TIMEOUT_MS) => {
      const transaction = pool.begin(async tx => await work(session(tx, timeoutMs))) as Promise<T>
      return await within(timeoutMs * 2, transaction)
    },
    lane: () => lane(connect(url, 1)),
    ping: async () => {
      const own = lane(connect(url, 1))
      await own.run([{ text: 'select 1', params: [] }]).finally(() => { void own.close() })
    },
    close: async () => await pool.end({ timeout: CLOSE_TIMEOUT_SECONDS })
  }
}

function connect (url: string, connectionsMax: number): postgres.Sql {
  const client = postgres(url, {
    max: connectionsMax,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    max_lifetime: null,
    fetch_types: false,
    onnotice: () => {},
    // Retry at once: whoever asks has a deadline of its own.
    backoff: () => 0.1,
    connection: { ...SESSION_SETTINGS, application_name: 'tollgate' } as Record<string, string>
  })
  // Columns are mapped by drizzle's tables, which expect Postgres's text; values come to us as text already.
  for (const oid of TEXT_OIDS) client.options.parsers[oid] = (text: string) => text
  for (const oid of [...TEXT_OIDS, ...JSON_OIDS]) client.options.serializers[oid] = (text: string) => text
  return client
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
