import type { Amount } from '../domain/amount.ts'
import { decide, type Verdict } from '../domain/counter.ts'
import type { Instant } from '../domain/entitlement.ts'
import { parseFeature, parseOrg } from '../domain/ids.ts'
import type { Window } from '../domain/window.ts'
import { TollgateError } from '../errors.ts'
import type { Stores } from '../storage/stores.ts'
import { type Standing, type Standings, standings } from './standing.ts'

export interface Question {
  readonly environment: string
  readonly org: string
  readonly n: Amount
}

export interface Answer extends Verdict {
  readonly org: string
  readonly feature: string
  /** At its end usage is next at 0; null: there is nothing to reset. */
  readonly window: Window | null
  /** The instant of the verdict. */
  readonly at: Instant
  /** The ledger could not be asked: the figures are up to 15 minutes old. */
  readonly degraded: boolean
}

/**
 * May the org use `n` more of the feature now? Records nothing.
 * @throws TollgateError `org_not_found`, `invalid_amount`
 */
export async function can (stores: Stores, { feature, ...question }: Question & { readonly feature: string }): Promise<Answer> {
  const wanted = parseFeature(feature, '?feature')
  const [answer] = await answers(stores, question, [wanted])
  return answer as Answer
}

/** The same of every feature that the org holds now, by name. */
export async function canAll (stores: Stores, question: Question): Promise<Answer[]> {
  return await answers(stores, question, undefined)
}

async function answers (
  stores: Stores, { environment, org: text, n }: Question, features: readonly string[] | undefined
): Promise<Answer[]> {
  const name = parseOrg(text, '?org')
  if (n < 0n) throw new TollgateError('invalid_amount', 'n must not be negative', { pointer: '?n' })
  const found = await standings(stores, environment, name, org => features ?? [...org.features.keys()])
  return found.standings
    .filter(({ grant }) => features !== undefined || grant !== null)
    .map(standing => answerOf(found, name, standing, n))
}

function answerOf ({ now, degraded }: Standings, org: string, { feature, grant, counter, window }: Standing, n: Amount): Answer {
  const verdict = decide(grant, counter, { mode: 'add', amount: n, at: now })
  return { ...verdict, org, feature, window, at: now, degraded }
}
