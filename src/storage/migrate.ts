import { migrate } from 'drizzle-orm/pg-proxy/migrator'
import { fileURLToPath } from 'node:url'
import { type Database, orm, type Statement } from './database.ts'
import { ledger } from './schema.ts'

const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))
const MIGRATION_TIMEOUT_MS = 600_000
/** "TOLL": replicas that start together migrate one after the other. Held to the end of the transaction. */
const LOCK: Statement = { text: 'select pg_advisory_xact_lock(1414679628)', params: [] }

/**
 * Brings the tables up to date, in one transaction.
 * @returns the ledger's id and secret, which migrations made
 */
export async function migrateLedger (database: Database): Promise<{ readonly id: string, readonly secret: string }> {
  return await database.transaction(async session => {
    await session.run([LOCK])
    const db = orm(session)
    await migrate(db, async queries => {
      await session.run(queries.map(text => ({ text, params: [] })))
    }, { migrationsFolder: MIGRATIONS })
    const [row] = await db.select().from(ledger)
    if (row === undefined) throw new Error('the ledger has no id: its first migration did not finish')
    return row
  }, MIGRATION_TIMEOUT_MS)
}
