import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { amountOf, amountText, parseAmount } from '../../src/domain/amount.ts'
import type { Database } from '../../src/storage/database.ts'
import type { Recorded } from '../../src/storage/ledger-op.ts'
import type { Stores } from '../../src/storage/stores.ts'
import { ask, DAY, moveTo, newOrg, NOON, openLedger, opOf, START, tallyOf, unequalCounters, usedOf } from './ledger-fixture.ts'

export interface Given {
  readonly database: Database
  readonly stores: Stores
}

/** What a report promises, on every database. */
export async function ledgerContract (t: Test, given: Given): Promise<void> {
  await t.test('counting', async t => await counting(t, given))
  await t.test('ids', async t => await ids(t, given))
  await t.test('many at once', async t => await manyAtOnce(t, given))
  await t.test('changes of plan', async t => await planChanges(t, given))
  await t.test('what is refused', async t => await refusals(t, given))
}

/** The parts of an answer that a customer sees, as text. */
function shown ({ usedAfter, limitAfter, duplicate }: Recorded): [string, string | null, boolean] {
  return [amountText(usedAfter), limitAfter === null ? null : amountText(limitAfter), duplicate]
}

async function counting (t: Test, { database, stores }: Given): Promise<void> {
  await t.test('a report that was answered is durable and in the next read', async t => {
    const org = await newOrg(stores)
    const op = opOf(org, 3, { properties: '{"region":"eu"}' })
    t.strictSame(await stores.ledger.append(op), {
      usedAfter: amountOf(3),
      reservedAfter: 0n,
      limitAfter: amountOf(1_000),
      delta: amountOf(3),
      window: { start: START, end: Date.parse('2024-04-01T00:00:00Z') },
      reason: null,
      duplicate: false,
      voided: false
    })
    t.strictSame(await ask(database, `select id, at, window_start, window_end, amount, mode, delta, used_after, limit_after,
      fingerprint, properties from events where org = $1::int`, org.key), [[
      op.id, '2024-03-01 12:00:00+00', '2024-03-01 00:00:00+00', '2024-04-01 00:00:00+00', '3.000000000', 'add', '3.000000000',
      '3.000000000', '1000.000000000', op.fingerprint, { region: 'eu' }
    ]])
    t.strictSame(await tallyOf(stores, org), { used: amountOf(3), reserved: 0n, version: 1, lastAt: NOON, reservedUntil: null })
  })

  const aggregates: Array<[feature: string, what: string, used: string]> = [
    ['feature:calls', 'sum adds up', '10.5'],
    ['feature:visits', 'count counts reports, whatever their amount', '3'],
    ['feature:seats', 'max keeps the greatest', '6.5'],
    ['feature:storage', 'last shows the latest instant, whatever the order of arrival', '6.5'],
    ['feature:lifetime', 'perpetual is the last in a window that never ends', '6.5']
  ]
  for (const [feature, what, used] of aggregates) {
    await t.test(what, async t => {
      const org = await newOrg(stores)
      const amounts = [[1, 1], [6.5, 3], [3, 2]] as const
      for (const [n, hour] of amounts) {
        await stores.ledger.append(opOf(org, 0, { feature, amount: parseAmount(n, '/n'), at: START + hour * 3_600_000 }))
      }
      t.equal(await usedOf(stores, org, feature), used)
      t.strictSame(await unequalCounters(database, org), [])
    })
  }

  await t.test('a window that never ends has no end', async t => {
    const org = await newOrg(stores)
    const { window } = await stores.ledger.append(opOf(org, 1, { feature: 'feature:lifetime' }))
    t.equal(window.end, null)
    t.equal(await usedOf(stores, org, 'feature:lifetime', START + 1_000 * DAY), '1')
  })

  await t.test('a limit is never a reason to refuse a report', async t => {
    const org = await newOrg(stores)
    t.strictSame(shown(await stores.ledger.append(opOf(org, 5_000))), ['5000', '1000', false])
    t.strictSame(shown(await stores.ledger.append(opOf(org, 1, { feature: 'feature:visits' }))), ['1', null, false])
  })

  await t.test('a decrease never takes a total below zero, and clobber sets it', async t => {
    const org = await newOrg(stores)
    const steps = [opOf(org, 5), opOf(org, -20), opOf(org, 4), opOf(org, 2, { mode: 'set' }), opOf(org, 1)]
    const answers = await Promise.all(steps.map(async op => await stores.ledger.append(op)))
    t.strictSame(answers.map(answer => shown(answer)[0]), ['5', '0', '4', '2', '3'])
    t.strictSame(await ask(database, 'select delta::int4 from events where org = $1::int order by seq', org.key), [5, -5, 4, -2, 1])
    t.strictSame(await unequalCounters(database, org), [])
  })

  await t.test('each instant counts in its own window, past ones too', async t => {
    const org = await newOrg(stores)
    const instants = [START - DAY, START, START + 30 * DAY, START + 31 * DAY]
    await Promise.all(instants.map(async (at, i) => await stores.ledger.append(opOf(org, i + 1, { at }))))
    t.strictSame(await Promise.all([START - 1, START, START + 31 * DAY].map(async at => await usedOf(stores, org, 'feature:calls', at))),
      ['1', '5', '4'])
  })

  await t.test('amounts are exact: 0.1 and 0.2 are 0.3, and 28 digits stay 28 digits', async t => {
    const org = await newOrg(stores)
    await stores.ledger.append(opOf(org, 0, { amount: parseAmount(0.1, '/n') }))
    await stores.ledger.append(opOf(org, 0, { amount: parseAmount(0.2, '/n') }))
    t.equal(await usedOf(stores, org), '0.3')
    await stores.ledger.append(opOf(org, 0, { amount: parseAmount('9'.repeat(19) + '.' + '9'.repeat(9), '/n'), mode: 'set' }))
    t.equal(await usedOf(stores, org), '9'.repeat(19) + '.' + '9'.repeat(9))
    await stores.ledger.append(opOf(org, 0, { amount: parseAmount('9'.repeat(28), '/n'), mode: 'set' }))
    t.equal(await usedOf(stores, org), '9'.repeat(28))
  })
}

async function ids (t: Test, { database, stores }: Given): Promise<void> {
  await t.test('the same id again gets the first figures again, however much was counted since', async t => {
    const org = await newOrg(stores)
    const op = opOf(org, 3)
    const first = await stores.ledger.append(op)
    await stores.ledger.append(opOf(org, 4))
    await moveTo(stores, org.name, 'daily', START + 2 * DAY)
    t.strictSame(await stores.ledger.append(op), { ...first, duplicate: true })
    const without = await moveTo(stores, org.name, 'bare', START + 3 * DAY)
    t.strictSame(await stores.ledger.append({ ...op, org: without }), { ...first, duplicate: true }, 'nor what the org holds now')
    t.equal(await usedOf(stores, org), '7')
  })

  await t.test('the same id with other content is event_conflict, and counts nothing', async t => {
    const org = await newOrg(stores)
    const op = opOf(org, 3)
    await stores.ledger.append(op)
    await t.rejects(stores.ledger.append(opOf(org, 4, { id: op.id })), { code: 'event_conflict', problems: [{ pointer: '/id' }] })
    t.equal(await usedOf(stores, org), '3')
  })

  await t.test('both hold within one batch', async t => {
    const org = await newOrg(stores)
    const op = opOf(org, 3)
    const [first, again, other, last] = await Promise.allSettled([
      stores.ledger.append(op),
      stores.ledger.append(op),
      stores.ledger.append(opOf(org, 4, { id: op.id })),
      stores.ledger.append(opOf(org, 1))
    ])
    t.match(first, { value: { duplicate: false, usedAfter: amountOf(3) } })
    t.match(again, { value: { duplicate: true, usedAfter: amountOf(3) } })
    t.match(other, { reason: { code: 'event_conflict' } })
    t.match(last, { value: { duplicate: false, usedAfter: amountOf(4) } })
    t.strictSame(await unequalCounters(database, org), [])
  })

  await t.test('of many callers with one id, on two replicas at once, one counts and all get one answer', async t => {
    const org = await newOrg(stores)
    const other = (await openLedger(t, { database })).stores
    const op = opOf(org, 7)
    const answers = await Promise.all(Array.from({ length: 20 }, async (_, i) => await (i % 2 === 0 ? stores : other).ledger.append(op)))
    t.equal(answers.filter(({ duplicate }) => !duplicate).length, 1)
    t.strictSame(new Set(answers.map(({ usedAfter }) => usedAfter)), new Set([amountOf(7)]))
    t.equal(await usedOf(stores, org), '7')
  })

  await t.test('an id belongs to its org', async t => {
    const [one, two] = [await newOrg(stores), await newOrg(stores)]
    const id = randomUUID()
    t.equal((await stores.ledger.append(opOf(one, 1, { id }))).duplicate, false)
    t.equal((await stores.ledger.append(opOf(two, 2, { id }))).duplicate, false)
  })

  await t.test('any printable text is an id, and any JSON is properties', async t => {
    const org = await newOrg(stores)
    const texts = ['null', 'NULL', '{}', '"', '\\', 'a,b', "o'clock", '€ 😀', 'a{b}"c"\\d', '$1', '1e3']
    for (const id of texts) await stores.ledger.append(opOf(org, 1, { id, properties: JSON.stringify({ [id]: [id, null, 1.5] }) }))
    t.strictSame(await ask(database, 'select id, properties from events where org = $1::int order by seq', org.key),
      texts.map(id => [id, { [id]: [id, null, 1.5] }]))
    for (const id of texts) {
      t.equal((await stores.ledger.append(opOf(org, 1, { id, properties: JSON.stringify({ [id]: [id, null, 1.5] }) }))).duplicate, true, id)
    }
  })
}

async function manyAtOnce (t: Test, { database, stores }: Given): Promise<void> {
  await t.test('200 reports on one org at once add up exactly, each answer a partial sum in the order of arrival', async t => {
    const org = await newOrg(stores)
    const ops = Array.from({ length: 200 }, (_, i) => opOf(org, i + 1))
    const answers = await Promise.all(ops.map(async op => await stores.ledger.append(op)))
    t.equal(await usedOf(stores, org), String(200 * 201 / 2))
    const text = 'select id, amount::int8, used_after from events where org = $1::int order by seq'
    const rows = await ask(database, text, org.key) as string[][]
    const answered = new Map(ops.map(({ id }, i) => [id, amountText(answers[i]?.usedAfter ?? 0n)]))
    let sum = 0n
    const wrong = rows.filter(([id = '', amount = '0', after = '']) => {
      sum += BigInt(amount)
      return parseAmount(after, '').toString() !== amountOf(sum).toString() || answered.get(id) !== sum.toString()
    })
    t.strictSame([rows.length, wrong], [200, []])
    t.strictSame(await unequalCounters(database, org), [])
  })

  await t.test('reports on many orgs, features and windows at once all find their counter', async t => {
    const held = await Promise.all(Array.from({ length: 12 }, async () => await newOrg(stores)))
    const features = ['feature:calls', 'feature:visits', 'feature:seats', 'feature:storage']
    const ops = Array.from({ length: 480 }, (_, i) => opOf(held[i % 12] as typeof held[number], 1 + i % 5, {
      feature: features[i % 4] as string, at: NOON + (i % 3) * 31 * DAY
    }))
    await Promise.all(ops.map(async op => await stores.ledger.append(op)))
    for (const org of held) t.strictSame(await unequalCounters(database, org), [])
    const keys = `{${held.map(org => org.key).join()}}`
    t.strictSame(await ask(database, 'select count(*)::int4 from events where org = any($1::int[])', keys), [480])
  })
}

async function planChanges (t: Test, { database, stores }: Given): Promise<void> {
  const change = START + DAY / 4

  await t.test('a report that waited while another replica changed the plan counts in the new window', async t => {
    const stale = await newOrg(stores)
    const replica = (await openLedger(t, { database })).stores
    await stores.ledger.append(opOf(stale, 1, { at: change - 1 }))
    await moveTo(replica, stale.name, 'daily', change)
    t.match(await stores.ledger.append(opOf(stale, 2)), {
      usedAfter: amountOf(2), limitAfter: amountOf(50), window: { start: change, end: change + DAY }, duplicate: false
    })
    const cut = await stores.ledger.append(opOf(stale, 3, { at: change - 1 }))
    t.strictSame([cut.window, cut.usedAfter], [{ start: START, end: change }, amountOf(4)], 'the window before is cut, and keeps its usage')
    t.strictSame(await unequalCounters(database, stale), [])
  })

  await t.test('a feature that the new plan does not have is feature_not_found', async t => {
    const stale = await newOrg(stores)
    const replica = (await openLedger(t, { database })).stores
    await moveTo(replica, stale.name, 'bare', change)
    const [refused, before] = await Promise.allSettled([
      stores.ledger.append(opOf(stale, 2)), stores.ledger.append(opOf(stale, 3, { at: change - 1 }))
    ])
    t.match(refused, { reason: { code: 'feature_not_found', problems: [{ pointer: '/feature' }] } })
    t.match(before, { value: { usedAfter: amountOf(3) } }, 'an instant at which it was held counts')
  })
}

async function refusals (t: Test, { database, stores }: Given): Promise<void> {
  await t.test('access is not usage: a boolean feature is not reportable', async t => {
    const org = await newOrg(stores)
    await t.rejects(stores.ledger.append(opOf(org, 1, { feature: 'feature:sso' })),
      { code: 'invalid_request', message: 'feature not reportable', problems: [{ pointer: '/feature' }] })
  })

  await t.test('a feature that nobody has heard of is feature_not_found', async t => {
    const org = await newOrg(stores)
    await t.rejects(stores.ledger.append(opOf(org, 1, { feature: 'feature:nothing' })), { code: 'feature_not_found' })
  })

  await t.test('an org that is gone is org_not_found, and the others in its batch are counted', async t => {
    const org = await newOrg(stores)
    const gone = { ...org, key: 2_000_000_000 + org.key % 2 }
    const [refused, counted] = await Promise.allSettled([stores.ledger.append(opOf(gone, 1)), stores.ledger.append(opOf(org, 1))])
    t.match(refused, { reason: { code: 'org_not_found' } })
    t.match(counted, { value: { usedAfter: amountOf(1) } })
    t.strictSame(await ask(database, 'select count(*)::int4 from events where org = $1::int', gone.key), [0])
  })

  await t.test('an amount that its aggregate does not take is refused alone', async t => {
    const org = await newOrg(stores)
    const [negative, tooMuch, fine] = await Promise.allSettled([
      stores.ledger.append(opOf(org, -1, { feature: 'feature:visits' })),
      stores.ledger.append(opOf(org, 0, { amount: amountOf(10n ** 28n - 1n) })),
      stores.ledger.append(opOf(org, 1))
    ])
    t.match(negative, { reason: { code: 'invalid_amount' } })
    t.match(tooMuch, { status: 'fulfilled' })
    t.match(fine, { reason: { code: 'invalid_amount' } }, 'the total would have 29 digits')
    t.equal(await usedOf(stores, org), '9'.repeat(28))
  })

  const poisons: Array<[what: string, properties: string]> = [
    ['half a surrogate pair', '{"k":"\\ud800"}'], ['NUL', '{"k":"\\u0000"}'], ['what is no JSON', '{"k":']
  ]
  for (const [what, properties] of poisons) {
    await t.test(`an event with ${what} is refused alone; the others in its batch are counted`, async t => {
      const org = await newOrg(stores)
      const neighbour = await newOrg(stores)
      const batch = [opOf(org, 1), opOf(org, 10, { properties }), opOf(org, 100), opOf(neighbour, 1_000)]
      const outcomes = await Promise.allSettled(batch.map(async op => await stores.ledger.append(op)))
      t.strictSame(outcomes.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
      t.match(outcomes[1], { reason: { code: 'invalid_request' } })
      t.strictSame([await usedOf(stores, org), await usedOf(stores, neighbour)], ['101', '1000'])
      t.strictSame(await ask(database, 'select amount::int4 from events where org = $1::int order by seq', org.key), [1, 100])
    })
  }
}
