import { Redis } from 'ioredis'
import { randomUUID } from 'node:crypto'
import { type Test, test } from 'tap'
import { isYoung, type Mirror } from '../../src/storage/mirror.ts'
import { privateRedis, redisProgramMissing, type RedisServer } from '../fixtures/redis.ts'
import { AGE_MAX_MS, keyOf, nextOrg, publicationOf, versionsOf } from './mirror-contract.ts'
import { openRedisMirror } from './redis-mirror.ts'
import { until } from './until.ts'

const START = Date.parse('2024-03-15T12:00:00Z')
const SKIP = { skip: redisProgramMissing }

async function openOn (t: Test, args: string[] = []): Promise<{ server: RedisServer, mirror: Mirror }> {
  const server = await privateRedis(t, { args })
  return { server, mirror: await openRedisMirror(t, { url: server.url, ledgerId: randomUUID() }) }
}

function clientOf (t: Test, server: RedisServer): Redis {
  const redis = new Redis(server.url, { retryStrategy: () => 20 })
  redis.on('error', () => {})
  t.teardown(() => redis.disconnect())
  return redis
}

async function answers (mirror: Mirror): Promise<boolean> {
  return await mirror.ping().then(() => true, () => false)
}

/** How long a read took to be refused. */
async function refusalMs (t: Test, mirror: Mirror): Promise<number> {
  const started = performance.now()
  await t.rejects(mirror.read(1, [keyOf(1)]))
  return performance.now() - started
}

test('a frozen Redis costs a reader less than a second, and after a few readers nothing', SKIP, async t => {
  const { server, mirror } = await openOn(t)
  const org = nextOrg()
  await mirror.publish([publicationOf(org, 1, START)], START)
  server.pause()
  t.ok(await refusalMs(t, mirror) < 1_000)
  const started = performance.now()
  await t.rejects(mirror.publish([publicationOf(org, 2, START)], START))
  t.ok(performance.now() - started < 1_000, 'a publisher waits no longer')
  await refusalMs(t, mirror)
  const refused = [await refusalMs(t, mirror), await refusalMs(t, mirror), await refusalMs(t, mirror)]
  t.ok(Math.min(...refused) < 50, `refused at once, after ${refused.map(Math.round).join(', ')} ms`)

  server.resume()
  await until('it reads again', async () => (await versionsOf(mirror, org))[0] !== undefined)
  const entry = (await mirror.read(org, [])).version
  t.ok(entry?.value === 1 || entry?.value === 2, 'the publication that nobody waited for may have arrived')
})

test('a wiped Redis is an empty mirror that fills again', SKIP, async t => {
  const { server, mirror } = await openOn(t)
  const org = nextOrg()
  await mirror.publish([publicationOf(org, 9, START)], START)
  await clientOf(t, server).flushall()
  t.strictSame(await versionsOf(mirror, org), [undefined, undefined])
  t.equal(await mirror.publish([publicationOf(org, 9, START)], START), 0)
  t.strictSame(await versionsOf(mirror, org), [9, 9])
})

test('a killed Redis is refused at once, and used again when it is back', SKIP, async t => {
  const { server, mirror } = await openOn(t)
  const org = nextOrg()
  await mirror.publish([publicationOf(org, 9, START)], START)
  await server.kill()
  await until('it is missed', async () => !await answers(mirror))
  t.ok(await refusalMs(t, mirror) < 300)
  await server.start()
  await until('it is back', async () => await answers(mirror))
  t.strictSame(await versionsOf(mirror, org), [undefined, undefined])
  await mirror.publish([publicationOf(org, 10, START)], START)
  t.strictSame(await versionsOf(mirror, org), [10, 10])
})

test('a Redis that does not know our script any more is told it again', SKIP, async t => {
  const { server, mirror } = await openOn(t)
  const org = nextOrg()
  await mirror.publish([publicationOf(org, 1, START)], START)
  await clientOf(t, server).script('FLUSH')
  await mirror.publish([publicationOf(org, 2, START)], START)
  t.strictSame(await versionsOf(mirror, org), [2, 2])
})

test('a mirror opened while Redis is down refuses, and works once it is up', SKIP, async t => {
  const server = await privateRedis(t)
  await server.kill()
  const opened = openRedisMirror(t, { url: server.url, ledgerId: randomUUID() })
  await server.start()
  const mirror = await opened
  t.strictSame(await versionsOf(mirror, nextOrg()), [undefined, undefined])
})

test('a Redis restored from an old snapshot passes a guard of versions, and is told by its age', SKIP, async t => {
  const { server, mirror } = await openOn(t)
  const org = nextOrg()
  await mirror.publish([publicationOf(org, 5, START)], START)
  await clientOf(t, server).save()
  const later = START + AGE_MAX_MS + 1
  await mirror.publish([publicationOf(org, 9, later)], later)
  t.strictSame(await versionsOf(mirror, org), [9, 9], 'acknowledged')
  await server.kill()
  await server.start()
  await until('it is back', async () => await answers(mirror))

  const { version, counters } = await mirror.read(org, [keyOf(org)])
  t.strictSame([version?.value, counters[0]?.value.version], [5, 5], 'the trap: nothing about version 5 looks wrong')
  t.equal(isYoung(version?.confirmedAt as number, later, AGE_MAX_MS), false, 'the remedy: it is older than a reader believes')
  t.equal(isYoung(counters[0]?.confirmedAt as number, later, AGE_MAX_MS), false)

  t.equal(await mirror.publish([publicationOf(org, 9, later + 10)], later + 10), 0)
  t.strictSame(await versionsOf(mirror, org), [9, 9], 'the first reader who asks the ledger puts it right')
})

test('after a wipe a guard of versions lets an old publication in, and its age tells', SKIP, async t => {
  const { server, mirror } = await openOn(t)
  const org = nextOrg()
  await mirror.publish([publicationOf(org, 9, START)], START)
  await clientOf(t, server).flushall()
  const delayed = publicationOf(org, 8, START - AGE_MAX_MS)
  const arrival = START + 10
  await mirror.publish([delayed], arrival)
  t.strictSame(await versionsOf(mirror, org), [8, 8], 'the trap: it was accepted')
  const { version } = await mirror.read(org, [])
  t.equal(isYoung(version?.confirmedAt as number, arrival, AGE_MAX_MS), false, 'the remedy: it was confirmed before it was sent')

  await mirror.publish([publicationOf(org, 9, arrival + 1)], arrival + 1)
  t.strictSame(await versionsOf(mirror, org), [9, 9])
})
