import { Redis } from 'ioredis'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Scope } from '../fixtures/guard.ts'
import { tcpProxy, type TcpProxy } from '../fixtures/proxy.ts'
import { privateRedis, type RedisServer } from '../fixtures/redis.ts'
import { until } from '../storage/until.ts'

/** Where the replicas find Redis: one server after the other, which remember different things. */
export interface RedisPlace {
  /** A way there of the caller's own. It leads to whichever server is in charge. */
  link: () => Promise<TcpProxy>
  pause: () => void
  resume: () => void
  kill: () => Promise<void>
  startEmpty: () => Promise<void>
  wipe: () => Promise<void>
  /** Remembers what is there now, for `startFromSnapshot`. */
  snapshot: () => Promise<void>
  startFromSnapshot: () => Promise<void>
  /** Starts a replica of Redis that has seen all, and from now on sees nothing. */
  startLaggard: () => Promise<void>
  /** Puts the laggard in charge of these links; the server before it goes on for the others. */
  promoteFor: (links: readonly TcpProxy[]) => Promise<void>
  /** The laggard is in charge of all, and the server before it is gone. */
  promote: () => Promise<void>
}

/** A replica of Redis gets what there is at once, not with others that may come. */
const AT_ONCE = ['--repl-diskless-sync-delay', '0']
const SYNC_WITHIN_MS = 20_000

interface Laggard { readonly server: RedisServer, readonly feed: TcpProxy }

export async function redisPlace (t: Scope): Promise<RedisPlace> {
  const links: TcpProxy[] = []
  let server = await privateRedis(t, { args: AT_ONCE })
  let laggard: Laggard | undefined

  function lead (led: readonly TcpProxy[], { port }: RedisServer): void {
    for (const link of led) {
      link.target(port)
      link.reset()
    }
  }

  async function promoteFor (led: readonly TcpProxy[]): Promise<void> {
    const { server: promoted } = laggard as Laggard
    await told(promoted, async redis => await redis.replicaof('NO', 'ONE'))
    lead(led, promoted)
  }

  return {
    link: async () => {
      const link = await tcpProxy(t, server.port)
      links.push(link)
      return link
    },
    pause: () => server.pause(),
    resume: () => server.resume(),
    kill: async () => await server.kill(),
    startEmpty: async () => {
      rmSync(join(server.dir, 'dump.rdb'), { force: true })
      await server.start()
    },
    wipe: async () => await told(server, async redis => await redis.flushall()),
    snapshot: async () => await told(server, async redis => await redis.save()),
    startFromSnapshot: async () => await server.start(),
    startLaggard: async () => {
      const [feed, follower] = await Promise.all([tcpProxy(t, server.port), privateRedis(t, { args: AT_ONCE })])
      laggard = { feed, server: follower }
      await asked(follower, async redis => {
        await redis.replicaof('127.0.0.1', feed.port)
        await until('it has seen all', async () => (await redis.info('replication')).includes('link_status:up'), SYNC_WITHIN_MS)
      })
      feed.hold()
    },
    promoteFor,
    promote: async () => {
      const { server: promoted, feed } = laggard as Laggard
      await server.kill()
      await promoteFor(links)
      feed.refuse()
      feed.reset()
      server = promoted
      laggard = undefined
    }
  }
}

async function told (server: RedisServer, tell: (redis: Redis) => Promise<unknown>): Promise<void> {
  await asked(server, tell)
}

async function asked<T> ({ url }: RedisServer, ask: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url)
  try {
    return await ask(redis)
  } finally {
    redis.disconnect()
  }
}
