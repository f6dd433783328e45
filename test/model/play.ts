import { isDeepStrictEqual } from 'node:util'
import type { Instant } from '../../src/domain/entitlement.ts'
import { WHOLE } from '../../src/domain/amount.ts'
import type { Org } from '../../src/domain/org.ts'
import type { Database } from '../../src/storage/database.ts'
import type { Stores } from '../../src/storage/stores.ts'
import { eventIds, hasOtherTerms, type Past } from './past.ts'
import { answered, reservations } from './reference.ts'
import { expectedVerdicts, expectedWindows, missingWindows } from './reading.ts'
import type { Answer, Change, Request } from './request.ts'
import { asked, changed, type Place, read, readReservations } from './service.ts'
import { changeOf, requestOf, type Sequence, type Step } from './steps.ts'
import { Difference, type Row } from './table.ts'

export const START: Instant = Date.parse('2024-01-31T12:00:00Z')
const WINDOWS_MAX = 12
/** Amounts asked about: nothing, one, and more than most have left. */
const QUESTIONS = [0n, WHOLE, 7n * WHOLE]

/** Where sequences are played: each replica has the turn after the other. */
export interface Stage {
  readonly replicas: readonly Stores[]
  readonly database: Database
  readonly environment: string
  /** What was answered, how often. */
  readonly tally: Map<string, number>
}

let orgs = 0

/** Plays a sequence on a new org, and compares every answer, and all that can be read after every step. @throws Difference */
export async function play (stage: Stage, { plan, steps }: Sequence): Promise<void> {
  orgs += 1
  const name = `org:${orgs}`
  const game = { stage, name, rows: [] as Row[], sent: [] as Request[], turn: 0, past: { now: START, happened: [] } as unknown as Past }
  await change(game, { do: 'wait', ms: 0 })
  await change(game, { do: 'subscribe', plans: [plan], effectiveAt: null })
  for (const [i, step] of steps.entries()) {
    game.turn += 1
    await take(game, step, `${step.do}-${i + 1}`)
    // Each use has counted as its time had it; a correction adds all of them up anew. The model knows only one way.
    if (hasOtherTerms(game.past)) return note(stage, 'ended: a window began under other terms')
    await compareReading(game, QUESTIONS[i % QUESTIONS.length] as bigint)
  }
  await compareReservations(game)
  await compareRebuilt(game)
}

interface Game {
  readonly stage: Stage
  readonly name: string
  readonly rows: Row[]
  readonly sent: Request[]
  turn: number
  past: Past
}

async function take (game: Game, step: Step, name: string): Promise<void> {
  // A change of plan in the very millisecond of a use would leave open which of them was first.
  if (step.do === 'subscribe') await change(game, { do: 'wait', ms: 1 })
  const wanted = changeOf(step, game.past)
  if (wanted !== undefined) return await change(game, wanted)
  const steps = step.do === 'together' ? step.steps : [step]
  const requests = steps.flatMap((it, i) => {
    const request = requestOf(it, game.past, game.sent, steps.length === 1 ? name : `${name}-${i + 1}`)
    return request === undefined ? [] : [request]
  })
  game.sent.push(...requests)
  const answers = await Promise.all(requests.map(async request => await asked(placeOf(game), request)))
  for (const [i, answer] of answers.entries()) {
    game.rows.push({ now: game.past.now, what: requests[i] as Request, said: answer, together: requests.length > 1 })
    note(game.stage, `${(requests[i] as Request).do} ${kindOf(answer)}`)
  }
  settle(game, requests, answers, requests.length > 1 ? await arrivals(game) : undefined)
}

/** Ids of events. Answers alone do not always tell: to set to 0 and to add 1 are answered 0 and 1, whichever was first. */
async function arrivals ({ stage: { database }, past: { org } }: Game): Promise<readonly unknown[]> {
  const [found] = await database.run([{ text: 'select id from events where org = $1::int order by seq', params: [org.key] }])
  return (found?.rows ?? []).map(([id]) => id)
}

/** In one of the orders in which they can have arrived, all answers must be what they should be. */
function settle (game: Game, requests: readonly Request[], answers: readonly Answer[], arrived: readonly unknown[] | undefined): void {
  let closest: Answer[] | undefined
  for (const order of ordersOf(requests.map((_, i) => i))) {
    let { past } = game
    const expected: Answer[] = []
    for (const i of order) {
      const said = answered(past, requests[i] as Request)
      past = said.past
      expected[i] = asSaidTo(requests[i] as Request, said.answer)
    }
    if (isDeepStrictEqual(expected, answers) && (arrived === undefined || isDeepStrictEqual(eventIds(past), arrived))) {
      game.past = past
      return
    }
    closest ??= expected
  }
  throw new Difference(game.rows, { answers }, { answers: closest })
}

function * ordersOf (items: readonly number[]): Generator<number[]> {
  if (items.length === 0) yield []
  for (const [i, first] of items.entries()) {
    for (const rest of ordersOf(items.filter((_, j) => j !== i))) yield [first, ...rest]
  }
}

/** A report is told less than a consume. */
function asSaidTo (request: Request, answer: Answer): Answer {
  if (request.do !== 'report' || 'refused' in answer) return answer
  const { used, reserved, limit, remaining, window, duplicate, voided } = answer as Record<string, never>
  return { used, reserved, limit, remaining, window, duplicate, voided } as unknown as Answer
}

async function change (game: Game, wanted: Change): Promise<void> {
  const { stage, past } = game
  const now = wanted.do === 'wait' ? past.now + wanted.ms : past.now
  const said = await changed(placeOf(game), wanted, now)
  game.rows.push({ now, what: wanted, said, together: false })
  note(stage, `${wanted.do} ${kindOf(said)}`)
  const org = await placeOf(game).stores.orgs.load(stage.environment, game.name)
  game.past = { ...past, now, org: org as Org }
}

async function compareReading (game: Game, n: bigint, isRebuilt = false): Promise<void> {
  const { past } = game
  for (const place of placesOf(game)) {
    const reading = await read(place, n, WINDOWS_MAX)
    const { verdicts, windows } = reading
    // How far back there is usage before the first subscription, only counters say.
    const missing = isRebuilt ? [] : missingWindows(past, reading)
    const expected = { verdicts: expectedVerdicts(past, n), windows: expectedWindows(past, reading), missing: [] }
    compare(game, { verdicts, windows, missing }, expected)
  }
}

async function compareReservations (game: Game): Promise<void> {
  const byId = (list: Answer[]): Answer[] => list.sort((a, b) => String(a.id) < String(b.id) ? -1 : 1)
  compare(game, { reservations: byId(await readReservations(placeOf(game))) }, { reservations: byId(reservations(game.past)) })
}

/** Counters can be lost: the next read makes them anew. */
async function compareRebuilt (game: Game): Promise<void> {
  const { stage: { database }, past: { org } } = game
  await database.run([{ text: 'delete from counters where org = $1::int', params: [org.key] }])
  await compareReading(game, WHOLE, true)
}

function compare (game: Game, said: object, expected: object): void {
  if (!isDeepStrictEqual(said, expected)) throw new Difference(game.rows, said, expected)
}

function placeOf (game: Game): Place {
  return placesOf(game)[game.turn % game.stage.replicas.length] as Place
}

function placesOf ({ stage: { replicas, environment }, name: org }: Game): Place[] {
  return replicas.map(stores => ({ stores, environment, org }))
}

function note ({ tally }: Stage, what: string): void {
  tally.set(what, (tally.get(what) ?? 0) + 1)
}

function kindOf (answer: Answer): string {
  if ('refused' in answer) return String(answer.refused)
  const marks = ['duplicate', 'late', 'voided'].filter(mark => answer[mark] === true)
  return [answer.ok === false ? `denied ${String(answer.reason)}` : 'done', ...marks].join(' ')
}
