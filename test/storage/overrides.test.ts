import { test } from 'tap'
import { amountOf, parseAmount } from '../../src/domain/amount.ts'
import type { Org } from '../../src/domain/org.ts'
import type { NewOverride } from '../../src/storage/subscriptions.ts'
import type { Stores } from '../../src/storage/stores.ts'
import { ask, DAY, newOrg, NOON, openLedger, opOf } from './ledger-fixture.ts'
import { databaseKinds } from './databases.ts'

const next = (limit: bigint | null, more: Partial<NewOverride> = {}): NewOverride => ({ endsAt: null, limit, overage: null, reason: 'because', ...more })

async function put (stores: Stores, { name }: Org, at: number, override: NewOverride | null, feature = 'feature:calls'): Promise<Org> {
  const changed = await stores.subscriptions.changeExisting('test', name, async ({ org, putOverride }) => {
    await putOverride(org.features.get(feature)?.key as number, at, override)
  })
  if (changed === undefined) throw new Error(`${name} is gone`)
  return changed.org
}

for (const { name, missing, open } of databaseKinds) {
  test(`overrides on ${name}`, { skip: missing }, async t => {
    const database = await open(t)
    const { stores } = await openLedger(t, { database })
    const other = (await openLedger(t, { database })).stores
    const limitAt = (org: Org, at: number): unknown => org.features.get('feature:calls')?.timeline.grantAt(at)?.limit

    await t.test('they come with the org, as of its version, to the last digit', async t => {
      const org = await newOrg(stores)
      t.equal(org.overrides.size, 0)
      const exact = parseAmount('1234567890123456789.123456789', '/')
      await put(stores, org, NOON, next(exact, { endsAt: NOON + DAY, overage: true }))
      await put(stores, org, NOON, next(null), 'feature:seats')
      const loaded = await other.orgs.load('test', org.name)
      t.equal(loaded?.version, org.version + 2)
      t.strictSame([...loaded?.overrides ?? []].map(([feature, { list }]) => [feature, list]), [
        ['feature:calls', [{ start: NOON, end: NOON + DAY, limit: exact, overage: true }]],
        ['feature:seats', [{ start: NOON, end: null, limit: null, overage: null }]]
      ])
      t.equal(loaded?.subscriptions.length, 1, 'once, though there are several')
    })

    await t.test('a new one ends the former, at once and for good; history stays', async t => {
      const org = await newOrg(stores)
      await put(stores, org, NOON, next(amountOf(5)))
      await put(stores, org, NOON + DAY, next(amountOf(6), { endsAt: NOON + 9 * DAY }))
      await put(stores, org, NOON + 2 * DAY, next(amountOf(7)))
      const ended = await put(stores, org, NOON + 3 * DAY, null)
      const limits = [-1, 0, 1, 2, 3, 10].map(days => limitAt(ended, NOON + days * DAY))
      t.strictSame(limits, [1_000, 5, 6, 7, 1_000, 1_000].map(limit => amountOf(limit)))
      t.equal(ended.overrides.get('feature:calls')?.list.length, 3)
    })

    await t.test('two at one instant are the later one', async t => {
      const org = await newOrg(stores)
      await put(stores, org, NOON, next(amountOf(5)))
      const changed = await put(stores, org, NOON, next(amountOf(6)))
      t.strictSame(changed.overrides.get('feature:calls')?.list.map(({ limit }) => limit), [amountOf(6)])
    })

    await t.test('put at once by two replicas, they follow each other without overlap', async t => {
      const org = await newOrg(stores)
      await Promise.all(Array.from({ length: 12 }, async (_, i) =>
        await put(i % 2 === 0 ? stores : other, org, NOON + i, next(amountOf(i)))))
      t.strictSame(await ask(database, `select a.starts_at from overrides a join overrides b on b.org = a.org and b.feature = a.feature
        and b.starts_at > a.starts_at and (a.ends_at is null or a.ends_at > b.starts_at) where a.org = $1::int`, org.key), [])
      t.equal((await stores.orgs.load('test', org.name))?.version, org.version + 12)
    })

    await t.test('a report by a replica with an older snapshot is judged by the override that is in force', async t => {
      const org = await newOrg(stores)
      await other.orgs.load('test', org.name)
      await put(stores, org, NOON, next(amountOf(5)))
      t.match(await other.ledger.append(opOf(org, 3)), { usedAfter: amountOf(3), limitAfter: amountOf(5) })
      t.match(await other.ledger.append(opOf(org, 3, { at: NOON - 1 })), { usedAfter: amountOf(6), limitAfter: amountOf(1_000) })
    })

    await t.test('they are listed feature by feature, the newest first, page by page', async t => {
      const org = await newOrg(stores)
      for (let i = 0; i < 3; i += 1) await put(stores, org, NOON + i, next(amountOf(i), { reason: `calls ${i}` }))
      await put(stores, org, NOON, next(null, { reason: 'seats' }), 'feature:seats')
      const reasons: string[] = []
      for (let after: readonly [number, number] | null | undefined; after !== null;) {
        const { items, next } = await stores.overrides.list(org.key, undefined, after ?? null, 1)
        reasons.push(...items.map(({ reason }) => reason))
        after = next as [number, number] | null
      }
      t.strictSame(reasons.filter(reason => reason !== 'seats'), ['calls 2', 'calls 1', 'calls 0'])
      t.strictSame(reasons.length, 4)
      t.strictSame((await stores.overrides.list(org.key, 'feature:seats', null, 9)).items.map(({ reason }) => reason), ['seats'])
    })

    await t.test('they go with their org', async t => {
      const org = await newOrg(stores)
      await put(stores, org, NOON, next(amountOf(5)))
      await stores.orgDeletion.delete('test', org.name)
      while (await stores.orgDeletion.purge()) { /* page by page */ }
      t.strictSame(await ask(database, 'select count(*)::int from overrides where org = $1::int', org.key), [0])
      t.strictSame(await ask(database, 'select count(*)::int from orgs where id = $1::int', org.key), [0])
    })
  })
}
