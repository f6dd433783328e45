import { TollgateError } from '../errors.ts'
import { CallTimeout, inTransaction, isStatementError, type Session, type Statement, within } from './database.ts'
import { CALL_TIMEOUT_MS, CLOSE_TIMEOUT_SECONDS, connect, session } from './postgres-client.ts'

const CONNECTIONS_MAX = 4
const WAITING_MAX = 1_000
/** By then a server has ended what took too long, and said so. */
const GRACE_MS = 1_000

export interface Transactions {
  run <T> (work: (session: Session) => Promise<T>, timeoutMs?: number): Promise<T>
  close (): Promise<void>
}

/**
 * Transactions, each on a connection that is its own for as long as it takes. postgres.js has a way of its own, `begin`, by which 3.4.9
 * ends the process where a connection is lost within one (porsager/postgres#1208).
 */
export function postgresTransactions (url: string): Transactions {
  const all = new Set<OwnConnection>()
  const free: OwnConnection[] = []
  const waiting: Array<() => void> = []
  let taken = 0

  async function enter (): Promise<void> {
    if (taken < CONNECTIONS_MAX) {
      taken += 1
      return
    }
    if (waiting.length >= WAITING_MAX) {
      throw new TollgateError('overloaded', 'too many changes are waiting for the ledger', { retryAfterSeconds: 1 })
    }
    await new Promise<void>(resolve => waiting.push(resolve))
  }

  function leave (own: OwnConnection | undefined): void {
    if (own !== undefined && own.isUsable()) {
      free.push(own)
    } else if (own !== undefined) {
      all.delete(own)
      own.end(0).catch(() => {})
    }
    const next = waiting.shift()
    if (next === undefined) taken -= 1
    else next()
  }

  return {
    run: async (work, timeoutMs) => {
      const callMs = timeoutMs === undefined ? CALL_TIMEOUT_MS : timeoutMs + GRACE_MS
      let givenUp = false

      async function inTurn () {
        let own: OwnConnection | undefined
        await enter()
        try {
          // Whoever asked has been told that it did not happen.
          if (givenUp) throw new CallTimeout('nobody waits for it any more')
          own = free.pop() ?? ownConnection(url)
          all.add(own)
          return await inTransaction(own.open(callMs), work, timeoutMs === undefined ? [] : patienceOf(timeoutMs))
        } finally {
          leave(own)
        }
      }

      return await within(callMs * 2, inTurn()).finally(() => { givenUp = true })
    },
    close: async () => { await Promise.all([...all].map(async own => await own.end(CLOSE_TIMEOUT_SECONDS))) }
  }
}

interface OwnConnection {
  /** For one transaction: once the connection is gone nothing is sent, as it would be on another one, outside of it. */
  open (callMs: number): Session
  isUsable (): boolean
  end (timeoutSeconds: number): Promise<void>
}

function ownConnection (url: string): OwnConnection {
  let closes = 0
  let isLost = false
  const client = connect(url, 1, () => { closes += 1 })
  return {
    open: callMs => {
      const { run } = session(client, callMs)
      let closesBefore: number | undefined
      return {
        run: async statements => {
          isLost ||= closesBefore !== undefined && closes !== closesBefore
          // That alone rolls it back: nobody waits for a rollback to be answered.
          if (isLost) throw new Error('the connection was lost within a transaction')
          try {
            const results = await run(statements)
            closesBefore ??= closes
            return results
          } catch (error) {
            if (!isStatementError(error)) isLost = true
            throw error
          }
        }
      }
    },
    isUsable: () => !isLost,
    end: async timeout => await client.end({ timeout })
  }
}

/** For the rest of a transaction. */
function patienceOf (timeoutMs: number): Statement[] {
  return ['statement_timeout', 'lock_timeout'].map(name => ({ text: `set local ${name} = ${timeoutMs}`, params: [] }))
}
