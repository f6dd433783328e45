import { test } from 'tap'
import { tidyReservations } from '../../src/background/reservations.ts'
import { amountOf } from '../../src/domain/amount.ts'
import type { Org } from '../../src/domain/org.ts'
import { databaseKinds } from '../storage/databases.ts'
import { ask, newOrg, openLedger, tallyOf } from '../storage/ledger-fixture.ts'

const DAY_MS = 24 * 3_600_000

for (const { name, missing, open } of databaseKinds) {
  test(`reservations in the background on ${name}`, { skip: missing }, async t => {
    const database = await open(t)
    const { stores } = await openLedger(t, { database })
    const start = Date.now()

    /** Until `days` after the start. */
    async function reserve (org: Org, id: string, days: number): Promise<void> {
      const fingerprint = '00000000-0000-0000-0000-000000000000'
      const op = { kind: 'hold' as const, org, feature: 'feature:calls', amount: amountOf(1), ttlMs: days * DAY_MS, at: start, fixedNow: start }
      await stores.ledger.append({ ...op, atIsNow: false, id, idGiven: true, fingerprint })
    }
    const ids = async (): Promise<unknown[]> => await ask(database, 'select id from reservations order by id')
    const clear = async (): Promise<unknown[]> => await ask(database, 'delete from reservations')

    await t.test('30 days after its expiry a reservation is gone, whatever became of it; until then it can be read', async t => {
      const org = await newOrg(stores)
      await reserve(org, 'one', 1)
      await reserve(org, 'six', 6)
      await ask(database, "update reservations set state = 'committed' where id = 'one'")
      await tidyReservations(stores, start + 31 * DAY_MS)
      t.strictSame(await ids(), ['one', 'six'])
      await tidyReservations(stores, start + 31 * DAY_MS + 1)
      t.strictSame(await ids(), ['six'])
      const before = await tallyOf(stores, org)
      await tidyReservations(stores, start + 36 * DAY_MS + 1)
      t.strictSame([await ids(), await tallyOf(stores, org)], [[], before], 'and what is used and reserved stays as it was')
    })

    await t.test('where time stands still nothing expires', async t => {
      await stores.environments.put({ name: 'frozen', defaultPlan: null, fixedNow: start })
      const org = await newOrg(stores)
      await reserve(org, 'standing', 1)
      await ask(database, "update orgs set environment = 'frozen' where id = $1::int", org.key)
      await tidyReservations(stores, start + 100 * DAY_MS)
      t.strictSame(await ids(), ['standing'])
      await clear()
    })

    await t.test('however many there are, they go, page by page', async t => {
      const org = await newOrg(stores)
      await reserve(org, 'many', 1)
      await ask(database, `insert into reservations select org, 'many-' || n, feature, at, window_start, window_end, amount, expires_at, state, used,
        reserved, "limit", fingerprint from reservations, generate_series(1, 2500) n where id = 'many'`)
      t.equal(await stores.reservations.tidy(start + 2 * DAY_MS), true, 'there is more after the first page')
      t.equal((await ids()).length, 1_501)
      const stopped = new AbortController()
      stopped.abort()
      await tidyReservations(stores, start + 40 * DAY_MS, stopped.signal)
      t.equal((await ids()).length, 1_501, 'a service that stops does not begin another')
      await Promise.all([tidyReservations(stores, start + 40 * DAY_MS), tidyReservations(stores, start + 40 * DAY_MS)])
      t.strictSame(await ids(), [])
    })
  })
}
