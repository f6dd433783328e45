import { setTimeout as sleep } from 'node:timers/promises'
import { within } from '../../src/storage/database.ts'
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
/** Many times what it takes once all is mended. */
const ANSWERED_WITHIN_MS = 40_000

/** Not counted, and never will be. */
const REFUSALS = ['ledger_unavailable', 'overloaded', 'stopping']
/** Answers after which the same is sent again. */
const PASSING = [...REFUSALS, 'outcome_unknown']

export interface Traffic {
  /** Ends once every piece of work has its answer. Rejects with those that find none, and gives them up. */
  stop (): Promise<void>
}

interface Tried {
  readonly call: Call
  readonly attempts: Attempt[]
}

interface Place {
  readonly world: World
  /** What has no answer yet. Whatever is taken out is given up. */
  readonly underWay: Set<Tried>
}

/** Reporters who try until they are answered, and readers, on all replicas. */
export function traffic (world: World, orgs: readonly string[], history: History, seed: number): Traffic {
  const randoms = Array.from({ length: REPORTERS + READERS }, (_, caller) => randomOf(seed * 1_000 + caller))
  const place: Place = { world, underWay: new Set() }
  const correctable = new Map(orgs.map((org): [string, string[]] => [org, []]))
  const reporters = inBackground(REPORTERS, async (caller, n) => {
    const random = randoms[caller] as Random
    const org = pick(random, orgs)
    const known = correctable.get(org) as string[]
    const operation = pickWeighted(random, OPERATIONS)
    const done = await work(place, { random, org, id: `${caller}-${n}`, earlier: operation.corrects ? known.pop() : undefined }, operation)
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
  return {
    stop: async () => {
      await within(ANSWERED_WITHIN_MS, Promise.all([reporters.stop(), readers.stop()])).catch(cause => {
        const waiting = [...place.underWay].map(({ call, attempts }) => ({ call, attempts: attempts.length, last: attempts.at(-1) }))
        place.underWay.clear()
        throw new Error(`callers did not come to their end, of whom these wait: ${JSON.stringify(waiting)}`, { cause })
      })
    }
  }
}

/** Does one thing, and what follows from it. */
async function work (place: Place, asked: Asked, operation: Operation, follows = false): Promise<Work[]> {
  const call = operation.call(asked)
  if (call === undefined) return []
  const attempts = await attemptsOf(place, asked.random, call, follows)
  const done = { operation: operation.name, org: asked.org, call, attempts }
  const { next } = operation
  return attempts.some(isCounted) && next !== undefined ? [done, ...await work(place, asked, next(asked), true)] : [done]
}

/**
 * Sends a request until it is answered, each time to any replica, and sometimes once more.
 * @param persists what is held is let go in the end, so that nothing is held when all is over
 */
async function attemptsOf ({ world, underWay }: Place, random: Random, call: Call, persists: boolean): Promise<Attempt[]> {
  const tried: Tried = { call, attempts: [] }
  const { attempts } = tried
  const givesUp = random(GIVEN_UP_ONE_IN) === 0 && !persists
  let answersWanted = random(AGAIN_ONE_IN) === 0 ? 2 : 1
  underWay.add(tried)
  while (answersWanted > 0 && underWay.has(tried)) {
    const last = await attempt(async () => await anyApi(world, random).post(call.path, call.body))
    attempts.push(last)
    const { answer } = last
    if (isCounted(last)) answersWanted -= 1
    else if (answer !== undefined && !isPassing(answer)) break
    else if (givesUp && attempts.every(isRefusal)) break
    else await sleep(PAUSE_MS.retry)
  }
  underWay.delete(tried)
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
