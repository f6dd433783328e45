import { Redis } from 'ioredis'
import { test } from 'tap'
import { serve } from '../fixtures/process.ts'
import { freshRedis, redisMissing } from '../fixtures/redis.ts'
import { anyLedger } from './embedded.ts'

test('the settings limit each caller, with counts in Redis that end with their window', { skip: redisMissing }, async t => {
  const url = await freshRedis(t)
  const service = await serve(t, {
    env: { ...await anyLedger(t), REDIS_URL: url, RATE_LIMIT_REQUESTS_PER_KEY: '2', RATE_LIMIT_WINDOW_SECONDS: '3600' }
  })
  const statuses: number[] = []
  for (let i = 0; i < 3; i += 1) statuses.push((await fetch(`${service.url}/v1/whoami`)).status)
  t.strictSame(statuses, [200, 200, 429])
  const redis = new Redis(url)
  t.teardown(() => redis.disconnect())
  const [name = '', ...others] = await redis.keys('tollgate:*:requests:*')
  t.match(name, /^tollgate:[\da-f-]{36}:requests:address:(::ffff:)?127\.0\.0\.1$/)
  t.strictSame(others, [])
  t.ok(await redis.ttl(name) > 3_000)
  t.strictSame(await service.kill(), { code: 0, signal: null })
})
