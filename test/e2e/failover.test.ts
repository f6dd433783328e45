import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { RedisServer } from '../fixtures/redis.ts'
import { startRedisCluster } from '../fixtures/redis-cluster.ts'
import { startSentinel } from '../fixtures/redis-sentinel.ts'
import { until } from '../storage/until.ts'
import { compareOn, inexact, LAG_MS, PLANS, subscribed } from './pairs.ts'
import { mirrorIs, replicasMissing, replicasOn } from './replicas.ts'
import { sizeOf } from './sizes.ts'

const SKIP = { skip: replicasMissing }
const [ORGS, PAUSE_MS, ROUNDS] = [sizeOf('FAILOVER_ORGS', 8), sizeOf('FAILOVER_PAUSE_MS', 20), sizeOf('FAILOVER_ROUNDS', 1)]
/** 2: with Sentinel, too. There test/storage/mirror-sentinel.test.ts does the same without starting the service. */
const KINDS = sizeOf('FAILOVER_KINDS', 1)
const REPLACED_WITHIN_MS = 20_000
/** A call waits for a Redis that does not answer, and for a busy machine, no longer. */
const CALL_MAX_MS = 1_500

interface Deployed {
  readonly url: string
  /** Who is replaced if it fails. */
  master (): Promise<RedisServer>
  replaced (master: RedisServer): Promise<boolean>
  settled (): Promise<void>
}

async function onCluster (t: Test): Promise<Deployed> {
  const { url, shards, settled } = await startRedisCluster(t)
  const masters = async (): Promise<RedisServer[]> => (await shards()).map(({ master }) => master)
  return { url, settled, master: async () => (await masters())[0] as RedisServer, replaced: async old => !(await masters()).includes(old) }
}

async function onSentinel (t: Test): Promise<Deployed> {
  const { url, master, settled } = await startSentinel(t)
  return { url, settled, master, replaced: async old => await master() !== old }
}

const kinds = [['a Redis Cluster', onCluster], ['Redis with Sentinel', onSentinel]] as const
for (const [name, deploy] of kinds.slice(0, KINDS)) {
  t.test(`two replicas on ${name} of which a master is killed: reads lag a second at most, and then not at all`, SKIP, async t => {
    const redis = await deploy(t)
    const replicas = await replicasOn(t, [redis.url, redis.url])
    await replicas.apis[0].post('/v1/push', PLANS)
    const callers = compareOn(replicas, await subscribed(replicas.apis[0], 'moving', ORGS), PAUSE_MS)
    for (let round = 0; round < ROUNDS; round += 1) {
      const master = await redis.master()
      await master.kill()
      await until('it is replaced', async () => await redis.replaced(master), REPLACED_WITHIN_MS)
      await mirrorIs('ok', replicas.apis)
      await master.start()
      await redis.settled()
      await mirrorIs('ok', replicas.apis)
    }
    const { pairs, lagging, wrong, longestMs, last } = await callers.stop()
    t.comment(`${pairs} pairs, of which ${lagging} read an older figure; the longest call took ${Math.round(longestMs)} ms`)
    t.strictSame(wrong, [])
    t.ok(longestMs < CALL_MAX_MS, 'every call is answered meanwhile')
    await sleep(LAG_MS)
    t.strictSame(await inexact(replicas, last), [], 'then every read is exact again')
  })
}
