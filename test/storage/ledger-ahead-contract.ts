import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { amountOf, amountText } from '../../src/domain/amount.ts'
import type { Org } from '../../src/domain/org.ts'
import type { CountOp, HoldOp, Recorded } from '../../src/storage/ledger-op.ts'
import type { Ledger } from '../../src/storage/ledger.ts'
import type { Given } from './ledger-contract.ts'
import { ask, counterOf, DAY, moveTo, newOrg, NOON, openLedger, type OpenedLedger, opOf, START, tallyOf, unequalCounters, usedOf } from './ledger-fixture.ts'

/** As many as make it worth while to go ahead. */
const BATCH = 8
/** After a surprise: that many read before one goes ahead again. */
const CALM_BATCHES_MIN = 16

/** All at once, so in one batch. */
async function reports (ledger: Ledger, org: Org, changes: Partial<CountOp<'report'>> = {}): Promise<Recorded[]> {
  return await Promise.all(Array.from({ length: BATCH }, async () => await ledger.append(opOf(org, 1, { ...changes, id: randomUUID() }))))
}

const figures = (answers: readonly Recorded[]) => answers.map(({ usedAfter }) => Number(amountText(usedAfter)))
const from = (first: number) => Array.from({ length: BATCH }, (_, i) => first + i)

/** What a batch promises that is written from what the process remembers, beside everything that every batch promises. */
export async function aheadContract (t: Test, { database, stores }: Given): Promise<void> {
  const open = async (): Promise<OpenedLedger> => await openLedger(t, { database })

  await t.test('what was counted here before is not read again, unless the batch is small', async t => {
    const { stores: { ledger }, ahead } = await open()
    const org = await newOrg(stores)
    t.strictSame(figures(await reports(ledger, org)), from(1))
    t.strictSame(figures(await reports(ledger, org)), from(9))
    t.strictSame(figures(await reports(ledger, org, { feature: 'feature:visits' })), from(1))
    await ledger.append(opOf(org, 1))
    t.strictSame(ahead, [false, true, false, false])
    t.equal(await usedOf(stores, org), '17')
    t.strictSame(await unequalCounters(database, org), [])
  })

  await t.test('what another replica has counted since is counted on, and for a while everything is read', async t => {
    const [here, there] = [await open(), await open()]
    const org = await newOrg(stores)
    await reports(here.stores.ledger, org)
    await there.stores.ledger.append(opOf(org, 1))
    t.strictSame(figures(await reports(here.stores.ledger, org)), from(10))
    for (let i = 0; i <= CALM_BATCHES_MIN; i += 1) await reports(here.stores.ledger, org)
    t.strictSame(here.ahead, [false, ...Array.from({ length: CALM_BATCHES_MIN + 1 }, () => false), true])
    t.strictSame(here.retries, [], 'nobody has waited for a retry')
    t.equal(await usedOf(stores, org), `${(CALM_BATCHES_MIN + 3) * BATCH + 1}`)
    t.strictSame(await unequalCounters(database, org), [])
  })

  await t.test('an id that is there already is answered from what is stored, or is a conflict', async t => {
    const { stores: { ledger }, ahead } = await open()
    const org = await newOrg(stores)
    const first = opOf(org, 1)
    await ledger.append(first)
    const [again, conflict, ...others] = await Promise.allSettled([
      ledger.append(first), ledger.append({ ...opOf(org, 2), id: first.id }), reports(ledger, org)
    ])
    t.match(again, { value: { usedAfter: amountOf(1), duplicate: true } })
    t.match(conflict, { reason: { code: 'event_conflict' } })
    t.match(others, [{ value: from(2).map(used => ({ usedAfter: amountOf(used), duplicate: false })) }])
    t.strictSame(ahead, [false, false])
    t.strictSame(await unequalCounters(database, org), [])
  })

  await t.test('an org that has changed elsewhere is counted for as it is now', async t => {
    const { stores: { ledger }, ahead } = await open()
    const org = await newOrg(stores)
    await reports(ledger, org)
    await moveTo(stores, org.name, 'daily', START + DAY / 4)
    const answers = await reports(ledger, org)
    t.strictSame(figures(answers), from(1))
    t.strictSame(new Set(answers.map(({ limitAfter }) => limitAfter)), new Set([amountOf(50)]))
    t.strictSame(ahead, [false, false])
  })

  await t.test('an org that is gone is not found', async t => {
    const { stores: { ledger } } = await open()
    const org = await newOrg(stores)
    await reports(ledger, org)
    await ask(database, 'update orgs set deleted_at = now() where id = $1::int', org.key)
    const answers = await Promise.allSettled(Array.from({ length: BATCH }, async () => await ledger.append(opOf(org, 1))))
    t.match(answers, answers.map(() => ({ reason: { code: 'org_not_found' } })))
    t.strictSame(await ask(database, 'select count(*)::int4 from events where org = $1::int', org.key), [BATCH])
  })

  await t.test('a limit that another replica has used up denies, by the version that it denies by', async t => {
    const [here, there] = [await open(), await open()]
    const org = await newOrg(stores)
    await reports(here.stores.ledger, org)
    await there.stores.ledger.append(opOf(org, 990))
    const answers = await Promise.all(Array.from({ length: BATCH }, async () =>
      await here.stores.ledger.append({ ...opOf(org, 1), kind: 'consume' as const })))
    t.strictSame(figures(answers.filter(answer => 'usedAfter' in answer)), [999, 1_000])
    t.match(answers.slice(2), answers.slice(2).map(() => ({ denied: { ok: false }, version: BATCH + 3 })))
    t.equal(await usedOf(stores, org), '1000')
  })

  const consumes = async (ledger: Ledger, org: Org, amounts: readonly number[]) => {
    const answers = await Promise.all(amounts.map(async n => await ledger.append({ ...opOf(org, n), kind: 'consume' as const })))
    return answers.map(answer => 'denied' in answer ? 'denied' : Number(amountText(answer.usedAfter)))
  }

  await t.test('what is denied beside what is counted is checked as it is written', async t => {
    const [here, there] = [await open(), await open()]
    const [full, free] = [await newOrg(stores), await newOrg(stores)]
    await there.stores.ledger.append(opOf(full, 995))
    const { ledger } = here.stores
    const both = async () => await Promise.all([consumes(ledger, full, [6, 7, 8, 9]), consumes(ledger, free, [1, 1, 1, 1])])
    t.strictSame(await both(), [Array(4).fill('denied'), [1, 2, 3, 4]])
    t.strictSame(await both(), [Array(4).fill('denied'), [5, 6, 7, 8]])
    await there.stores.ledger.append(opOf(full, -5))
    t.strictSame(await both(), [[996, 'denied', 'denied', 'denied'], [9, 10, 11, 12]])
    t.strictSame(here.ahead, [false, true, false])
    t.strictSame([await unequalCounters(database, full), await unequalCounters(database, free)], [[], []])
  })

  await t.test('where everything is denied, nothing is written: that is read', async t => {
    const { stores: { ledger }, ahead } = await open()
    const org = await newOrg(stores)
    await ledger.append(opOf(org, 1_000))
    t.strictSame(await consumes(ledger, org, Array(BATCH).fill(1)), Array(BATCH).fill('denied'))
    t.strictSame(ahead, [false, false])
  })

  await t.test('past the first expiry of what is held, what is still held is looked for', async t => {
    const { stores: { ledger }, ahead } = await open()
    const org = await newOrg(stores)
    const { properties, mode, ...asked } = opOf(org, 100)
    const hold: HoldOp = { ...asked, kind: 'hold', ttlMs: 60_000 }
    await ledger.append(hold)
    const reserved = async (fixedNow: number) => (await reports(ledger, org, { fixedNow })).at(-1)?.reservedAfter
    t.equal(await reserved(NOON + 30_000), amountOf(100))
    t.equal(await reserved(NOON + 60_000), 0n)
    t.strictSame(ahead, [false, true, false])
  })

  await t.test('what was only added up anew is not remembered: another replica may hold it for longer', async t => {
    const [here, there] = [await open(), await open()]
    const org = await newOrg(stores)
    const { properties, mode, ...asked } = opOf(org, 100)
    await here.stores.ledger.append({ ...asked, kind: 'hold', ttlMs: 60_000 })
    const denied = await here.stores.ledger.append({ ...opOf(org, 1_001), kind: 'consume' as const, fixedNow: NOON + 61_000 })
    t.match(denied, { denied: { ok: false, reserved: 0n } })
    const { window } = counterOf(org)
    const extend = { ...asked, id: randomUUID(), reservation: asked.id, window, ttlMs: 120_000, fixedNow: NOON + 59_000 }
    t.match(await there.stores.ledger.append({ ...extend, kind: 'extend' }), { reservation: { expiresAt: NOON + 179_000 } })
    t.equal((await reports(here.stores.ledger, org, { fixedNow: NOON + 62_000 })).at(-1)?.reservedAfter, amountOf(100))
  })

  await t.test('instants of far years are kept to the millisecond', async t => {
    const [here, there] = [await open(), await open()]
    const at = 9_512_271_681_453
    const org = await moveTo(stores, (await newOrg(stores)).name, 'daily', at)
    const far = { at, fixedNow: at }
    t.strictSame(figures(await reports(here.stores.ledger, org, far)), from(1))
    t.strictSame(figures(await reports(there.stores.ledger, org, far)), from(9))
    t.strictSame(figures(await reports(here.stores.ledger, org, far)), from(17))
    t.equal((await tallyOf(stores, org, 'feature:calls', at)).lastAt, at)
    t.strictSame(await unequalCounters(database, org), [])
  })
}
