import { test } from 'tap'
import { amountOf } from '../../src/domain/amount.ts'
import { memoryMirror } from '../../src/storage/mirror-memory.ts'
import { redisMirror } from '../../src/storage/mirror-redis.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { tcpProxy } from '../fixtures/proxy.ts'
import { privateRedis, redisProgramMissing } from '../fixtures/redis.ts'
import { databaseKinds, openPostgres } from './databases.ts'
import type { CorrectOp, HoldOp } from '../../src/storage/ledger-op.ts'
import { counterOf, DAY, moveTo, newOrg, NOON, openLedger, opOf, usedOf } from './ledger-fixture.ts'
import { until } from './until.ts'

const SKIP = { skip: postgresMissing || redisProgramMissing }
const openDatabase = databaseKinds[1]?.open as typeof databaseKinds[number]['open']

test('a report is in the mirror, with what it counted, when its caller is answered', { skip: postgresMissing }, async t => {
  const mirror = memoryMirror({ ageMaxMs: 1_000 })
  const { stores } = await openLedger(t, { database: await openDatabase(t), mirrorFor: () => mirror })
  const [org, other] = [await newOrg(stores), await newOrg(stores)]
  const started = Date.now()
  await Promise.all([1, 2, 3].map(async n => {
    const { usedAfter } = await stores.ledger.append(opOf(org, n))
    const { version, counters: [entry] } = await mirror.read(org.key, [counterOf(org).key])
    t.equal(version?.value, org.version)
    t.ok((entry?.value.used ?? 0n) >= usedAfter, 'with everything that was counted before it')
    t.ok((entry?.confirmedAt ?? 0) >= started && (entry?.confirmedAt ?? 0) <= Date.now())
  }))
  t.strictSame(await mirror.read(other.key, [counterOf(other).key]), { version: undefined, counters: [undefined] })
})

test('an org version is told once within half of the age that readers accept, and at once when it changes', { skip: postgresMissing }, async t => {
  const toldIn = async (mirrorAgeMaxMs: number): Promise<{ org: number, times: Array<number | undefined> }> => {
    const mirror = memoryMirror({ ageMaxMs: mirrorAgeMaxMs })
    const versions: Array<number | null> = []
    const { stores } = await openLedger(t, {
      database: await openDatabase(t),
      mirrorAgeMaxMs,
      mirrorFor: () => ({
        ...mirror,
        publish: async (publications, now) => {
          versions.push(...publications.map(({ version }) => version))
          return await mirror.publish(publications, now)
        }
      })
    })
    const org = await newOrg(stores)
    for (const n of [1, 2, 3]) await stores.ledger.append(opOf(org, n))
    t.equal((await mirror.read(org.key, [counterOf(org).key])).counters[0]?.value.used, amountOf(6), 'counters are always told')
    await stores.ledger.append(opOf(await moveTo(stores, org.name, 'daily', Date.now()), 1))
    return { org: org.version, times: versions.map(version => version ?? undefined) }
  }
  const rare = await toldIn(60_000)
  t.strictSame(rare.times, [rare.org, undefined, undefined, rare.org + 1])
  const always = await toldIn(0)
  t.strictSame(always.times, [always.org, always.org, always.org, always.org + 1])
})

test('a version that the mirror did not take is told again', { skip: postgresMissing }, async t => {
  const mirror = memoryMirror({ ageMaxMs: 60_000 })
  let lost = true
  const { stores, publishFailures } = await openLedger(t, {
    database: await openDatabase(t),
    mirrorAgeMaxMs: 60_000,
    mirrorFor: () => ({
      ...mirror,
      publish: async (publications, now) => {
        if (lost) throw new Error('away')
        return await mirror.publish(publications, now)
      }
    })
  })
  const org = await newOrg(stores)
  await stores.ledger.append(opOf(org, 1))
  lost = false
  await stores.ledger.append(opOf(org, 2))
  t.equal(publishFailures.length, 1)
  t.equal((await mirror.read(org.key, [])).version?.value, org.version)
})

test('a report that was committed before, by whoever did not come to tell the mirror, is in it when its caller is answered', {
  skip: postgresMissing
}, async t => {
  const mirror = memoryMirror({ ageMaxMs: 60_000 })
  const url = await freshLedger(t)
  const proxy = await tcpProxy(t, Number(new URL(url).port))
  const here = await openLedger(t, { database: openPostgres(t, proxy.url(url)), mirrorFor: () => mirror })
  const elsewhere = await openLedger(t, { database: openPostgres(t, url) })
  const org = await newOrg(here.stores)
  const mirrored = async () => (await mirror.read(org.key, [counterOf(org).key])).counters[0]?.value.used
  await here.stores.ledger.append(opOf(org, 1))

  const dropped = proxy.dropAnswers({ when: request => request.includes('commit'), times: 1 })
  t.match(await here.stores.ledger.append(opOf(org, 2)), { duplicate: false })
  await dropped
  t.strictSame(here.retries, ['connection'])
  t.equal(await mirrored(), amountOf(3), 'the connection was lost')

  const sentAgain = opOf(org, 4)
  await elsewhere.stores.ledger.append(sentAgain)
  t.equal(await mirrored(), amountOf(3))
  t.match(await here.stores.ledger.append(sentAgain), { duplicate: true })
  t.equal(await mirrored(), amountOf(7), 'the process was lost, and the caller asked another one')

  const { fixedNow, idGiven, fingerprint } = sentAgain
  const common = { org, fixedNow, idGiven, fingerprint, reason: null, actor: 'test' }
  const voided: CorrectOp = { kind: 'correct', ...common, id: 'void', refersTo: sentAgain.id, amount: null }
  await elsewhere.stores.ledger.append(voided)
  t.match(await here.stores.ledger.append(voided), { duplicate: true })
  t.equal(await mirrored(), amountOf(3), 'a correction, too')

  const hold: HoldOp = { kind: 'hold', ...common, feature: 'feature:calls', at: NOON, atIsNow: false, id: 'hold', amount: amountOf(5), ttlMs: DAY }
  await elsewhere.stores.ledger.append(hold)
  t.match(await here.stores.ledger.append(hold), { duplicate: true })
  t.equal((await mirror.read(org.key, [counterOf(org).key])).counters[0]?.value.reserved, amountOf(5), 'and what is held')
})

test('a report that is refused publishes nothing', { skip: postgresMissing }, async t => {
  const mirror = memoryMirror({ ageMaxMs: 1_000 })
  const { stores } = await openLedger(t, { database: await openDatabase(t), mirrorFor: () => mirror })
  const org = await newOrg(stores)
  await t.rejects(stores.ledger.append(opOf(org, 1, { feature: 'feature:sso' })))
  t.equal((await mirror.read(org.key, [])).version, undefined)
})

test('a report is counted, and answered within a second, while Redis is frozen', SKIP, async t => {
  const redis = await privateRedis(t)
  const { stores, publishFailures } = await openLedger(t, {
    database: await openDatabase(t),
    mirrorFor: ledgerId => redisMirror({ url: redis.url, ledgerId, ageMaxMs: 1_000, onError: () => {} })
  })
  const org = await newOrg(stores)
  await until('Redis answers', async () => await stores.mirror?.ping().then(() => true) ?? false)
  await stores.ledger.append(opOf(org, 1))
  redis.pause()
  const started = performance.now()
  await stores.ledger.append(opOf(org, 2))
  t.ok(performance.now() - started < 1_000)
  t.equal(publishFailures.length, 1, 'and somebody is told')
  redis.resume()
  t.equal(await usedOf(stores, org), '3')
})

test('a ledger that closes publishes what it counted before its mirror is taken away', SKIP, async t => {
  const redis = await privateRedis(t)
  const proxy = await tcpProxy(t, redis.port)
  const { stores, publishFailures } = await openLedger(t, {
    database: await openDatabase(t),
    mirrorFor: ledgerId => redisMirror({ url: proxy.url(redis.url), ledgerId, ageMaxMs: 1_000, onError: () => {} })
  })
  const org = await newOrg(stores)
  await until('Redis answers', async () => await stores.mirror?.ping().then(() => true) ?? false)
  proxy.delay(100)
  const taken = stores.ledger.append(opOf(org, 1))
  let answered = false
  taken.then(() => { answered = true }, () => {})
  await stores.ledger.close()
  t.equal(answered, true, 'everybody was answered by the time it had closed')
  await stores.mirror?.close()
  await taken
  t.strictSame(publishFailures, [])
})
