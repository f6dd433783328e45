import { Redis } from 'ioredis'
import { test } from 'tap'
import type { Statement } from '../../src/storage/database.ts'
import { type Api, type Body, openApi } from '../fixtures/api.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { privateRedis, redisProgramMissing } from '../fixtures/redis.ts'
import { until } from '../storage/until.ts'

const QUESTIONS = 1_000
const NAMES = Array.from({ length: QUESTIONS }, (_, i) => `org:${i}`)

/** As subscribing and reporting one by one would leave them, without its thousands of transactions. */
async function fill ({ database }: Api): Promise<void> {
  const run = async (text: string): Promise<void> => { await database.run([{ text, params: [] }]) }
  await run(`insert into orgs (environment, name) select 'test', 'org:' || n from generate_series(0, ${QUESTIONS - 1}) n`)
  await run(`insert into subscriptions (org, id, plan, starts_at, status, anchor_at, time_zone, phase_at)
    select o.id, o.id, p.id, now(), 'active', now(), 'UTC', now() from orgs o, plans p`)
}

async function ask (api: Api): Promise<Body[]> {
  return (await api.post('/v1/can', { questions: NAMES.map(org => ({ org, feature: 'feature:calls' })) })).body.results
}

/** How often each command was run, as Redis counts them. */
async function commandsOf (redis: Redis): Promise<Record<string, number>> {
  const stats = await redis.info('commandstats')
  return Object.fromEntries([...stats.matchAll(/^cmdstat_(\w+):calls=(\d+)/gm)].map(([, name = '', calls]) => [name, Number(calls)]))
}

/** Statements that the ledger was sent, one array for each round trip. */
function watch ({ database }: Api): string[][] {
  const sent: string[][] = []
  const { run } = database
  Object.assign(database, {
    run: async (statements: readonly Statement[]) => {
      sent.push(statements.map(({ text }) => text))
      return await run(statements)
    }
  })
  return sent
}

test('a thousand questions are one command to Redis, and one round trip to the ledger for what Redis has not', {
  skip: postgresMissing || redisProgramMissing
}, async t => {
  const server = await privateRedis(t)
  const api = await openApi(t, { on: 'servers', databaseUrl: await freshLedger(t), redisUrl: server.url, mirrorAgeMaxMs: 60_000 })
  const redis = new Redis(server.url)
  t.teardown(() => redis.disconnect())
  await api.push({ 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } } })
  await fill(api)
  const trips = watch(api)
  const tripsWith = (text: string): number => trips.filter(statements => statements.some(statement => statement.includes(text))).length
  const mirrored = async (): Promise<boolean> => await redis.dbsize() === 2 * QUESTIONS

  t.equal((await ask(api)).length, QUESTIONS)
  t.strictSame([tripsWith('left join "subscriptions"'), tripsWith('left join counters')], [1, 1], 'one for the orgs, one for their counters')
  await until('all of it is in the mirror', mirrored)
  const before = await commandsOf(redis)
  const answers = await ask(api)
  const after = await commandsOf(redis)
  t.strictSame({ ...after, info: 0 }, { ...before, mget: (before.mget ?? 0) + 1, info: 0 }, 'one command, and nothing else')
  t.strictSame(answers.map(({ org, ok, degraded }) => [org, ok, degraded]), NAMES.map(org => [org, true, false]))

  await redis.flushall()
  trips.length = 0
  t.strictSame(await ask(api), answers)
  t.strictSame([tripsWith('left join "subscriptions"'), tripsWith('left join counters')], [0, 1], 'orgs are known here, counters are asked for at once')
})
