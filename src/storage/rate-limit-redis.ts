import type { Cluster, Redis } from 'ioredis'
import { openRedis, serverGuard } from './redis-client.ts'

/** Where replicas count requests together. */
export interface RateLimitRedis {
  readonly client: Redis | Cluster
  /** What names of counts begin with. */
  readonly prefix: string
  /** Rejects soon where Redis is slow, and at once while it is known to be away. */
  attempt <T> (question: () => Promise<T>): Promise<T>
  close (): void
}

export interface RateLimitRedisOptions {
  /** As the mirror's. */
  readonly url: string
  readonly ledgerId: string
  /** Told about lost and regained connections. */
  readonly onError: (error: Error) => void
}

export function rateLimitRedis ({ url, ledgerId, onError }: RateLimitRedisOptions): RateLimitRedis {
  const { redis: client, close } = openRedis(url, onError)
  const guard = serverGuard()
  return {
    client,
    prefix: `tollgate:${ledgerId}:requests:`,
    attempt: async question => await guard(question),
    close
  }
}
