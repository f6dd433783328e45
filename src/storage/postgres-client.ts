import { connect as dial, type Socket } from 'node:net'
import postgres from 'postgres'
import { type Result, type Session, type Statement, within } from './database.ts'
import { SESSION_SETTINGS, WAIT_SETTINGS } from './session-settings.ts'

/** By it Tollgate's sessions are told from others. */
export const APPLICATION_NAME = 'tollgate'
const CONNECT_TIMEOUT_SECONDS = 3
/** The server gives up first, at 5 s; this is for a server that does not answer at all. */
export const CALL_TIMEOUT_MS = 6_000
export const CLOSE_TIMEOUT_SECONDS = 5
/** One that died without a word, which nobody tells of, is not there to be met by the next caller after a pause. */
const IDLE_TIMEOUT_SECONDS = 15

const JSON_OIDS = [114, 3802]
const TEXT_OIDS = [1082, 1114, 1184]

/** @param onClose told whenever one of its connections is no more */
export function connect (url: string, connectionsMax: number, onClose: () => void = () => {}): postgres.Sql {
  const client = postgres(url, {
    max: connectionsMax,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    max_lifetime: null,
    idle_timeout: IDLE_TIMEOUT_SECONDS,
    fetch_types: false,
    onnotice: () => {},
    onclose: onClose,
    // Retry at once: whoever asks has a deadline of its own.
    backoff: () => 0.1,
    socket,
    connection: { ...SESSION_SETTINGS, ...WAIT_SETTINGS, application_name: APPLICATION_NAME } as Record<string, string>
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
  // Else what follows a long statement, as its COMMIT does, waits here until the server has answered or confirmed that: a round trip more.
  const dialled = dial(path !== false ? { path } : { host: host as string, port: port as number, noDelay: true })
  dialled.once('end', () => {
    if (dialled.bytesRead === 0) dialled.destroy(new Error('the connection ended before the server said anything'))
  })
  // The name that a certificate is for.
  return Object.assign(dialled, { host })
}

export function session (client: postgres.ISql, timeoutMs = CALL_TIMEOUT_MS): Session {
  return {
    run: async statements => await within(timeoutMs, Promise.all(statements.map(async it => await one(client, it))))
  }
}

async function one (client: postgres.ISql, { text, params, hot = false }: Statement): Promise<Result> {
  const rows = await client.unsafe(text, [...params] as never[], { prepare: hot }).values()
  return { columns: rows.columns?.map(column => column.name) ?? [], rows }
}
