import { setTimeout as sleep } from 'node:timers/promises'
import type { Api } from '../e2e/api.ts'
import { failedPublishes } from '../e2e/replicas.ts'
import type { Scope } from '../fixtures/guard.ts'
import { until } from '../storage/until.ts'
import { type Judgement, judge } from './checks.ts'
import { faultsOf, isOfRedis } from './faults.ts'
import type { History } from './history.ts'
import { LEFT_MS } from './operations.ts'
import { FEATURES, HELD, PLANS } from './plans.ts'
import { read, traffic } from './reporters.ts'
import { type Happening, planOf, storm } from './storm.ts'
import { lastWords, openWorld, type World, type WorldName } from './world.ts'

/** Only reported for in the end; nobody judges it. */
const LAST = 'org:last'
const ORGS = Array.from({ length: 6 }, (_, i) => `org:${i}`)
/** So many of a run's faults, where there is a Redis, are of Redis alone. */
const ONLY_REDIS_SHARE = 0.3
const CALM_MS = 500
/** When all that callers were answered must be in every read, however Redis has failed. */
const SETTLED_MS = 2_000
const READY_WITHIN_MS = 10_000

export interface RoundOptions {
  readonly on: WorldName
  readonly replicas: number
  readonly faults: number
  readonly seed: number
  /** Only faults whose names contain this. */
  readonly named?: string
  /** Told each fault once it is mended. */
  readonly progress?: (line: string) => void
}

export interface RoundResult extends Judgement {
  readonly happenings: readonly Happening[]
  readonly seconds: number
}

/** Breaks one thing after the other while callers report and ask, and judges what they heard. Equal seeds break the same. */
export async function faultRound (t: Scope, { on, replicas, faults, seed, named = '', progress = () => {} }: RoundOptions): Promise<RoundResult> {
  const world = await openWorld(t, on, replicas)
  await prepare(world)
  const history: History = { works: [], reads: [] }
  const happenings: Happening[] = []
  const started = Date.now()
  const happened = (happening: Happening): void => {
    happenings.push(happening)
    progress(`${((happening.until - started) / 1_000).toFixed(1).padStart(6)} s  ${happening.name}, ${happening.until - happening.from} ms`)
  }
  const kinds = faultsOf(world).filter(({ name }) => name.includes(named))
  const ofRedis = kinds.filter(isOfRedis)
  const first = ofRedis.length === 0 ? 0 : Math.round(faults * ONLY_REDIS_SHARE)
  const callers = traffic(world, ORGS, history, seed)
  await sleep(CALM_MS)
  await storm(world, planOf(world, ofRedis, first, seed), happened)
  await sleep(CALM_MS)
  const onlyRedis = { from: started, until: Date.now() }
  await storm(world, planOf(world, kinds, faults - first, seed + 1), happened)
  await sleep(SETTLED_MS)
  await readAll(world, history, false)
  await callers.stop().catch(cause => { throw new Error(`${(cause as Error).message}; ${lastWords(world)}`, { cause }) })
  progress('every caller has its answer')
  await sleep(LEFT_MS)
  await readAll(world, history, true)
  await publishesAgain(world)
  const { events, counters } = await world.rows()
  const rows = { events: events.filter(({ org }) => org !== LAST), counters: counters.filter(({ org }) => org !== LAST) }
  const failedPublishes = world.replicas.flatMap(({ unpublishedAt }) => [...unpublishedAt])
  const seconds = Math.round((Date.now() - started) / 1_000)
  return { ...judge({ history, rows, happenings, failedPublishes, onlyRedis }), happenings, seconds }
}

async function prepare ({ replicas }: World): Promise<void> {
  const apis = replicas.map(({ apis }) => apis[1] as Api)
  const [api] = apis as [Api]
  await api.post('/v1/push', PLANS)
  for (const org of [...ORGS, LAST]) {
    const { status, text } = await api.post('/v1/subscribe', { org, phases: [{ features: HELD }] })
    if (status !== 200) throw new Error(text)
  }
  for (const each of apis) {
    await until('it is ready', async () => /"mirror":"(ok|none)"/.test((await each.get('/readyz')).text), READY_WITHIN_MS)
  }
}

/** Asks every replica for everything: by now all of it must be there. */
async function readAll ({ replicas }: World, { reads }: History, unheld: boolean): Promise<void> {
  const questions = replicas.flatMap(({ apis }) => ORGS.flatMap(org => FEATURES.map(feature => ({ api: apis[1] as Api, org, feature }))))
  reads.push(...await Promise.all(questions.map(async ({ api, org, feature }) => await read(api, { org, feature, exact: true, unheld }))))
}

/** However Redis has failed, each replica finds it again: a report is told to the mirror. */
async function publishesAgain (world: World): Promise<void> {
  for (const { name, apis } of world.replicas) {
    const api = apis[1] as Api
    let said = ''
    const told = until(`${name} tells the mirror`, async () => {
      const before = await failedPublishes([api])
      const { status, text } = await api.post('/v1/report', { org: LAST, feature: 'feature:sum' })
      said = `${text} ${(await api.get('/readyz')).text}`
      return status === 200 && await failedPublishes([api]) === before
    }, READY_WITHIN_MS)
    await told.catch(cause => { throw new Error(`${name} was last heard to say ${said}; ${lastWords(world)}`, { cause }) })
  }
}
