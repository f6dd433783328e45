import type postgres from 'postgres'
import { CallTimeout, type Database, type Lane, type Result, type Session } from './database.ts'
import { abandonedTransactions } from './postgres-abandoned.ts'
import { CLOSE_TIMEOUT_SECONDS, connect, session } from './postgres-client.ts'
import { postgresTransactions } from './postgres-transactions.ts'

const CONNECTIONS_MAX = 6

/** What postgres.js and sockets say of a connection that has gone. */
const LOST = new Set(['CONNECTION_CLOSED', 'CONNECTION_DESTROYED', 'CONNECT_TIMEOUT', 'ECONNRESET', 'EPIPE'])

/**
 * @param url `postgres://user:password@host:port/database`
 * @param onAbandoned told how many transactions were ended that held locks and whose process was not heard of any more
 */
export function postgresDatabase (url: string, onAbandoned: (transactions: number) => void = () => {}): Database {
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

  const run: Session['run'] = async statements => await onPool(async used => await session(used).run(statements))
  const failed = abandonedTransactions({ run }, onAbandoned)

  async function heeded<T> (work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      failed(error)
      throw error
    }
  }

  return {
    run: async statements => await heeded(async () => await run(statements)),
    transaction: async (work, timeoutMs) => await heeded(async () => await transactions.run(work, timeoutMs)),
    lane: () => {
      const { run, alone, close } = lane(connect(url, 1))
      return {
        run: async statements => await heeded(async () => await run(statements)),
        alone: async statement => await heeded(async () => await alone(statement)),
        close
      }
    },
    ping: async () => {
      const own = lane(connect(url, 1))
      await own.run([{ text: 'select 1', params: [] }]).finally(() => { void own.close() })
    },
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
