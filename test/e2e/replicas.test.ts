import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { inBackground, inParallel } from './callers.ts'
import { compareOn, inexact, LAG_MS, orderOf, PLANS, subscribe, subscribed, usedAfter, usedBy } from './pairs.ts'
import { failedPublishes, mirrorIs, type Replicas, replicasMissing, twoReplicas } from './replicas.ts'
import { sizeOf } from './sizes.ts'

const [LANES, PAIRS, OTHERS] = [sizeOf('LANES', 20), sizeOf('PAIRS', 2_000, 10_000), sizeOf('OTHERS', 6)]
const [PARTS, PARTS_AGAIN_MAX] = [10, 5]
const [STALLS, ROUNDS] = [sizeOf('STALLS', 4, 10), sizeOf('ROUNDS', 10, 25)]
/** Between two calls of a caller, while Redis is in trouble for ten seconds. */
const PAUSE_MS = sizeOf('PAUSE_MS', 100, 0)
/** Pairs of each org, one after the other: what one replica answers, the other one must say. @returns those that were stale */
async function pairsOf (replicas: Replicas, orgs: readonly string[], from: number, to: number): Promise<string[]> {
  const stale: string[] = []
  await Promise.all(orgs.map(async org => {
    for (let n = from; n < to; n += 1) {
      const [writer, reader] = orderOf(replicas, n)
      const reported = await usedAfter(writer, org)
      const way = n % 25 === 0 ? 'usage' : n % 25 === 1 ? 'all' : 'can'
      const read = await usedBy(reader, org, way)
      if (reported !== n + 1) throw new Error(`${org}: report ${n + 1} was answered ${reported}`)
      if (read !== reported) stale.push(`${org}: answered ${reported}, ${way} said ${read}`)
    }
  }))
  return stale
}

/** The same two processes live through all of it; each test has orgs of its own. */
async function deployment (): Promise<Replicas> {
  const replicas = await twoReplicas(t, { sockets: LANES + OTHERS })
  await replicas.apis[0].post('/v1/push', PLANS)
  return replicas
}

const it = replicasMissing === false ? await deployment() : undefined
const suite = (name: string, test: (t: Test, replicas: Replicas) => Promise<void>): void => {
  void t.test(name, { skip: replicasMissing }, async t => await test(t, it as Replicas))
}

suite('what one replica answered the other one knows, under load from others', async (t, replicas) => {
  const orgs = await subscribed(replicas.apis[0], 'pair', LANES)
  const strangers = await subscribed(replicas.apis[0], 'stranger', OTHERS)
  const load = inBackground(OTHERS, async (caller, n) => {
    const [api] = orderOf(replicas, n >> 1)
    const own = n % 3 === 0 ? strangers[caller] : orgs[(caller + n) % orgs.length]
    await usedAfter(api, own as string, 'feature:other')
  })
  const stale: string[] = []
  const perPart = PAIRS / LANES / PARTS
  let [done, again, failures] = [0, 0, await failedPublishes(replicas.apis)]
  while (done < PARTS) {
    const from = (done + again) * perPart
    const found = await pairsOf(replicas, orgs, from, from + perPart)
    const failed = await failedPublishes(replicas.apis) - failures
    failures += failed
    // On a machine that stalls, Redis looks slow; the second that the design then allows is no fault, and such a part is done again.
    if (failed > 0 && again < PARTS_AGAIN_MAX) {
      again += 1
    } else {
      stale.push(...found)
      done += 1
    }
  }
  await load.stop()
  t.comment(`${PAIRS} pairs, ${load.rounds()} reports by others, ${again} of ${PARTS} parts done again`)
  t.ok(load.rounds() > PAIRS / 20, 'there was load')
  t.strictSame(stale, [])
})

suite('a replica that stalls for a moment does not take Redis for slow, and nobody reads an old figure', async (t, { apis, services: [{ pid }] }) => {
  const orgs = await subscribed(apis[0], 'stall', LANES)
  const stale: string[] = []
  const load = inBackground(LANES, async lane => {
    const [org, [writer, reader]] = [orgs[lane] as string, apis]
    const reported = await usedAfter(writer, org)
    const read = await usedBy(reader, org)
    if (read !== reported) stale.push(`${org}: answered ${reported}, read ${read}`)
  })
  const before = await failedPublishes(apis)
  for (let n = 0; n < STALLS; n += 1) {
    await sleep(100)
    process.kill(pid, 'SIGSTOP')
    // Longer than a command to Redis may take.
    await sleep(300)
    process.kill(pid, 'SIGCONT')
  }
  await load.stop()
  t.equal(await failedPublishes(apis) - before, 0, 'Redis had answered in time')
  t.strictSame(stale, [])
})

suite('several callers of one feature, each reads at least what it was answered, and the sum in the end', async (t, replicas) => {
  const [org] = await subscribed(replicas.apis[0], 'shared', 1) as [string]
  const stale: string[] = []
  await inParallel(LANES, async lane => {
    for (let n = 0; n < ROUNDS; n += 1) {
      const [writer, reader] = orderOf(replicas, n + lane)
      const reported = await usedAfter(writer, org)
      const read = await usedBy(reader, org)
      if (read === undefined || read < reported || read > LANES * ROUNDS) stale.push(`answered ${reported}, read ${read}`)
    }
  })
  t.strictSame(stale, [])
  for (const api of replicas.apis) t.equal(await usedBy(api, org), LANES * ROUNDS)
})

suite('a subscription that one replica made the other one knows at once', async (t, replicas) => {
  const limits = new Map([['plan:free@0', 1e9], ['plan:pro@0', 2e9]])
  const wrong: string[] = []
  await inParallel(8, async lane => {
    const org = `org:moving-${lane}`
    for (let n = 0; n < 30; n += 1) {
      const [writer, reader] = orderOf(replicas, n)
      const plan = n % 3 === 0 ? 'plan:free@0' : 'plan:pro@0'
      if (n === 0 && (await reader.get('/v1/can', { org })).body.code !== 'org_not_found') wrong.push(`${org} was known`)
      await subscribe(writer, org, plan)
      const { body: { limit, used } } = await reader.get('/v1/can', { org, feature: 'feature:pair' })
      if (limit !== limits.get(plan) || used !== n) wrong.push(`${org}: ${plan} shows ${limit}, and ${used} of ${n}`)
      const { body } = await reader.post('/v1/report', { org, feature: 'feature:pair' })
      if (body.limit !== limits.get(plan) || body.used !== n + 1) wrong.push(`${org}: ${plan} reports ${JSON.stringify(body)}`)
    }
  })
  t.strictSame(wrong, [])
})

/** What can happen to Redis, and to the way there, while the callers go on. */
async function trouble (t: Test, { redis, firstToRedis, apis }: Replicas, client: Redis): Promise<void> {
  const sane = async () => await mirrorIs('ok', apis)
  firstToRedis.refuse()
  firstToRedis.cut()
  await sleep(1_700)
  await firstToRedis.pass()
  await sane()
  firstToRedis.delay(400)
  await sleep(1_300)
  await firstToRedis.pass()
  await sane()
  redis.pause()
  await sleep(1_700)
  redis.resume()
  await sane()
  await client.flushall()
  await sleep(300)
  await redis.kill()
  await sleep(1_500)
  await redis.start()
  await sane()
  for (let n = 0; n < 5; n += 1) {
    await client.flushall()
    await sleep(50)
  }
  t.pass('Redis was cut off, slow, frozen, wiped, killed and started empty')
}

suite('Redis cut off, frozen, wiped and killed: answers stay right, reads lag a second at most, and then not at all', async (t, replicas) => {
  const client = new Redis(replicas.redis.url, { retryStrategy: () => 20 })
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  const orgs = await subscribed(replicas.apis[0], 'faulty', LANES)
  const callers = compareOn(replicas, orgs, PAUSE_MS)
  await trouble(t, replicas, client)
  const { pairs, lagging, wrong, last } = await callers.stop()
  await mirrorIs('ok', replicas.apis)
  await sleep(LAG_MS)
  t.comment(`${pairs} pairs, of which ${lagging} read an older figure`)
  t.strictSame(wrong, [])
  t.ok(lagging > 0, 'a replica that was cut off from Redis could not tell the other one at once')
  t.strictSame(await inexact(replicas, last), [], 'with Redis back, every read is exact again')
})
