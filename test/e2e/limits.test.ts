import fc from 'fast-check'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { serve, type Service } from '../fixtures/process.ts'
import { privateRedis } from '../fixtures/redis.ts'
import { sized } from '../fixtures/size.ts'
import { until } from '../storage/until.ts'
import { type Api, apiOf } from './api.ts'
import { type Answered, consumeAll, type Wanted } from './consuming.ts'
import { rowsOfPostgres } from './ledger-rows.ts'
import { type Judgement, judgedByLimit } from './limit-judge.ts'
import { mirrorIs, replicasMissing } from './replicas.ts'

const { LIMITS_ROUNDS, LIMITS_SEED } = process.env
/** Of each kind; `LIMITS_ROUNDS=50` is the long form. */
const ROUNDS = LIMITS_ROUNDS === undefined
  ? { quiet: sized(1, 2), faulty: 1 }
  : { quiet: Number(LIMITS_ROUNDS), faulty: Number(LIMITS_ROUNDS) }
const SEED = Number(LIMITS_SEED ?? Date.now() % 1_000_000)
const [REPLICAS, CONSUMES, LIMIT_MAX, WIPES] = [4, 2_000, 500, 3]
const FEATURE = 'feature:calls'
/** On two busy cores; a tenth of it on quiet ones. */
const [START_TIMEOUT_MS, ROUND_TIMEOUT_MS] = [240_000, 60_000]

t.setTimeout(START_TIMEOUT_MS + (ROUNDS.quiet + ROUNDS.faulty) * ROUND_TIMEOUT_MS)

interface Replica {
  service: Service
  api: Api
}

interface Round {
  readonly org: string
  readonly limit: number
  readonly wanted: readonly Wanted[]
  /** After so many answers Redis is wiped, each time. */
  readonly wipes: readonly number[]
  /** After so many answers the replica that owes the most is killed. */
  readonly killAfter: number
}

/** Amounts have up to three decimals; together they are many times the limit, or half of it. */
function roundOf (seed: number): Round {
  const [round] = fc.sample(fc.record({
    limit: fc.integer({ min: 1, max: LIMIT_MAX }),
    share: fc.constantFrom(2, 20, 200, 200, 2_000),
    amounts: fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: CONSUMES, maxLength: CONSUMES, size: 'max' }),
    wipes: fc.array(fc.integer({ min: 50, max: CONSUMES - 500 }), { minLength: WIPES, maxLength: WIPES }),
    killAfter: fc.integer({ min: 1, max: CONSUMES / 4 })
  }), { seed, numRuns: 1 })
  if (round === undefined) throw new Error('one was asked for')
  const { limit, share, amounts, ...faults } = round
  const wanted = amounts.map((amount, i) => ({ id: `${seed}-${i}`, n: Math.ceil(amount * limit / share) / 1_000 }))
  return { org: `org:limit-${seed}`, limit, wanted, ...faults }
}

t.test('a limit is exact, with two thousand callers and four replicas', { skip: replicasMissing }, async t => {
  const databaseUrl = await freshLedger(t)
  const redis = await privateRedis(t)
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  const start = async (): Promise<Replica> => {
    const service = await serve(t, { env: { DATABASE_URL: databaseUrl, REDIS_URL: redis.url } })
    return { service, api: apiOf(t, service.url, { sockets: CONSUMES / REPLICAS }) }
  }
  const replicas: Replica[] = []
  while (replicas.length < REPLICAS) replicas.push(await start())
  await mirrorIs('ok', replicas.map(({ api }) => api))

  async function prepare ({ org, limit }: Round): Promise<void> {
    const [{ api }] = replicas as [Replica]
    const plan = `plan:${org.slice(4)}@0`
    await answered(api.post('/v1/push', { plans: { [plan]: { features: { [FEATURE]: { tiers: [{ upto: limit }] } } } } }))
    await answered(api.post('/v1/subscribe', { org, phases: [{ features: [plan] }] }))
  }

  async function judge (t: Test, { org, limit, wanted }: Round, answers: readonly Answered[], alive: readonly Api[]): Promise<Judgement> {
    const { events, counters } = await rowsOfPostgres(databaseUrl)
    const own = { events: events.filter(event => event.org === org), counters: counters.filter(counter => counter.org === org) }
    const judgement = judgedByLimit(limit, wanted, answers, own)
    t.strictSame(judgement.wrong, [], `seed ${SEED}: every answer agrees with the events`)
    for (const api of alive) {
      await until('every replica says what was used', async () => (await api.get('/v1/can', { org, feature: FEATURE })).body.used === judgement.used)
    }
    return judgement
  }

  await t.test(`${ROUNDS.quiet} rounds`, async t => {
    for (let n = 0; n < ROUNDS.quiet; n += 1) {
      const round = roundOf(SEED + n)
      await prepare(round)
      const apis = replicas.map(({ api }) => api)
      const answers = await consumeAll(apis, round.org, FEATURE, round.wanted)
      const { accepted, refused, used } = await judge(t, round, answers, apis)
      t.comment(`limit ${round.limit}: ${accepted} accepted, ${refused} refused, ${used} used`)
      t.equal(accepted + refused, CONSUMES)
    }
  })

  await t.test(`${ROUNDS.faulty} rounds, with Redis wiped and a replica killed in each; then all is sent again`, async t => {
    for (let n = 0; n < ROUNDS.faulty; n += 1) {
      const round = roundOf(SEED + ROUNDS.quiet + n)
      await prepare(round)
      const apis = replicas.map(({ api }) => api)
      const answeredBy = replicas.map(() => 0)
      let victim = -1
      const faults: Array<Promise<unknown>> = []
      const answers = await consumeAll(apis, round.org, FEATURE, round.wanted, by => {
        answeredBy[by] = (answeredBy[by] ?? 0) + 1
        const count = answeredBy.reduce((sum, answers) => sum + answers, 0)
        if (round.wipes.includes(count)) faults.push(client.flushall())
        if (count !== round.killAfter) return
        victim = answeredBy.indexOf(Math.min(...answeredBy))
        faults.push((replicas[victim] as Replica).service.kill('SIGKILL'))
      })
      await Promise.all(faults)
      t.equal(faults.length, new Set(round.wipes).size + 1, 'what was to go wrong went wrong')
      const alive = apis.filter((_, i) => i !== victim)
      const first = await judge(t, round, answers, alive)
      const again = await consumeAll(alive, round.org, FEATURE, round.wanted)
      const second = await judge(t, round, [...answers, ...again], alive)
      t.comment(`limit ${round.limit}: ${first.accepted} accepted, ${first.unanswered} lost their answer at first; ${second.accepted} in the end`)
      t.equal(again.filter(({ body: { ok, duplicate } }) => ok === true && duplicate === true).length, first.accepted, 'a retry of what was counted says so')
      if (n + 1 < ROUNDS.faulty) replicas[victim] = await start()
    }
  })
})

async function answered (answer: ReturnType<Api['post']>): Promise<void> {
  const { status, text } = await answer
  if (status !== 200) throw new Error(text)
}
