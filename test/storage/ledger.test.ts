import { test } from 'tap'
import { databaseKinds } from './databases.ts'
import { aheadContract } from './ledger-ahead-contract.ts'
import { foldContract } from './ledger-fold-contract.ts'
import { ledgerContract } from './ledger-contract.ts'
import { openLedger } from './ledger-fixture.ts'
import { queueContract } from './ledger-queue-contract.ts'

for (const { name, missing, open } of databaseKinds) {
  test(`the ledger on ${name}`, { skip: missing }, async t => {
    const database = await open(t)
    const given = { database, stores: (await openLedger(t, { database })).stores }
    await ledgerContract(t, given)
    await t.test('counters', async t => await foldContract(t, given))
    await t.test('going ahead', async t => await aheadContract(t, given))
    await t.test('the queue', async t => await queueContract(t, given))
  })
}
