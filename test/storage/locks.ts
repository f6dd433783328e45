import postgres from 'postgres'
import type { Scope } from '../fixtures/guard.ts'
import { until } from './until.ts'

/** A connection of plain SQL beside the ledger's own: somebody else's, or what the ledger would be without its remedies. */
export interface Connection {
  /** Rows of one statement; `run` without waiting for it is a statement that may wait for a lock. */
  run (text: string): Promise<Array<Record<string, unknown>>>
  /** Resolves once it waits for somebody's lock. */
  blocked (): Promise<void>
}

/** @param settings of its session */
export async function connection (t: Scope, url: string, settings: Record<string, string> = {}): Promise<Connection> {
  const sql = postgres(url, { max: 1, onnotice: () => {}, connection: settings, fetch_types: false })
  const watch = postgres(url, { max: 1, onnotice: () => {}, fetch_types: false })
  t.teardown(async () => await Promise.all([sql.end({ timeout: 0 }), watch.end({ timeout: 0 })]))
  const [own] = await sql`select pg_backend_pid() as pid`
  return {
    run: async text => [...await sql.unsafe(text)],
    blocked: async () => await until('it waits for a lock', async () => {
      const [row] = await watch`select cardinality(pg_blocking_pids(${own?.pid as number}::int)) > 0 as waits`
      return row?.waits === true
    })
  }
}

/** Resolves once `count` sessions of the ledger wait for a lock. */
export async function ledgerBlocked (watch: Connection, count = 1): Promise<void> {
  await until('the ledger waits for a lock', async () => {
    const [row] = await watch.run(`select count(*)::int as waiting from pg_stat_activity where datname = current_database()
      and application_name = 'tollgate' and wait_event_type = 'Lock'`)
    return (row?.waiting as number) >= count
  })
}
