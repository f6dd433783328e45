import type { Database } from '../../src/storage/database.ts'
import { pgliteDatabase } from '../../src/storage/pglite.ts'
import { postgresDatabase } from '../../src/storage/postgres.ts'
import { folderOf } from '../e2e/embedded.ts'
import type { Scope } from '../fixtures/guard.ts'
import { copyBareLedger, copyEmptyLedger, freshLedger } from '../fixtures/ledger-template.ts'
import { freshDatabase, postgresMissing } from '../fixtures/postgres.ts'

export interface DatabaseKind {
  readonly name: string
  /** For tap's `skip`. */
  readonly missing: string | false
  /** That of a new ledger, closed and removed with the test. */
  open (t: Scope): Promise<Database>
  /** One that has no tables. */
  openBare (t: Scope): Promise<Database>
}

/** Every implementation of the port. */
export const databaseKinds: readonly DatabaseKind[] = [
  {
    name: 'PGlite',
    missing: false,
    open: async t => await openPglite(t, copyEmptyLedger),
    openBare: async t => await openPglite(t, copyBareLedger)
  },
  {
    name: 'Postgres',
    missing: postgresMissing,
    open: async t => openPostgres(t, await freshLedger(t)),
    openBare: async t => openPostgres(t, await freshDatabase(t))
  }
]

async function openPglite (t: Scope, copy: (folder: string) => Promise<void>): Promise<Database> {
  const folder = folderOf(t)
  await copy(folder)
  const database = await pgliteDatabase(folder)
  t.teardown(async () => await database.close())
  return database
}

export function openPostgres (t: Scope, url: string): Database {
  const database = postgresDatabase(url)
  t.teardown(async () => await database.close())
  return database
}
