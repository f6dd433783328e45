import { Redis } from 'ioredis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import { bareFastify, LIMIT, listen, type ReportBody, schemasOfTheService } from './baseline.ts'

/** rate-limiter-flexible in the place of `consume`: check and count in one step, in Redis alone. So it is not durable. */

const WINDOW_SECONDS = 30 * 24 * 60 * 60

const redis = new Redis(process.env.REDIS_URL ?? '')
const limiter = new RateLimiterRedis({ storeClient: redis, keyPrefix: 'bench-limiter', points: LIMIT, duration: WINDOW_SECONDS })

const app = bareFastify()
const { consume } = await schemasOfTheService()

app.post<{ Body: ReportBody }>('/v1/consume', { schema: consume }, async ({ body: { org, feature, n } }) => {
  const { consumedPoints, remainingPoints, msBeforeNext } = await limiter.consume(`${org} ${feature}`, n)
  const end = Date.now() + msBeforeNext
  const window = { start: new Date(end - WINDOW_SECONDS * 1_000).toISOString(), end: new Date(end).toISOString() }
  return {
    ok: true,
    reason: 'within_limit',
    id: '019bb2a0-0000-7000-8000-000000000000',
    org,
    feature,
    used: consumedPoints,
    reserved: 0,
    limit: LIMIT,
    remaining: remainingPoints,
    overage: 0,
    window,
    resetsAt: window.end,
    version: null,
    duplicate: false
  }
})

app.addHook('onClose', async () => { await redis.quit() })
await listen(app)
