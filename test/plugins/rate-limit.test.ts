import t, { type Test } from 'tap'
import type { RateLimitTerms } from '../../src/plugins/rate-limit.ts'
import { createKey } from '../../src/operations/keys.ts'
import { rateLimitRedis } from '../../src/storage/rate-limit-redis.ts'
import { type Api, openApi, type Reply } from '../fixtures/api.ts'
import { privateRedis, redisProgramMissing } from '../fixtures/redis.ts'
import { until } from '../storage/until.ts'

const ADMIN_KEY = 'prv_live_0123456789abcdef'
/** So long that none ends during a test. */
const HOUR_SECONDS = 3_600

const ledger = await openApi(t)

async function limited (requestsMax: number, more: Partial<RateLimitTerms> = {}): Promise<Api> {
  return await ledger.as(ADMIN_KEY, undefined, { rateLimit: { requestsMax, windowSeconds: HOUR_SECONDS, redis: undefined, ...more } })
}

async function newKey (): Promise<{ authorization: string }> {
  const wanted = { kind: 'private', scopes: ['read'], name: '', expiresAt: null } as const
  return { authorization: `Bearer ${(await createKey(ledger.stores, 'live', wanted, Date.now())).key}` }
}

const whoami = async (api: Api, headers = {}): Promise<Reply> => await api.send({ method: 'GET', url: '/v1/whoami', headers })

async function statuses (api: Api, requests: number, headers = {}): Promise<number[]> {
  const found: number[] = []
  for (let i = 0; i < requests; i += 1) found.push((await whoami(api, headers)).status)
  return found
}

t.test('each key has its share, however much others send', async t => {
  const api = await limited(3)
  const [one, other] = [await newKey(), await newKey()]
  t.strictSame(await statuses(api, 5, one), [200, 200, 200, 429, 429])
  t.strictSame(await statuses(api, 4, other), [200, 200, 200, 429])
  t.strictSame(await statuses(api, 4), [200, 200, 200, 429], 'the key of the settings too')
})

t.test('answers say what is left; the one that is refused says when to come back', async t => {
  const api = await limited(2)
  const headers = await newKey()
  const first = await whoami(api, headers)
  t.equal(first.headers['ratelimit-policy'], '"per-key";q=2;w=3600')
  t.match(first.headers.ratelimit, /^"per-key";r=1;t=3\d{3}$/)
  t.match((await whoami(api, headers)).headers.ratelimit, /^"per-key";r=0;t=3\d{3}$/)
  const refused = await whoami(api, headers)
  t.hasStrict(refused.body, { status: 429, code: 'rate_limited' })
  t.match(refused.body.message, /^more than 2 requests in 3600 seconds; try again in 3\d{3} seconds$/)
  t.match(refused.headers['retry-after'], /^3\d{3}$/)
  t.match(refused.headers.ratelimit, /^"per-key";r=0;t=3\d{3}$/)
})

t.test('Kana\'s APIs are limited as well', async t => {
  const api = await limited(1)
  const headers = { ...await newKey(), 'content-type': 'application/json' }
  const ask = async (url: string): Promise<Reply> => await api.send({ method: 'POST', url, headers, payload: { query: '{ __typename }' } })
  t.strictSame((await ask('/graphql')).body, { data: { __typename: 'Query' } })
  t.match((await ask('/graphql')).body, { errors: [{ message: /more than 1 request/ }] })
})

t.test('a new window is a new share', async t => {
  const api = await limited(1, { windowSeconds: 1 })
  const headers = await newKey()
  t.strictSame(await statuses(api, 2, headers), [200, 429])
  await until('it is let in again', async () => (await whoami(api, headers)).status === 200)
})

t.test('without a limit, and outside of what keys are for, nobody is counted', async t => {
  const open = await whoami(await ledger.as(ADMIN_KEY))
  t.equal(open.headers.ratelimit, undefined)
  const api = await limited(1)
  await statuses(api, 2)
  for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json']) t.equal((await api.get(path)).status, 200, path)
})

t.test('who is refused for the key was not asked for, and is not counted', async t => {
  const api = await limited(2)
  t.strictSame(await statuses(api, 5, { authorization: 'Bearer prv_live_fedcba9876543210' }), [401, 401, 401, 401, 401])
})

t.test('without keys callers are told apart by their addresses', async t => {
  const api = await openApi(t, { rateLimit: { requestsMax: 2, windowSeconds: HOUR_SECONDS, redis: undefined } })
  const from = async (remoteAddress: string): Promise<number> => (await api.send({ method: 'GET', url: '/v1/whoami', remoteAddress })).status
  for (const address of ['127.0.0.1', '127.0.0.2']) {
    t.strictSame([await from(address), await from(address), await from(address)], [200, 200, 429], address)
  }
})

t.test('with Redis', { skip: redisProgramMissing }, async t => {
  const server = await privateRedis(t)
  async function replica (t: Test, requestsMax: number): Promise<Api> {
    const redis = rateLimitRedis({ url: server.url, ledgerId: ledger.stores.ledgerId, onError: () => {} })
    t.teardown(() => redis.close())
    await until('Redis answers', async () => await redis.attempt(async () => await redis.client.ping()) === 'PONG')
    return await limited(requestsMax, { redis })
  }
  const uncounted = async (): Promise<number> =>
    Number(/^tollgate_rate_limit_uncounted_requests_total (\d+)/m.exec(await ledger.metrics.registry.metrics())?.[1])

  await t.test('replicas count together', async t => {
    const [a, b] = [await replica(t, 20), await replica(t, 20)]
    const headers = await newKey()
    const replies = await Promise.all(Array.from({ length: 60 }, async (_, i) => await whoami(i % 2 === 0 ? a : b, headers)))
    t.equal(replies.filter(({ status }) => status === 200).length, 20)
    t.equal(replies.filter(({ status }) => status === 429).length, 40)
  })

  await t.test('a Redis that is frozen holds nobody up, and nobody is refused; then it counts again', async t => {
    const api = await replica(t, 2)
    const headers = await newKey()
    const before = await uncounted()
    server.pause()
    const started = performance.now()
    const frozen = await statuses(api, 50, headers)
    const tookMs = performance.now() - started
    server.resume()
    t.ok(frozen.every(status => status === 200))
    t.ok(tookMs < 3_000, `50 requests took ${Math.round(tookMs)} ms`)
    t.ok(await uncounted() >= before + 50)
    await until('it counts again', async () => (await whoami(api, headers)).status === 429)
  })

  await t.test('nor one that is gone', async t => {
    const api = await replica(t, 2)
    const headers = await newKey()
    t.strictSame(await statuses(api, 3, headers), [200, 200, 429])
    await server.kill()
    await until('nobody counts', async () => (await whoami(api, headers)).status === 200)
    t.strictSame(await statuses(api, 5, headers), [200, 200, 200, 200, 200])
    t.equal((await whoami(api, headers)).headers.ratelimit, undefined)
    await server.start()
    await until('it counts again', async () => (await whoami(api, headers)).status === 429)
  })
})

t.end()
