import type { Test } from 'tap'
import { amountOf } from '../../src/domain/amount.ts'
import type { Given } from './ledger-contract.ts'
import { ask, newOrg, NOON, openLedger, opOf, tallyOf, unequalCounters, usedOf } from './ledger-fixture.ts'

const PAGED = 1_100

/** A counter is derived: its row may go at any moment, and comes back from its events. */
export async function foldContract (t: Test, { database, stores }: Given): Promise<void> {
  const forget = async (org: number) => await ask(database, 'delete from counters where org = $1::int', org)

  await t.test('a sum whose row is gone reads the same, and the next report goes on from it', async t => {
    const org = await newOrg(stores)
    for (const n of [5, -20, 4, 8]) await stores.ledger.append(opOf(org, n))
    const before = await tallyOf(stores, org)
    await forget(org.key)
    const { used, version } = await tallyOf(stores, org)
    t.strictSame({ used, version }, { used: before.used, version: before.version })
    t.equal((await stores.ledger.append(opOf(org, 1))).usedAfter, amountOf(13))
    t.strictSame(await ask(database, 'select used, version from counters where org = $1::int', org.key), [['13.000000000', '5']])
    t.strictSame(await unequalCounters(database, org), [])
  })

  for (const [feature, amount, after] of [['feature:visits', 1, 4], ['feature:seats', 2, 9]] as const) {
    await t.test(`${feature} comes back from its events`, async t => {
      const org = await newOrg(stores)
      for (const n of [5, 9, 4]) await stores.ledger.append(opOf(org, n, { feature }))
      await forget(org.key)
      t.equal((await stores.ledger.append(opOf(org, amount, { feature }))).usedAfter, amountOf(after))
      t.strictSame(await unequalCounters(database, org), [])
    })
  }

  await t.test('a last comes back with the instant that decides it', async t => {
    const org = await newOrg(stores)
    const feature = 'feature:storage'
    const append = async (n: number, at: number) => await stores.ledger.append(opOf(org, n, { feature, at }))
    await append(5, NOON)
    await append(7, NOON + 2_000)
    await append(6, NOON + 1_000)
    const before = await tallyOf(stores, org, feature)
    await forget(org.key)
    t.strictSame(await tallyOf(stores, org, feature), before)
    t.strictSame([before.used, before.lastAt], [amountOf(7), NOON + 2_000])
    t.equal((await append(8, NOON + 1_999)).usedAfter, amountOf(7), 'an earlier instant changes nothing')
    t.equal((await append(9, NOON + 2_000)).usedAfter, amountOf(9), 'an equal one that arrives later does')
    t.strictSame(await ask(database, 'select last_at, version from counters where org = $1::int', org.key),
      [['2024-03-01 12:00:02+00', '5']])
  })

  await t.test('a set decides a last whatever its instant, after a fold too', async t => {
    const org = await newOrg(stores)
    const feature = 'feature:storage'
    await stores.ledger.append(opOf(org, 7, { feature, at: NOON + 2_000 }))
    await stores.ledger.append(opOf(org, 3, { feature, at: NOON, mode: 'set' }))
    const before = await tallyOf(stores, org, feature)
    await forget(org.key)
    t.strictSame(await tallyOf(stores, org, feature), before)
    t.strictSame([before.used, before.lastAt], [amountOf(3), NOON])
  })

  await t.test(`a last of ${PAGED} events comes back, page by page`, async t => {
    const org = await newOrg(stores)
    const feature = 'feature:storage'
    // The latest instant arrives in the middle of the first page, so neither the last event nor the last page decides.
    const instantOf = (i: number) => i === 500 ? NOON + PAGED : NOON + i
    const ops = Array.from({ length: PAGED }, (_, i) => opOf(org, i, { feature, at: instantOf(i) }))
    await Promise.all(ops.map(async op => await stores.ledger.append(op)))
    const before = await tallyOf(stores, org, feature)
    t.strictSame([before.used, before.lastAt, before.version], [amountOf(500), NOON + PAGED, PAGED])
    await forget(org.key)
    t.strictSame(await tallyOf(stores, org, feature), before)
    t.equal((await stores.ledger.append(opOf(org, 9_999, { feature, at: NOON + PAGED }))).usedAfter, amountOf(9_999))
    t.strictSame(await unequalCounters(database, org), [])
  })

  await t.test('a counter that is folded while two replicas count on loses nothing', async t => {
    const org = await newOrg(stores)
    const replica = (await openLedger(t, { database })).stores
    await Promise.all(Array.from({ length: 60 }, async (_, i) => {
      await (i % 2 === 0 ? stores : replica).ledger.append(opOf(org, 1))
      if (i % 10 === 0) await forget(org.key)
    }))
    t.equal(await usedOf(stores, org), '60')
    t.strictSame((await ask(database, 'select used_after::int4 from events where org = $1::int order by seq', org.key)),
      Array.from({ length: 60 }, (_, i) => i + 1))
  })
}
