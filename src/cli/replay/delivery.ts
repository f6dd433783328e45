import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../command.ts'
import { duration } from '../output.ts'
import { type Answer, refusalOf, type Refused, type Service, Unreachable } from '../service.ts'

export interface Report {
  readonly org: string
  readonly feature: string
  readonly n: number | string
  readonly at: string
  readonly id: string
}

export type Outcome = { readonly is: 'counted' | 'duplicate' } | { readonly is: 'refused', readonly refusal: Refused }

export interface Delivery {
  /**
   * Sends it, again and again where that is of use, always with its id.
   * @returns undefined if the signal ended it before there was an answer
   * @throws Failure where nothing that follows would fare better
   */
  deliver (report: Report): Promise<Outcome | undefined>
  retries (): number
}

export interface DeliveryOptions {
  readonly service: Service
  /** For so long an event is sent again. */
  readonly patienceMs: number
  /** Ends the waits between attempts; what was sent is still waited for. */
  readonly signal: AbortSignal
  /** Hears that the service is away, and that it is back. */
  readonly note: (text: string) => void
}

const BACKOFF_FIRST_MS = 100
const BACKOFF_MAX_MS = 5_000
const NOTE_AFTER_MS = 1_000
/** The service or what stands before it is busy or away. With its id, an event may be sent again whatever became of it. */
const RETRIED = [408, 429, 502, 503, 504]
/** Another key, another address: the next event would be answered the same. */
const HOPELESS = [401, 403, 404, 405]

export function delivery ({ service, patienceMs, signal, note }: DeliveryOptions): Delivery {
  // As many wait at a time as events are under way.
  setMaxListeners(0, signal)
  let retries = 0
  let everAnswered = false
  let saidAway = false

  /** An answer, or what stood in for one. */
  async function attempt (report: Report): Promise<Answer | Unreachable> {
    try {
      const answer = await service.ask('POST', '/v1/report', report)
      everAnswered = true
      return answer
    } catch (error) {
      // At the first attempt the address is wrong, or nothing runs there: the person who typed it is still looking.
      if (!(error instanceof Unreachable) || !everAnswered) throw error
      return error
    }
  }

  function heard (): void {
    if (saidAway) note('the service answers again')
    saidAway = false
  }

  function away (problem: string): void {
    if (!saidAway) note(`${problem}; trying again for up to ${duration(patienceMs / 1_000)}`)
    saidAway = true
  }

  return {
    retries: () => retries,
    deliver: async report => {
      const start = performance.now()
      for (let tries = 1; ; tries += 1) {
        const answer = await attempt(report)
        const unavailable = answer instanceof Unreachable || RETRIED.includes(answer.status)
        if (!unavailable) {
          heard()
          return outcomeOf(answer, service)
        }
        const problem = answer instanceof Unreachable ? answer.message : refusalOf(answer, service.url).message
        const elapsedMs = performance.now() - start
        const pauseMs = pauseBefore(tries, answer instanceof Unreachable ? undefined : answer.retryAfterSeconds)
        if (elapsedMs + pauseMs > patienceMs) throw new Failure(`gave up after ${duration(elapsedMs / 1_000)}: ${problem}`)
        if (elapsedMs > NOTE_AFTER_MS) away(problem)
        if (!await pause(pauseMs, signal)) return undefined
        retries += 1
      }
    }
  }
}

function outcomeOf (answer: Answer, { url }: Service): Outcome {
  const { duplicate } = (answer.body ?? {}) as { duplicate?: unknown }
  if (answer.status === 200 && typeof duplicate === 'boolean') return { is: duplicate ? 'duplicate' : 'counted' }
  const refusal = refusalOf(answer, url)
  if (answer.status < 400 || HOPELESS.includes(answer.status)) throw refusal
  return { is: 'refused', refusal }
}

/** Twice as long each time, and never the same for all who wait. */
function pauseBefore (tries: number, retryAfterSeconds = 0): number {
  const backoffMs = Math.min(BACKOFF_FIRST_MS * 2 ** (tries - 1), BACKOFF_MAX_MS) * (0.5 + Math.random() / 2)
  return Math.max(backoffMs, retryAfterSeconds * 1_000)
}

/** @returns false if the signal came first */
async function pause (ms: number, signal: AbortSignal): Promise<boolean> {
  return await sleep(ms, true, { signal }).catch(() => false)
}
