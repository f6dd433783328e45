import type { Test } from 'tap'
import { amountOf } from '../../src/domain/amount.ts'
import type { Given } from './ledger-contract.ts'
import { newOrg, openLedger, opOf, unequalCounters, usedOf } from './ledger-fixture.ts'

/** Past it a report is refused. */
const WAITING_OPS_MAX = 20_000

export async function queueContract (t: Test, { database, stores }: Given): Promise<void> {
  await t.test('what was taken on before the ledger closes is counted, what comes after is refused as stopping', async t => {
    const { ledger } = (await openLedger(t, { database })).stores
    const [org, other] = [await newOrg(stores), await newOrg(stores)]
    let settled = 0
    const taken = Array.from({ length: 1_200 }, async (_, i) => {
      await ledger.append(opOf(i % 2 === 0 ? org : other, 1))
      settled += 1
    })
    const closed = ledger.close()
    await t.rejects(ledger.append(opOf(org, 1)), { code: 'stopping' })
    await closed
    t.equal(settled, 1_200, 'all were answered by the time it had closed')
    await Promise.all(taken)
    t.strictSame([await usedOf(stores, org), await usedOf(stores, other)], ['600', '600'])
    await ledger.close()
    await t.rejects(ledger.append(opOf(org, 1)), { code: 'stopping' })
  })

  await t.test('a queue that is full refuses as overloaded, says when to come back, and counts everything else', async t => {
    const org = await newOrg(stores)
    const { ledger } = (await openLedger(t, { database })).stores
    const op = (i: number) => opOf(org, 1, { id: `${i}`, idGiven: false })
    const taken = Array.from({ length: WAITING_OPS_MAX }, async (_, i) => await ledger.append(op(i)))
    t.equal(ledger.waiting(), WAITING_OPS_MAX)
    await t.rejects(ledger.append(op(WAITING_OPS_MAX)), { code: 'overloaded', retryAfterSeconds: 1 })
    const answers = await Promise.all(taken)
    t.equal(ledger.waiting(), 0)
    t.equal(answers.at(-1)?.usedAfter, amountOf(WAITING_OPS_MAX), 'in the order of arrival')
    t.equal(await usedOf(stores, org), `${WAITING_OPS_MAX}`)
    t.strictSame(await unequalCounters(database, org), [])
    t.equal((await ledger.append(op(WAITING_OPS_MAX))).usedAfter, amountOf(WAITING_OPS_MAX + 1))
  })
}
