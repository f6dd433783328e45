import fc from 'fast-check'
import { type ApiOptions, openApi } from '../fixtures/api.ts'
import type { Scope } from '../fixtures/guard.ts'
import { type CountedDatabase, countedDatabase } from './counted-database.ts'
import { requestsOf } from './requests.ts'
import { fuzzedService, type FuzzedService, Violation } from './service.ts'

/** Requests after which the seeded data is made again: by then, time may stand still and plans be cancelled. */
const SEEDED_EVERY = 1_000
const PROGRESS_EVERY = 1_000
const SHRINK_LIMIT_MS = 30_000

export interface RoundOptions {
  readonly on: NonNullable<ApiOptions['on']>
  readonly seed: number
  readonly requests: number
  readonly progress?: (done: number) => void
}

export interface RoundResult {
  readonly requests: number
  readonly answers: FuzzedService['answers']
  /** What was found, as a person reads it; undefined: nothing. */
  readonly failure: string | undefined
}

/** Many requests to a fresh service, one after the other. Equal seeds send equal requests. */
export async function fuzzRound (t: Scope, { on, seed, requests, progress }: RoundOptions): Promise<RoundResult> {
  let counted: CountedDatabase | undefined
  const api = await openApi(t, { on, through: database => (counted = countedDatabase(database)).database })
  const service = await fuzzedService(api, () => counted?.asked() ?? 0)
  const violations: Violation[] = []
  let done = 0
  const property = fc.asyncProperty(requestsOf(service.operations), async request => {
    if (done % SEEDED_EVERY === 0) await service.seed()
    done += 1
    if (done % PROGRESS_EVERY === 0) progress?.(done)
    try {
      await service.send(request)
    } catch (error) {
      if (error instanceof Violation) violations.push(error)
      throw error
    }
  })
  const found = await fc.check(property, { seed, numRuns: requests, endOnFailure: true })
  const { answers } = service
  if (!found.failed) return { requests: done, answers, failure: undefined }
  const [first] = violations
  if (first === undefined) throw new Error('the fuzzer itself failed', { cause: found.errorInstance })
  const foundAt = done
  const replay = { seed, path: found.counterexamplePath ?? '', numRuns: requests, interruptAfterTimeLimit: SHRINK_LIMIT_MS }
  await fc.check(property, replay)
  // Each that failed while it was being made smaller is smaller than the one before.
  const smallest = violations.at(-1) as Violation
  const lines = [`request ${foundAt} of seed ${seed} on ${on}: ${first.message}`, first.curl]
  if (smallest !== first) lines.push(`made smaller: ${smallest.message}`, smallest.curl)
  return { requests: foundAt, answers, failure: lines.join('\n') }
}
