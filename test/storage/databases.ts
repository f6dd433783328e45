import type { Database } from '../../src/storage/database.ts'
import { pgliteDatabase } from '../../src/storage/pglite.ts'
import { postgresDatabase } from '../../src/storage/postgres.ts'
import type { Scope } from '../fixtures/guard.ts'
import { freshDatabase, postgresMissing } from '../fixtures/postgres.ts'

/** What is needed of tap's `t` to open either. */
export interface DatabaseScope extends Scope {
  testdir: () => string
}

export interface DatabaseKind {
  readonly name: string
  /** For tap's `skip`. */
  readonly missing: string | false
  /** A new, empty one, closed and removed with the test. */
  open (t: DatabaseScope): Promise<Database>
}

/** Every implementation of the port. */
export const databaseKinds: readonly DatabaseKind[] = [
  {
    name: 'PGlite',
    missing: false,
    open: async t => {
      const database = await pgliteDatabase(t.testdir())
      t.teardown(async () => await database.close())
      return database
    }
  },
  {
    name: 'Postgres',
    missing: postgresMissing,
    open: async t => openPostgres(t, await freshDatabase(t))
  }
]

export function openPostgres (t: Scope, url: string): Database {
  const database = postgresDatabase(url)
  t.teardown(async () => await database.close())
  return database
}
