import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { freshDatabase, postgresMissing } from '../fixtures/postgres.ts'
import { tcpProxy } from '../fixtures/proxy.ts'
import { privateRedis, redisProgramMissing } from '../fixtures/redis.ts'
import { openPostgres } from './databases.ts'
import { openRedisMirror } from './redis-mirror.ts'
import { until } from './until.ts'

// What takes seconds is to wait for an answer that does not come. They wait side by side.
t.jobs = 4

/** Less than a call may take, twice: whoever asks next must not meet a dead connection again. */
const CALL_MS = 6_000
const WITHIN_MS = 12_000
const REDIS_WITHIN_MS = 5_000

t.test('connections to Postgres that die without a word are left by the first call that is not answered', { skip: postgresMissing, buffered: true }, async t => {
  const url = await freshDatabase(t)
  const proxy = await tcpProxy(t, Number(new URL(url).port))
  const database = openPostgres(t, proxy.url(url))
  const ask = async () => await database.run([{ text: 'select 1', params: [] }])
  // As many as there are: each of them dies.
  await Promise.all(Array.from({ length: 10 }, async () => await database.run([{ text: 'select pg_sleep(0.1)', params: [] }])))
  proxy.strand()
  t.ok(proxy.stranded() > 1, `${proxy.stranded()} connections`)
  const started = performance.now()
  await t.rejects(ask(), { name: 'CallTimeout' })
  for (let n = 0; n < 20; n += 1) await ask()
  t.ok(performance.now() - started < WITHIN_MS, 'the others are not asked one after the other')
  await until('all are left', () => proxy.stranded() === 0, WITHIN_MS)
})

t.test('what is under way on a living connection ends well when a dead one is found', { skip: postgresMissing, buffered: true }, async t => {
  const url = await freshDatabase(t)
  const proxy = await tcpProxy(t, Number(new URL(url).port))
  const database = openPostgres(t, proxy.url(url))
  const sleepSeconds = async (seconds: number) => await database.run([{ text: `select pg_sleep(${seconds})`, params: [] }])
  await sleepSeconds(0)
  proxy.strand()
  const dead = t.rejects(sleepSeconds(0), { name: 'CallTimeout' })
  await sleep(4_500)
  const alive = sleepSeconds(3)
  await dead
  await t.resolves(alive)
})

t.test('something before Postgres that accepts connections and ends them is refused soon, and not asked again and again', { buffered: true }, async t => {
  let connections = 0
  const server = createServer(socket => {
    connections += 1
    socket.end()
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const database = openPostgres(t, `postgres://tollgate@127.0.0.1:${(server.address() as AddressInfo).port}/postgres`)
  const started = performance.now()
  await t.rejects(database.run([{ text: 'select 1', params: [] }]), /ended before/)
  t.ok(performance.now() - started < CALL_MS)
  await sleep(500)
  t.equal(connections, 1, 'once for each that asked')
})

t.test('a connection to Redis that dies without a word is replaced soon', { skip: redisProgramMissing, buffered: true }, async t => {
  const server = await privateRedis(t)
  const proxy = await tcpProxy(t, server.port)
  const mirror = await openRedisMirror(t, { url: proxy.url(server.url), ledgerId: randomUUID() })
  proxy.strand()
  t.equal(proxy.stranded(), 1)
  await until('it answers again', async () => await mirror.ping().then(() => true), REDIS_WITHIN_MS)
  await until('the dead connection is left', () => proxy.stranded() === 0, REDIS_WITHIN_MS)
})
