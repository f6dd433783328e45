import { setTimeout as sleep } from 'node:timers/promises'
import { type Database, sqlState, within } from './database.ts'

/** What takes longer makes us ask whether the ledger is there at all. */
const PATIENCE_MS = 500
/** Then it has this long to say anything. */
const PROBE_TIMEOUT_MS = 1_500
const RECOVERY_DELAY_MS = 500

/** Thrown in place of an answer: the ledger says nothing, and whoever asks need not wait to find that out. */
export class LedgerSilent extends Error {
  override readonly name = 'LedgerSilent'
  constructor () { super('the ledger does not answer') }
}

/**
 * A database whose callers are not held by one that has frozen: within two seconds all that wait for statements
 * outside of transactions are refused, and then everybody at once, until it answers again. A statement that takes long is no
 * sign of that: so long as the database answers somebody else meanwhile, it may take what the database itself allows.
 */
export function watched (database: Database): Database {
  const waiting = new Set<(silent: LedgerSilent) => void>()
  let probing: Promise<boolean> | undefined
  let silent = false
  const closing = new AbortController()

  /** One question at a time, whoever wants to know. */
  async function answers (): Promise<boolean> {
    probing ??= within(PROBE_TIMEOUT_MS, database.ping()).then(() => true, isAnswer).finally(() => { probing = undefined })
    return await probing
  }

  async function untilItAnswers (): Promise<void> {
    silent = true
    for (const refuse of waiting) refuse(new LedgerSilent())
    waiting.clear()
    while (!closing.signal.aborted && !await answers()) await sleep(RECOVERY_DELAY_MS, undefined, { ref: false })
    silent = false
  }

  async function attended<T> (answer: Promise<T>): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      let timer: NodeJS.Timeout
      const watch = (): void => { timer = setTimeout(() => { void doubt() }, PATIENCE_MS) }
      const doubt = async (): Promise<void> => {
        const answering = !waiting.has(reject) || await answers()
        if (!waiting.has(reject)) return
        if (answering) watch()
        else if (!silent) await untilItAnswers()
      }
      waiting.add(reject)
      watch()
      answer.then(resolve, reject).finally(() => {
        waiting.delete(reject)
        clearTimeout(timer)
      })
    })
  }

  function checkSilence (): void {
    if (silent) throw new LedgerSilent()
  }

  return {
    ...database,
    run: async statements => {
      checkSilence()
      return await attended(database.run(statements))
    },
    transaction: async (work, timeoutMs) => {
      checkSilence()
      return await database.transaction(work, timeoutMs)
    },
    close: async () => {
      closing.abort()
      await database.close()
    }
  }
}

/** A server that refuses us is there; one that is starting or ending (57P) is not yet, or no longer. */
function isAnswer (error: unknown): boolean {
  const state = sqlState(error)
  return state !== undefined && !state.startsWith('57P')
}
