import { setTimeout as sleep } from 'node:timers/promises'
import type { Api } from '../e2e/api.ts'
import { inBackground } from '../e2e/callers.ts'
import { pick, pickWeighted, type Random, randomOf } from '../e2e/random.ts'
import { type Attempt, codeOf, type Heard, type History, isCounted, type Read, type Work } from './history.ts'
import { type Asked, type Call, type Operation, OPERATIONS } from './operations.ts'
import { FEATURES } from './plans.ts'
import type { World } from './world.ts'

const REPORTERS = 12
const READERS = 6
const PAUSE_MS = { reporter: 40, reader: 30, retry: 100 }
/** Of so many pieces of work one is sent again after its answer, and one is given up when it was surely not counted. */
const [AGAIN_ONE_IN, GIVEN_UP_ONE_IN] = [4, 10]
/** Of so many callers one waits for all there is to hear. */
const PATIENT_ONE_IN = 4

/** Not counted, and never will be. */
const REFUSALS = ['ledger_unavailable', 'overloaded', 'stopping']
/** Answers after which the same is sent again. */
const PASSING = [...REFUSALS, 'outcome_unknown']

export interface Traffic {
  /** Ends once every piece of work has its answer. */
  stop (): Promise<void>
}

/** Reporters who try until they are answered, and readers, on all replicas. */
export function traffic (world: World, orgs: readonly string[], history: History, seed: number): Traffic {
  const randoms = Array.from({ length: REPORTERS + READERS }, (_, caller) => randomOf(seed * 1_000 + caller))
  const correctable = new Map(orgs.map((org): [string, string[]] => [org, []]))
  const reporters = inBackground(REPORTERS, async (caller, n) => {
    const random = randoms[caller] as Random
    const org = pick(random, orgs)
    const known = correctable.get(org) as string[]
    const operation = pickWeighted(random, OPERATIONS)
    const done = await work(world, { random, org, id: `${caller}-${n}`, earlier: operation.corrects ? known.pop() : undefined }, operation)
    history.works.push(...done)
    for (const { call, attempts } of done) if (call.correctable && attempts.some(isCounted)) known.push(call.event as string)
    await sleep(random(2 * PAUSE_MS.reporter))
  })
  const readers = inBackground(READERS, async caller => {
    const random = randoms[REPORTERS + caller] as Random
    const api = pick(random, world.replicas).apis[0] as Api
    history.reads.push(await read(api, { org: pick(random, orgs), feature: pick(random, FEATURES), exact: false, unheld: false }))
    await sleep(random(2 * PAUSE_MS.reader))
  })
  return { stop: async () => { await Promise.all([reporters.stop(), readers.stop()]) } }
}

/** Does one thing, and what follows from it. */
async function work (world: World, asked: Asked, operation: Operation, follows = false): Promise<Work[]> {
  const call = operation.call(asked)
  if (call === undefined) return []
  const attempts = await attemptsOf(world, asked.random, call, follows)
  const done = { operation: operation.name, org: asked.org, call, attempts }
  const { next } = operation
  return attempts.some(isCounted) && next !== undefined ? [done, ...await work(world, asked, next(asked), true)] : [done]
}

/**
 * Sends a request until it is answered, each time to any replica, and sometimes once more.
 * @param persists what is held is let go in the end, so that nothing is held when all is over
 */
async function attemptsOf (world: World, random: Random, { path, body }: Call, persists: boolean): Promise<Attempt[]> {
  const attempts: Attempt[] = []
  const givesUp = random(GIVEN_UP_ONE_IN) === 0 && !persists
  let answersWanted = random(AGAIN_ONE_IN) === 0 ? 2 : 1
  while (answersWanted > 0) {
    const last = await attempt(async () => await anyApi(world, random).post(path, body))
    attempts.push(last)
    const { answer } = last
    if (isCounted(last)) answersWanted -= 1
    else if (answer !== undefined && !isPassing(answer)) break
    else if (givesUp && attempts.every(isRefusal)) break
    else await sleep(PAUSE_MS.retry)
  }
  return attempts
}

function anyApi ({ replicas }: World, random: Random): Api {
  const { apis } = pick(random, replicas)
  return apis[random(PATIENT_ONE_IN) === 0 ? 1 : 0] as Api
}

type Question = Omit<Read, keyof Attempt>

export async function read (api: Api, { org, feature, ...asked }: Question): Promise<Read> {
  return { org, feature, ...asked, ...await attempt(async () => await api.get('/v1/can', { org, feature })) }
}

async function attempt (call: () => Promise<Heard>): Promise<Attempt> {
  const sentAt = Date.now()
  const answer = await call().then(({ status, text }) => ({ status, text }), () => undefined)
  return { sentAt, endedAt: Date.now(), answer }
}

/** May the same be asked again? */
export function isPassing (answer: Heard): boolean {
  return answer.status === 503 && PASSING.includes(codeOf(answer) ?? '')
}

/** Was it said that nothing was counted? */
export function isRefusal ({ answer }: Attempt): boolean {
  return answer !== undefined && answer.status === 503 && REFUSALS.includes(codeOf(answer) ?? '')
}
