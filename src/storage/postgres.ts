import type postgres from 'postgres'
import { CallTimeout, type Database, type Lane, type Result, type Statement } from './database.ts'
import { APPLICATION_NAME, CLOSE_TIMEOUT_SECONDS, connect, session } from './postgres-client.ts'
import { postgresTransactions } from './postgres-transactions.ts'
import { WAIT_SETTINGS } from './session-settings.ts'

const CONNECTIONS_MAX = 6

/** What postgres.js and sockets say of a connection that has gone. */
const LOST = new Set(['CONNECTION_CLOSED', 'CONNECTION_DESTROYED', 'CONNECT_TIMEOUT', 'ECONNRESET', 'EPIPE'])

/** Longer than any statement of ours takes that answers with more than a connection takes at once. */
const UNREAD_SECONDS = 30

/**
 * A server whose client is gone waits for the rest of a statement, or for its answer to be read, and counts that neither as the
 * statement's time nor as an idle transaction's: of its settings only `transaction_timeout` would, which PostgreSQL 17 brought. Until TCP
 * gives up, after two hours or never, nobody else could have its locks. `docs/adr/0073-abandoned-transactions.md`
 */
const END_ABANDONED: Statement = {
  text: `select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = '${APPLICATION_NAME}' and usename = current_user and datname = current_database() and pid <> pg_backend_pid()
      and xact_start is not null and state_change < clock_timestamp() - case wait_event
        when 'ClientRead' then interval '${WAIT_SETTINGS.idle_in_transaction_session_timeout}'
        when 'ClientWrite' then interval '${UNREAD_SECONDS} s' end`,
  params: []
}

/** @param url `postgres://user:password@host:port/database` */
export function postgresDatabase (url: string): Database {
  let pool = connect(url, CONNECTIONS_MAX)
  const transactions = postgresTransactions(url)

  /**
   * A connection can die without a word, and who asks on it waits in vain; the others have then probably died as well. And one that is
   * lost while something is about to be written stays mute in postgres.js 3.4.9, also when it has connected anew. So the first call
   * that meets one replaces them all: what is under way on them may still end.
   */
  async function onPool<T> (work: (used: postgres.Sql) => Promise<T>): Promise<T> {
    const used = pool
    try {
      return await work(used)
    } catch (error) {
      if (used === pool && isLoss(error)) {
        pool = connect(url, CONNECTIONS_MAX)
        used.end({ timeout: CLOSE_TIMEOUT_SECONDS }).catch(() => {})
      }
      throw error
    }
  }

  const run: Database['run'] = async statements => await onPool(async used => await session(used).run(statements))

  return {
    run,
    transaction: transactions.run,
    lane: () => lane(connect(url, 1)),
    ping: async () => {
      const own = lane(connect(url, 1))
      await own.run([{ text: 'select 1', params: [] }]).finally(() => { void own.close() })
    },
    endAbandoned: async () => (await run([END_ABANDONED]))[0]?.rows.length ?? 0,
    close: async () => { await Promise.all([pool.end({ timeout: CLOSE_TIMEOUT_SECONDS }), transactions.close()]) }
  }
}

function isLoss (error: unknown): boolean {
  return error instanceof CallTimeout || (error instanceof Error && 'code' in error && LOST.has(String(error.code)))
}

/** One connection, on which postgres.js pipelines what is sent without waiting. */
function lane (client: postgres.Sql): Lane {
  const { run } = session(client)
  return {
    run,
    alone: async statement => (await run([statement]))[0] as Result,
    close: async () => await client.end({ timeout: 0 })
  }
}
