import { setTimeout as sleep } from 'node:timers/promises'
import { pick, type Random } from '../e2e/random.ts'
import type { Scope } from '../fixtures/guard.ts'
import { startRedisCluster } from '../fixtures/redis-cluster.ts'
import { command, stopReplication } from '../fixtures/redis-command.ts'
import { startSentinel } from '../fixtures/redis-sentinel.ts'
import type { RedisServer } from '../fixtures/redis.ts'

/** Several servers that agree who is in charge. Replicas of Tollgate are told their addresses, so no way there can be broken alone. */
export interface RedisGroup {
  /** For `REDIS_URL`. */
  readonly url: string
  /** Kills one that is in charge. */
  kill: (random: Random) => Promise<void>
  /** The same, after its replica has seen nothing for up to `lagMaxMs`. */
  killAhead: (random: Random, lagMaxMs: number) => Promise<void>
  freeze: (random: Random) => Promise<void>
  /** All of them, at once. */
  killAll: () => Promise<void>
  wipe: () => Promise<void>
  /** Whoever was struck comes back, and all agree. */
  mend: () => Promise<void>
}

interface Members {
  readonly url: string
  readonly servers: readonly RedisServer[]
  masters: () => Promise<readonly RedisServer[]>
  settled: () => Promise<void>
}

export async function clusterGroup (t: Scope): Promise<RedisGroup> {
  const { url, nodes, shards, settled } = await startRedisCluster(t)
  return groupOf({ url, servers: nodes, masters: async () => (await shards()).map(({ master }) => master), settled })
}

export async function sentinelGroup (t: Scope): Promise<RedisGroup> {
  const { url, servers, master, settled } = await startSentinel(t)
  return groupOf({ url, servers, masters: async () => [await master()], settled })
}

function groupOf ({ url, servers, masters, settled }: Members): RedisGroup {
  let mends: Array<() => unknown> = []
  const killOne = async (server: RedisServer): Promise<void> => {
    await server.kill()
    mends.push(async () => await server.start())
  }
  return {
    url,
    kill: async random => await killOne(pick(random, await masters())),
    killAhead: async (random, lagMaxMs) => {
      const master = pick(random, await masters())
      await stopReplication(master)
      await sleep(random(lagMaxMs))
      await killOne(master)
    },
    freeze: async random => {
      const master = pick(random, await masters())
      master.pause()
      mends.push(() => master.resume())
    },
    killAll: async () => { await Promise.all(servers.map(killOne)) },
    wipe: async () => { await Promise.all((await masters()).map(async master => await command(master, 'FLUSHALL'))) },
    mend: async () => {
      const due = mends
      mends = []
      await Promise.all(due.map(async mend => await mend()))
      await settled()
    }
  }
}
