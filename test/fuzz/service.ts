import type { Api } from '../fixtures/api.ts'
import { exampleOf, filledIn, type Operation, operationsOf } from '../fixtures/operations.ts'
import { wrongWith } from './answer-checks.ts'
import { type KnownValues, knownValues } from './known-values.ts'
import type { FuzzRequest } from './requests.ts'
import { curlOf, injected, type Sent, sendable } from './sending.ts'
import { differences, type LedgerState, tableChecksums } from './table-checksums.ts'

const KEY = 'prv_test_0123456789abcdef'
const SLOW_MS = 5_000
const READS = ['GET', 'HEAD', 'OPTIONS', 'TRACE']

/** Beside the documented examples: every aggregate, reset and kind of feature, and orgs in every state. */
const PLANS = {
  'plan:wide@1': {
    features: {
      'feature:api-calls': { tiers: [{ upto: 10 }, { upto: 20, price: 1.5 }], overage: true },
      'feature:peak': { tiers: [{ upto: 5 }], aggregate: 'max', reset: 'day' },
      'feature:seats': { tiers: [{}], aggregate: 'last', reset: 'never' },
      'feature:visits': { tiers: [{ upto: 3 }], aggregate: 'count', reset: 'hour' },
      'feature:disk': { tiers: [{}], aggregate: 'perpetual' },
      'feature:sso': {}
    }
  }
}

/** The running service under fuzzing, and what is known of it. */
export interface FuzzedService {
  readonly operations: readonly Operation[]
  /** By operation and by status with code: how often it was answered. */
  readonly answers: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** Sends the documented examples again, so that there is something to ask about and time goes on. */
  seed (): Promise<void>
  /** @throws Violation for an answer that none may be, or a refusal that wrote something */
  send (request: FuzzRequest): Promise<void>
}

/** What was found, with the request that found it. */
export class Violation extends Error {
  override readonly name = 'Violation'
  readonly curl: string
  constructor (message: string, sent: Sent) {
    super(message)
    this.curl = curlOf(sent)
  }
}

/** @param asked how often the service has asked the ledger anything */
export async function fuzzedService (open: Api, asked: () => number): Promise<FuzzedService> {
  const keyed = await open.as(KEY)
  const operations = await operationsOf(open)
  const parametersOf = new Map(operations.map(({ path }) =>
    [path, operations.filter(other => other.path === path).flatMap(({ parameters }) => parameters)]))
  const known = knownValues()
  const answers = new Map<string, Map<string, number>>()
  const tables = await tableChecksums(open.database)
  let state: LedgerState | undefined
  let askedBefore = 0
  learnExamples(known, operations)

  /** Which tables changed since `state` was taken. */
  async function changes (): Promise<string[]> {
    if (state === undefined || asked() === askedBefore) return []
    askedBefore = asked()
    if (await tables.logEnd() === state.logEnd) return []
    const before = state
    state = await tables.read()
    return differences(before, state)
  }

  function count (operation: string, answer: string): void {
    const counts = answers.get(operation) ?? new Map<string, number>()
    answers.set(operation, counts.set(answer, (counts.get(answer) ?? 0) + 1))
  }

  /** @returns those that were refused */
  async function sendExamples (examples: readonly Operation[]): Promise<Operation[]> {
    const refused: Operation[] = []
    for (const operation of examples) {
      const { status, body } = await open.send(filledIn(operation))
      if (status < 300) known.learn(operation.path, body)
      else refused.push(operation)
    }
    return refused
  }

  return {
    operations,
    answers,
    seed: async () => {
      state = undefined
      const seeds = operations.filter(({ parameters }) =>
        parameters.every(parameter => parameter.required !== true || exampleOf(parameter) !== undefined))
      const { results } = await open.push(PLANS)
      if (results === undefined) throw new Error('the plans to seed are not well formed')
      // An example may need what a later one makes.
      await sendExamples(await sendExamples(seeds))
      await open.subscribe('org:wide', 'plan:wide@1')
      await open.subscribe('org:future', { effective: '2999-01-01', features: ['plan:wide@1'] })
      await open.subscribe('org:gone', 'plan:free@0')
      await open.subscribe('org:gone', {})
      for (const feature of Object.keys(PLANS['plan:wide@1'].features)) {
        const reported = await open.report('org:wide', feature, 1, { id: `wide-${feature}` })
        known.learn('/v1/events', reported)
        known.learn('/v1/report', reported)
      }
    },
    send: async request => {
      const sent = sendable(request, seed => known.pick(request.template, seed))
      if (state === undefined) {
        askedBefore = asked()
        state = await tables.read()
      }
      const started = performance.now()
      const reply = await (request.keyed ? keyed : open).send(injected(sent)).catch(error => { throw new Violation(String(error), sent) })
      const took = performance.now() - started
      const accepted = reply.status >= 200 && reply.status < 300
      count(request.operation, accepted ? String(reply.status) : `${reply.status} ${String(reply.body.code)}`)
      if (accepted) known.learn(request.template, reply.body)
      if (accepted && !READS.includes(sent.method)) state = undefined
      const wrong = wrongWith(sent, reply, parametersOf.get(request.template) ?? [])
      if (wrong !== undefined) throw new Violation(`${wrong}: ${reply.raw.slice(0, 1_000)}`, sent)
      if (took > SLOW_MS) throw new Violation(`it took ${Math.round(took)} ms`, sent)
      const changed = (await changes()).filter(table => !(mayChange(sent, request.operation)).includes(table))
      if (changed.length > 0) throw new Violation(`it answers ${reply.status} and has changed ${changed.join(', ')}`, sent)
    }
  }
}

/**
 * As in Tier, what a subscription says of an org is stored before its phases are judged, and stays where they are refused.
 */
function mayChange ({ payload }: Sent, operation: string): string[] {
  return operation === 'post /v1/subscribe' && payload?.includes('"info"') === true ? ['orgs'] : []
}

function learnExamples (known: KnownValues, operations: readonly Operation[]): void {
  for (const { path, parameters, body } of operations) {
    for (const parameter of parameters) known.learn(path, { [parameter.name]: exampleOf(parameter) })
    if (body !== undefined) known.learn(path, exampleOf(body))
  }
}
