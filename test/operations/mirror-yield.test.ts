import { Redis } from 'ioredis'
import t from 'tap'
import { type Api, type Body, openApi } from '../fixtures/api.ts'
import { postgresProgramsMissing, privatePostgres, type PostgresServer } from '../fixtures/postgres.ts'
import { freshRedis, redisMissing } from '../fixtures/redis.ts'
import { until } from '../storage/until.ts'

const missing = postgresProgramsMissing || redisMissing
const FEATURE = 'feature:calls'
const ORGS = Array.from({ length: 300 }, (_, i) => `org:many-${i}`)
/** After 1,500 questions in vain, which are five rounds, the mirror is asked little. */
const ROUNDS = 6
const NEW_ORGS_AT_ONCE = 100

type Counts = Record<'hit' | 'stale' | 'failed' | 'skipped', number>

async function reads ({ metrics }: Api): Promise<Counts> {
  const text = await metrics.registry.metrics()
  const count = (result: string): number => Number(new RegExp(`^tollgate_mirror_reads_total{result="${result}"} (\\d+)`, 'm').exec(text)?.[1] ?? 0)
  return { hit: count('hit'), stale: count('stale'), failed: count('failed'), skipped: count('skipped') }
}

/** A process that was asked about each of many orgs again and again, and never found an entry. */
async function inVain (): Promise<{ api: Api, postgres: PostgresServer, redis: Redis, counts: Counts }> {
  const [postgres, redisUrl] = await Promise.all([privatePostgres(t), freshRedis(t)])
  t.teardown(() => postgres.resume())
  const api = await openApi(t, { on: 'servers', databaseUrl: postgres.url, redisUrl })
  await api.push({ 'plan:free@0': { features: { [FEATURE]: { tiers: [{ upto: 10 }] } } } })
  await api.settings({ defaultPlan: 'plan:free@0' })
  // Each org is new, and made in a transaction of its own: all at once, the last ones would wait for long.
  for (let from = 0; from < ORGS.length; from += NEW_ORGS_AT_ONCE) {
    const reports = ORGS.slice(from, from + NEW_ORGS_AT_ONCE).map(org => ({ org, feature: FEATURE, n: 4 }))
    const { body: { results } } = await api.post('/v1/reports', { reports })
    t.ok(results.every(({ result }: Body) => result === 'counted'))
  }
  const redis = new Redis(redisUrl)
  t.teardown(() => redis.disconnect())
  for (let round = 0; round < ROUNDS; round += 1) {
    await redis.flushdb()
    await askEach(api)
    await until('the mirror was told of all', async () => await redis.dbsize() >= 2 * ORGS.length)
  }
  return { api, postgres, redis, counts: await reads(api) }
}

async function askEach (api: Api): Promise<void> {
  const { body: { results } } = await api.post('/v1/can', { questions: ORGS.map(org => ({ org, feature: FEATURE })) })
  t.ok(results.every(({ ok, used, degraded }: Body) => ok === true && used === 4 && degraded === false))
}

const { api, postgres, redis, counts } = missing === false ? await inVain() : {} as Awaited<ReturnType<typeof inVain>>

t.test('questions that find nothing in the mirror stop to ask it, but for one in sixteen', { skip: missing }, async t => {
  const { hit, stale, failed, skipped } = counts
  t.equal(hit, 0)
  t.equal(stale + failed + skipped, ROUNDS * ORGS.length, 'each question is counted')
  // Those of the last round.
  t.ok(skipped > ORGS.length * 0.9 && skipped < ORGS.length, `${skipped} were skipped`)
})

t.test('nor is it told again what it was told a moment ago', { skip: missing }, async t => {
  const keys = (await redis.keys('*')).sort()
  const before = await redis.mget(keys)
  // Twice: what the first had it told has arrived when the second is answered.
  await askEach(api)
  await askEach(api)
  const after = await redis.mget(keys)
  const told = after.filter((text, i) => text !== before[i]).length
  t.ok(told < keys.length / 4, `${told} of ${keys.length} entries were written again`)
})

t.test('what was counted a moment ago is in the next answer', { skip: missing }, async t => {
  for (const [i, org] of ORGS.slice(0, 40).entries()) {
    await api.report(org, FEATURE, 1 + i % 2)
    t.equal((await api.can(org, FEATURE)).used, 5 + i % 2)
  }
})

t.test('with the ledger away, the mirror is read all the same', { skip: missing }, async t => {
  postgres.pause()
  await until('answers are from before', async () => (await api.can('org:many-200', FEATURE)).degraded === true)
  for (const org of ORGS.slice(200, 240)) t.hasStrict(await api.can(org, FEATURE), { ok: true, reason: 'within_limit', used: 4, degraded: true })
  postgres.resume()
  await until('answers are from now', async () => (await api.can('org:many-200', FEATURE)).degraded === false)
})

t.test('what has changed is told at once', { skip: missing }, async t => {
  await api.can('org:many-298', FEATURE)
  await api.report('org:many-298', FEATURE, 0)
  await redis.flushdb()
  t.equal((await api.can('org:many-298', FEATURE)).used, 4)
  await until('it is in the mirror', async () => await redis.dbsize() === 2)
})

t.test('a few hundred questions about a busy org are enough to ask it again', { skip: missing }, async t => {
  for (let i = 0; i < 1_000; i += 1) await api.can('org:many-1', FEATURE)
  const before = await reads(api)
  for (let i = 0; i < 100; i += 1) await api.can('org:many-1', FEATURE)
  const after = await reads(api)
  t.equal(after.skipped, before.skipped)
  t.ok(after.hit - before.hit > 50, `${after.hit - before.hit} of 100 from the mirror`)
})
