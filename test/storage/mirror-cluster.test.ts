import rateLimit from '@fastify/rate-limit'
import fastify from 'fastify'
import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Mirror } from '../../src/storage/mirror.ts'
import { rateLimitRedis } from '../../src/storage/rate-limit-redis.ts'
import { command, fieldOf, stopReplication } from '../fixtures/redis-command.ts'
import { startRedisCluster } from '../fixtures/redis-cluster.ts'
import { redisProgramMissing, type RedisServer } from '../fixtures/redis.ts'
import { keyOf, mirrorContract, nextOrg, publicationOf, versionsOf } from './mirror-contract.ts'
import { CALL_MAX_MS, killMaster, loadOn } from './mirror-load.ts'
import { documentedUser, openRedisMirror } from './redis-mirror.ts'
import { until } from './until.ts'

const SKIP = { skip: redisProgramMissing }
const ledgerId = randomUUID()
const cluster = redisProgramMissing === false ? await startRedisCluster(t) : undefined as never

const open = async (t: Test, url = cluster.url): Promise<Mirror> => await openRedisMirror(t, { url, ledgerId })

async function shardOf (org: number): Promise<{ master: RedisServer, replica: RedisServer }> {
  const { master, replicas } = await cluster.shardOf(`{${org}}`)
  return { master, replica: replicas[0] as RedisServer }
}

/** Orgs, grouped by the master that serves them. */
async function orgsByMaster (count: number): Promise<Map<RedisServer, number[]>> {
  const groups = new Map<RedisServer, number[]>()
  for (const org of Array.from({ length: count }, nextOrg)) {
    const { master } = await shardOf(org)
    groups.set(master, [...groups.get(master) ?? [], org])
  }
  return groups
}

async function statsOf (server: RedisServer): Promise<{ reads: number, mget: number, scripts: number }> {
  const info = `${await command(server, 'INFO', 'everything')}`
  const calls = (name: string): number => Number(/calls=(\d+)/.exec(fieldOf(info, `cmdstat_${name}`) ?? '')?.[1] ?? 0)
  return { reads: Number(fieldOf(info, 'total_reads_processed')), mget: calls('mget'), scripts: calls('evalsha') + calls('eval') }
}

async function publishNow (mirror: Mirror, orgs: readonly number[], version: number): Promise<number> {
  const now = Date.now()
  return await mirror.publish(orgs.map(org => publicationOf(org, version, now)), now)
}

/** Nobody is replaced until the end of this test. */
async function withoutFailover (t: Test): Promise<void> {
  const set = async (timeoutMs: number): Promise<unknown> =>
    await Promise.all(cluster.nodes.map(async node => await command(node, 'CONFIG', 'SET', 'cluster-node-timeout', timeoutMs)))
  await set(60_000)
  t.teardown(async () => await set(1_000))
}

t.test('the Mirror port on Redis Cluster', SKIP, async t => {
  await mirrorContract(t, await open(t))
})

t.test('many orgs are one round trip to each node', SKIP, async t => {
  const mirror = await open(t)
  const orgs = Array.from({ length: 300 }, nextOrg)
  const masters = (await cluster.shards()).map(({ master }) => master)
  await publishNow(mirror, orgs, 1)
  const before = await Promise.all(masters.map(statsOf))
  await publishNow(mirror, orgs, 2)
  const between = await Promise.all(masters.map(statsOf))
  t.strictSame(await Promise.all(orgs.map(async org => await versionsOf(mirror, org))), orgs.map(() => [2, 2]))
  const after = await Promise.all(masters.map(statsOf))
  const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0)
  t.equal(sum(between.map(({ scripts }, i) => scripts - (before[i]?.scripts ?? 0))), orgs.length, 'a script per org')
  t.equal(sum(after.map(({ mget }, i) => mget - (between[i]?.mget ?? 0))), orgs.length, 'and a command to read it')
  // A server reads 16 KB at once; statsOf, a replica and its pings are read, too.
  for (const [i] of masters.entries()) {
    t.ok((between[i]?.reads ?? 0) - (before[i]?.reads ?? 0) < 12, `published in ${(between[i]?.reads ?? 0) - (before[i]?.reads ?? 0)} reads of a socket`)
    t.ok((after[i]?.reads ?? 0) - (between[i]?.reads ?? 0) < 8, `read in ${(after[i]?.reads ?? 0) - (between[i]?.reads ?? 0)}`)
  }
})

t.test('a node that is frozen is given up alone', SKIP, async t => {
  const mirror = await open(t)
  await withoutFailover(t)
  const [[frozen, theirs], ...rest] = [...await orgsByMaster(30)] as [[RedisServer, number[]], ...Array<[RedisServer, number[]]>]
  const others = rest.flatMap(([, orgs]) => orgs)
  await publishNow(mirror, [...theirs, ...others], 1)
  frozen.pause()
  const started = performance.now()
  await t.rejects(publishNow(mirror, [...theirs, ...others], 2), 'somebody is told')
  t.ok(performance.now() - started < CALL_MAX_MS)
  t.strictSame(await Promise.all(others.map(async org => await versionsOf(mirror, org))), others.map(() => [2, 2]), 'the others took it')
  await until('it is given up', async () => {
    const began = performance.now()
    await mirror.read(theirs[0] as number, []).catch(() => {})
    return performance.now() - began < 20
  })
  for (let version = 3; version < 10; version += 1) {
    await publishNow(mirror, others, version)
    t.strictSame(await Promise.all(others.map(async org => await versionsOf(mirror, org))), others.map(() => [version, version]))
  }
  await t.rejects(mirror.ping(), 'and health names it')
  frozen.resume()
  await until('it is used again', async () => {
    await publishNow(mirror, theirs, 10)
    return (await Promise.all(theirs.map(async org => await versionsOf(mirror, org)))).every(([a, b]) => a === 10 && b === 10)
  })
  await mirror.ping()
})

t.test('a master is killed under load: its orgs are refused until its replica serves them, and nothing is wrong', SKIP, async t => {
  const load = loadOn(await open(t), 24)
  const { master, replica } = await shardOf(load.orgs[0] as number)
  const promoted = async (): Promise<boolean> => (await cluster.shards()).some(shard => shard.master === replica)
  await killMaster(t, load, { master, replaced: async () => await until('the replica is promoted', promoted, 60_000), settled: cluster.settled })
})

t.test('a silent master is left when its replica serves, although no connection ends; the others serve all the time', SKIP, async t => {
  const mirror = await open(t)
  const full = async (value: 'yes' | 'no'): Promise<unknown> =>
    await Promise.all(cluster.nodes.map(async node => await command(node, 'CONFIG', 'SET', 'cluster-require-full-coverage', value)))
  await full('no')
  const [[master, theirs], ...rest] = [...await orgsByMaster(30)] as [[RedisServer, number[]], ...Array<[RedisServer, number[]]>]
  const others = rest.flatMap(([, orgs]) => orgs)
  await publishNow(mirror, theirs, 1)
  master.pause()
  t.teardown(async () => {
    master.resume()
    await cluster.settled()
    await full('yes')
  })
  const refused: unknown[] = []
  await until('it is replaced, and that one used', async () => {
    await publishNow(mirror, others, 1).catch(error => refused.push(error))
    await Promise.all(others.map(async org => await versionsOf(mirror, org))).catch(error => refused.push(error))
    return await publishNow(mirror, theirs, 2).then(() => true, () => false)
  }, 60_000)
  t.strictSame(refused, [])
  t.strictSame(await Promise.all(theirs.map(async org => await versionsOf(mirror, org))), theirs.map(() => [2, 2]))
})

t.test('a replica that lagged is promoted: what it has is old, says so, and is overwritten', SKIP, async t => {
  const mirror = await open(t)
  const org = nextOrg()
  const { master, replica } = await shardOf(org)
  await mirror.publish([publicationOf(org, 5, 1_000)], 1_000)
  await until('it is copied', async () => `${await command(replica, 'INFO', 'keyspace')}`.includes('keys=') && await lag(master) === 0)
  await stopReplication(master)
  await mirror.publish([publicationOf(org, 9, 3_000)], 3_000)
  t.strictSame(await versionsOf(mirror, org), [9, 9], 'acknowledged')
  await master.kill()
  await until('it is read again', async () => (await versionsOf(mirror, org))[0] !== undefined, 60_000)
  const { version, counters } = await mirror.read(org, [keyOf(org)])
  t.strictSame([version?.value, version?.confirmedAt, counters[0]?.value.version, counters[0]?.confirmedAt], [5, 1_000, 5, 1_000])
  await mirror.publish([publicationOf(org, 9, 3_000)], 3_010)
  t.strictSame(await versionsOf(mirror, org), [9, 9])
  await master.start()
  await cluster.settled()
})

t.test('while a slot moves, its orgs are found where they are, and the others do not notice', SKIP, async t => {
  const mirror = await open(t)
  const org = nextOrg()
  const { master: from } = await shardOf(org)
  const to = (await cluster.shards()).map(({ master }) => master).find(master => master !== from) as RedisServer
  const [slot, ...ids] = await Promise.all([
    command(from, 'CLUSTER', 'KEYSLOT', `{${org}}`), command(from, 'CLUSTER', 'MYID'), command(to, 'CLUSTER', 'MYID')
  ]) as [number, string, string]
  const move = async (keys: string[]): Promise<void> => {
    for (const key of keys) await command(from, 'MIGRATE', '127.0.0.1', to.port, key, 0, 1_000)
  }
  const load = loadOn(mirror, 6)
  await publishNow(mirror, [org], 5)
  await command(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[0])
  await command(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[1])
  t.strictSame(await versionsOf(mirror, org), [5, 5], 'it has not gone yet')
  const [first, ...rest] = (await command(from, 'KEYS', `tollgate:${ledgerId}:{${org}}*`) as string[]).sort() as [string, ...string[]]
  await move([first])
  await t.rejects(versionsOf(mirror, org), /TRYAGAIN/, 'half of it has, so the ledger is asked')
  await move(rest)
  t.strictSame(await versionsOf(mirror, org), [5, 5], 'it has')
  await publishNow(mirror, [org], 6)
  t.strictSame(await versionsOf(mirror, org), [6, 6])
  await load.recovered()
  for (const { master } of await cluster.shards()) await command(master, 'CLUSTER', 'SETSLOT', slot, 'NODE', ids[1])
  await publishNow(mirror, [org], 7)
  t.strictSame(await versionsOf(mirror, org), [7, 7], 'and so has its slot')
  await load.recovered()
  const { wrong, longestMs } = await load.stop()
  t.strictSame(wrong, [])
  t.ok(longestMs < CALL_MAX_MS)
})

t.test('a node that comes back empty, before it is replaced, is an empty mirror that fills again', SKIP, async t => {
  const mirror = await open(t)
  await withoutFailover(t)
  const org = nextOrg()
  const { master } = await shardOf(org)
  await publishNow(mirror, [org], 9)
  await master.kill()
  await t.rejects(publishNow(mirror, [org], 9))
  await master.start()
  await until('it answers', async () => (await versionsOf(mirror, org))[0] === undefined, 10_000)
  t.equal(await publishNow(mirror, [org], 9), 0)
  t.strictSame(await versionsOf(mirror, org), [9, 9])
  await cluster.settled()
})

t.test('a cluster that was away as a whole is used again', SKIP, async t => {
  const mirror = await open(t)
  const orgs = Array.from({ length: 12 }, nextOrg)
  await Promise.all(cluster.nodes.map(async node => await node.kill()))
  await until('it is missed', async () => await mirror.ping().then(() => false, () => true))
  await Promise.all(cluster.nodes.map(async node => await node.start()))
  await until('it is back', async () => {
    await mirror.ping()
    return true
  }, 60_000)
  await publishNow(mirror, orgs, 3)
  t.strictSame(await Promise.all(orgs.map(async org => await versionsOf(mirror, org))), orgs.map(() => [3, 3]))
  await cluster.settled()
})

t.test('the first address says the user and password of all nodes, and the rights in the manual are enough', SKIP, async t => {
  await Promise.all(cluster.nodes.map(async node => await command(node, ...documentedUser('server', 's,e@t'))))
  const [one, two] = cluster.nodes as [RedisServer, RedisServer]
  const url = `redis://tollgate:s%2Ce%40t@127.0.0.1:${one.port},redis://127.0.0.1:${two.port}`
  const mirror = await open(t, url)
  const orgs = Array.from({ length: 12 }, nextOrg)
  await publishNow(mirror, orgs, 4)
  t.strictSame(await Promise.all(orgs.map(async org => await versionsOf(mirror, org))), orgs.map(() => [4, 4]))
  const users = await Promise.all((await cluster.shards()).map(async ({ master }) => `${await command(master, 'CLIENT', 'LIST')}`))
  t.ok(users.every(list => list.includes('user=tollgate')))
  t.strictSame(await countedOn(t, url), [200, 200, 429], 'also for counting requests')
})

/** Three requests, of which two are allowed. */
async function countedOn (t: Test, url: string): Promise<number[]> {
  const redis = rateLimitRedis({ url, ledgerId, onError: () => {} })
  const app = fastify().addHook('onClose', async () => redis.close())
  t.teardown(async () => await app.close())
  await until('it is connected', async () => await redis.attempt(async () => await redis.client.get(`${redis.prefix}nobody`)) === null)
  await app.register(rateLimit, { max: 2, timeWindow: 60_000, redis: redis.client, nameSpace: redis.prefix })
  app.get('/', async () => '')
  const statuses: number[] = []
  for (let n = 0; n < 3; n += 1) statuses.push((await app.inject('/')).statusCode)
  return statuses
}

/** Bytes that the replica of a master has not confirmed. */
async function lag (master: RedisServer): Promise<number> {
  const info = `${await command(master, 'INFO', 'replication')}`
  return Number(fieldOf(info, 'master_repl_offset')) - Number(/offset=(\d+)/.exec(fieldOf(info, 'slave0') ?? '')?.[1])
}
