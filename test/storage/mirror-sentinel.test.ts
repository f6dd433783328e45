import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Mirror } from '../../src/storage/mirror.ts'
import { redisProgramMissing, type RedisServer } from '../fixtures/redis.ts'
import { command, commands, stopReplication } from '../fixtures/redis-command.ts'
import { startSentinel } from '../fixtures/redis-sentinel.ts'
import { keyOf, mirrorContract, nextOrg, publicationOf, versionsOf } from './mirror-contract.ts'
import { killMaster, loadOn } from './mirror-load.ts'
import { documentedUser, openRedisMirror } from './redis-mirror.ts'
import { until } from './until.ts'

const SKIP = { skip: redisProgramMissing }
const FAILOVER_WITHIN_MS = 60_000

const ledgerId = randomUUID()
const group = redisProgramMissing === false ? await startSentinel(t) : undefined as never

async function open (t: Test): Promise<Mirror> {
  await group.settled()
  return await openRedisMirror(t, { url: group.url, ledgerId })
}

async function replaced (master: RedisServer): Promise<RedisServer> {
  let found = master
  // Asked again, another sentinel might not know it yet.
  await until('the sentinels have another master', async () => {
    found = await group.master()
    return found !== master
  }, FAILOVER_WITHIN_MS)
  return found
}

/** How many clients it has, besides those who are part of this fixture. */
async function connections (server: RedisServer): Promise<number> {
  const list = `${await command(server, 'CLIENT', 'LIST', 'TYPE', 'normal')}`
  return list.split('\n').filter(line => line !== '' && !/ name=sentinel| cmd=client\|list/.test(line)).length
}

/** Until the end of this test. */
function freezeSentinels (t: Test): void {
  for (const sentinel of group.sentinels) sentinel.pause()
  t.teardown(async () => {
    for (const sentinel of group.sentinels) sentinel.resume()
    await group.settled()
  })
}

async function readAt (server: RedisServer, org: number): Promise<unknown> {
  return await command(server, 'GET', `tollgate:${ledgerId}:{${org}}`)
}

t.test('the Mirror port on Redis with Sentinel', SKIP, async t => {
  await mirrorContract(t, await open(t))
})

t.test('a master is killed under load: all are refused until its replica serves them, and nothing is wrong', SKIP, async t => {
  await killMaster(t, loadOn(await open(t), 12), { master: await group.master(), replaced, settled: group.settled })
})

t.test('a master that was replaced and answers again is left, also by those who asked it nothing meanwhile', SKIP, async t => {
  const mirror = await open(t)
  const org = nextOrg()
  await mirror.publish([publicationOf(org, 3, 1_000)], 1_000)
  const old = await group.master()
  old.pause()
  const master = await replaced(old)
  await until('the mirror has left', async () => await connections(master) === 1)
  // It may still be saying hello there.
  await until('it is served', async () => await mirror.ping().then(() => true))
  // Nobody tells it that it is a master no more.
  freezeSentinels(t)
  old.resume()
  t.match(await command(old, 'ROLE'), ['master'], 'it believes itself')
  await mirror.publish([publicationOf(org, 4, 3_000)], 3_000)
  t.match(await readAt(master, org), /^4\|/, 'at the new master')
  t.notMatch(await readAt(old, org), /^4\|/, 'and not at the old one')
  t.strictSame(await versionsOf(mirror, org), [4, 4])
})

t.test('a replica that lagged is promoted: what it has is old, says so, and is overwritten', SKIP, async t => {
  const mirror = await open(t)
  const org = nextOrg()
  const master = await group.master()
  await mirror.publish([publicationOf(org, 5, 1_000)], 1_000)
  const replica = group.servers.find(server => server !== master) as RedisServer
  await until('it is copied', async () => await readAt(replica, org) !== null)
  await stopReplication(master)
  await mirror.publish([publicationOf(org, 9, 3_000)], 3_000)
  await master.kill()
  await replaced(master)
  await until('it is read again', async () => (await versionsOf(mirror, org))[0] !== undefined)
  const { version, counters } = await mirror.read(org, [keyOf(org)])
  t.strictSame([version?.value, version?.confirmedAt, counters[0]?.value.version, counters[0]?.confirmedAt], [5, 1_000, 5, 1_000])
  await mirror.publish([publicationOf(org, 9, 3_000)], 3_010)
  t.strictSame(await versionsOf(mirror, org), [9, 9])
  await master.start()
  await group.settled()
})

t.test('a sentinel is frozen, then the master is killed: a mirror connects, and finds the next master', SKIP, async t => {
  const [frozen] = group.sentinels as [RedisServer, ...RedisServer[]]
  frozen.pause()
  t.teardown(async () => {
    frozen.resume()
    await group.settled()
  })
  // Not `open`: with one of them frozen the sentinels are never content.
  const mirror = await openRedisMirror(t, { url: group.url, ledgerId })
  const org = nextOrg()
  const master = await group.master()
  await master.kill()
  // The mirror waits for the frozen sentinel while the others speak of the new master.
  await replaced(master)
  await until('it is published', async () => await mirror.publish([publicationOf(org, 1, 1_000)], 1_000).then(() => true), 15_000)
  t.strictSame(await versionsOf(mirror, org), [1, 1])
  await master.start()
})

t.test('servers and sentinels have users and passwords of their own, with the rights in the manual', SKIP, async t => {
  await Promise.all(group.servers.map(async server => await command(server, ...documentedUser('server', 's,e@t'))))
  await Promise.all(group.sentinels.map(async sentinel => await command(sentinel, ...documentedUser('sentinel', 's?n'))))
  const url = group.url.replace('//', '//tollgate:s%2Ce%40t@')
  const mirror = await openRedisMirror(t, { url: `${url}?sentinelUsername=tollgate&sentinelPassword=s%3Fn`, ledgerId })
  const org = nextOrg()
  await mirror.publish([publicationOf(org, 2, 1_000)], 1_000)
  t.strictSame(await versionsOf(mirror, org), [2, 2])
  t.match(await command(await group.master(), 'CLIENT', 'LIST'), 'user=tollgate')
  t.match(await command(group.sentinels[0] as RedisServer, 'CLIENT', 'LIST'), 'user=tollgate')
})

t.test('a master that became a replica without a word is connected to anew, where its address may lead to another', SKIP, async t => {
  const [one, two] = group.servers as [RedisServer, RedisServer]
  const master = await group.master()
  const other = master === one ? two : one
  // By its address, as where a name or a proxy leads to the master.
  const mirror = await openRedisMirror(t, { url: master.url, ledgerId })
  const connection = async (): Promise<string | undefined> =>
    /^id=(\d+)(?=.* cmd=(?:mget|eval|evalsha|get) )/m.exec(`${await command(master, 'CLIENT', 'LIST')}`)?.[1]
  const org = nextOrg()
  freezeSentinels(t)
  await mirror.publish([publicationOf(org, 2, 1_000)], 1_000)
  const before = await connection()
  t.ok(before)
  await commands(other, [['REPLICAOF', 'NO', 'ONE']])
  await commands(master, [['REPLICAOF', '127.0.0.1', other.port]])
  await t.rejects(mirror.publish([publicationOf(org, 3, 1_000)], 1_000), /READONLY/)
  await until('it has connected anew', async () => await versionsOf(mirror, org).then(() => true) && await connection() !== before)
  await commands(master, [['REPLICAOF', 'NO', 'ONE']])
  await until('it is published', async () => await mirror.publish([publicationOf(org, 3, 1_000)], 1_000).then(() => true))
  t.strictSame(await versionsOf(mirror, org), [3, 3])
})
