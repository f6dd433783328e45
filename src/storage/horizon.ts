import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { coalesce } from './coalesce.ts'
import type { Database, Statement } from './database.ts'

/** How long a reader waits for transactions that are about to end; most end within a few milliseconds. */
const PATIENCE_MS = 250
const POLL_MS = 10
const PROBE_LIMITS = { batchMax: 1_000, inFlightMax: 1, waitingMax: 20_000 }

/** How far the events of all orgs can be read in their order of arrival. */
export interface Horizon {
  /**
   * A number up to which every event is visible now or never will be: nobody who read that far can find another one
   * behind. Everything that was answered before the call lies within it, unless an older transaction stays open.
   * @param enough a caller that needs no more than this does not wait for more
   */
  read (enough: number): Promise<number>
}

/** All numbers up to `last` were taken by transactions that have ended, or by one of these. */
interface Candidate {
  readonly last: number
  readonly writers: readonly string[]
}

/**
 * An event's number is taken inside its transaction, and transactions end in another order than they took their
 * numbers. Whoever takes one holds the lock that every writer of a table holds until its end. So: first the last number
 * that was taken, and then, in a statement of its own, who holds that lock; once those have ended, no number up to that
 * one can turn up any more (docs/adr/0023).
 */
export function horizon (database: Database, patienceMs = PATIENCE_MS): Horizon {
  let confirmed = 0
  let candidate: Candidate | undefined
  let lastTaken: Statement | undefined

  const probe = coalesce<undefined, { confirmed: number, last: number }>(async callers => {
    lastTaken ??= await sequenceStatement(database)
    const last = Number((await ask(database, lastTaken))[0])
    // Somebody has put an older copy of the database in its place.
    if (last < confirmed) {
      confirmed = 0
      candidate = undefined
    }
    if (last > confirmed) await confirm(last)
    return callers.map(() => ({ confirmed, last }))
  }, PROBE_LIMITS)

  async function confirm (last: number): Promise<void> {
    const writers = await ask(database, WRITERS) as string[]
    if (candidate !== undefined && !candidate.writers.some(writer => writers.includes(writer))) {
      confirmed = candidate.last
      candidate = undefined
    }
    if (writers.length === 0) confirmed = last
    // One that is there stays: if each probe began anew, none would ever be confirmed under load.
    else candidate ??= { last, writers }
  }

  return {
    read: async enough => {
      const deadline = performance.now() + patienceMs
      const first = await probe(undefined)
      const wanted = Math.min(first.last, enough)
      let reached = first.confirmed
      while (reached < wanted && performance.now() < deadline) {
        await sleep(POLL_MS)
        reached = (await probe(undefined)).confirmed
      }
      return reached
    }
  }
}

const WRITERS: Statement = {
  text: `select virtualtransaction from pg_locks where granted and mode = 'RowExclusiveLock' and relation = 'events'::regclass
    and database = (select oid from pg_database where datname = current_database())`,
  params: [],
  hot: true
}

async function sequenceStatement (database: Database): Promise<Statement> {
  const [sequence] = await ask(database, { text: "select pg_get_serial_sequence('events', 'seq')", params: [] })
  return { text: `select case when is_called then last_value else last_value - 1 end from ${String(sequence)}`, params: [], hot: true }
}

/** The first column of each row. */
async function ask (database: Database, statement: Statement): Promise<unknown[]> {
  const [result] = await database.run([statement])
  return (result?.rows ?? []).map(([value]) => value)
}
