import { test } from 'tap'
import { migrateLedger } from '../../src/storage/migrate.ts'
import { freshDatabase, postgresMissing } from '../fixtures/postgres.ts'
import { databaseContract } from './database-contract.ts'
import { databaseKinds, openPostgres } from './databases.ts'

for (const { name, missing, openBare } of databaseKinds) {
  test(`the Database port on ${name}`, { skip: missing }, async t => await databaseContract(t, await openBare(t)))
}

test('replicas that start together on an empty Postgres agree on one ledger', { skip: postgresMissing }, async t => {
  const url = await freshDatabase(t)
  const replicas = [openPostgres(t, url), openPostgres(t, url), openPostgres(t, url)]
  const ledgers = await Promise.all(replicas.map(async replica => await migrateLedger(replica)))
  t.equal(new Set(ledgers.map(({ id }) => id)).size, 1)
  t.equal(new Set(ledgers.map(({ secret }) => secret)).size, 1)
})
