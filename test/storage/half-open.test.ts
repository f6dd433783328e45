import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
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

// The driver asks for the types of a statement's parameters before it sends them. Meanwhile the server waits for it as for the rest of a
// statement, and none of its timeouts counts that: not the statement's, nor that of an idle transaction.
t.test('who died without a word in the middle of a statement does not keep its locks', { skip: postgresMissing, buffered: true }, async t => {
  const url = await freshDatabase(t)
  const proxy = await tcpProxy(t, Number(new URL(url).port))
  const [dying, other] = [openPostgres(t, proxy.url(url)), openPostgres(t, url)]
  await other.run([{ text: 'create table locked as select 1 as id', params: [] }])
  const lock = { text: 'select id from locked for update', params: [] }
  const inTheMiddle = async (): Promise<boolean> => {
    const [found] = await other.run([{
      text: `select 1 from pg_stat_activity where datname = current_database() and query like '%in the middle%' and wait_event = 'ClientRead'
        and pid <> pg_backend_pid()`,
      params: []
    }])
    return found?.rows.length === 1
  }
  let unheardSince = 0
  await t.rejects(dying.transaction(async session => {
    await session.run([lock])
    proxy.delay(60_000)
    const unheard = session.run([{ text: 'select $1::text as "in the middle"', params: ['a'] }])
    await until('the server waits', inTheMiddle)
    proxy.strand()
    unheardSince = performance.now()
    await unheard
  }), { name: 'CallTimeout' })
  t.ok(performance.now() - unheardSince < 1.5 * CALL_MS, 'there is no second wait, for a rollback')
  t.equal(await other.endAbandoned(), 1)
  await t.resolves(other.run([lock]), 'somebody else has the lock')
})

t.test('nor is anybody ended who is not of Tollgate, or was heard of lately', { skip: postgresMissing, buffered: true }, async t => {
  const url = await freshDatabase(t)
  const ours = openPostgres(t, url)
  await ours.run([{ text: 'create table locked as select 1 as id', params: [] }])
  const stranger = postgres(url, { max: 1, onnotice: () => {} })
  t.teardown(async () => await stranger.end())
  await stranger.begin(async sql => {
    await sql`select id from locked for update`
    await ours.transaction(async session => {
      await session.run([{ text: 'select pg_sleep(6)', params: [] }])
      t.equal(await ours.endAbandoned(), 0, 'neither the stranger, who said nothing for as long, nor who has just had a long answer')
      await t.resolves(session.run([{ text: 'select 1', params: [] }]))
    }, 10_000)
    t.strictSame([...await sql`select id from locked`], [{ id: 1 }])
  })
})

t.test('something before Postgres that accepts connections and ends them is refused soon, and not asked again and again', { buffered: true }, async t => {
  let connections = 0
  const server = createServer(socket => {
    connections += 1
    // Who leaves what arrives unread never hears that the other side has ended too.
    socket.resume().on('error', () => {}).end()
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
