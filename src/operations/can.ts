import type { Amount } from '../domain/amount.ts'
import { parseFeature, parseOrg } from '../domain/ids.ts'
import type { Stores } from '../storage/stores.ts'
import { type Answer, answerOf, answerUnknown, checkAsked } from './answer.ts'
import { isOutage, orgToAsk } from './org.ts'
import { standingsOf } from './standing.ts'
import { present } from './time.ts'

/** What is asked for every feature alike. */
export interface Question {
  readonly environment: string
  readonly org: string
  readonly n: Amount
}

/**
 * May the org use `n` more of the feature now? Records nothing.
 * @throws TollgateError `org_not_found`, `invalid_amount`; `ledger_unavailable` where neither org nor feature is known here
 */
export async function can (stores: Stores, question: Question & { readonly feature: string }): Promise<Answer> {
  const [answer] = await answers(stores, question, [parseFeature(question.feature, '?feature')])
  return answer as Answer
}

/** The same of several features, in order; undefined: of every feature that the org holds now, by name. */
export async function canAll (stores: Stores, question: Question, features: readonly string[] | undefined): Promise<Answer[]> {
  return await answers(stores, question, features?.map(feature => parseFeature(feature, '?feature')))
}

async function answers (
  stores: Stores, { environment, org: text, n }: Question, features: readonly string[] | undefined
): Promise<Answer[]> {
  const name = parseOrg(text, '?org')
  checkAsked(n, '?n')
  // Not awaited where there is nothing to wait for: that is nearly always.
  const told = present(stores, environment)
  const at = told instanceof Promise ? await told : told
  try {
    const asked = orgToAsk(stores, at, name)
    const org = asked instanceof Promise ? await asked : asked
    const found = await standingsOf(stores, at, org, org => features ?? [...org.features.keys()])
    const shown = features === undefined ? found.standings.filter(({ grant }) => grant !== null) : found.standings
    return shown.map(standing => answerOf(stores, at, found, standing, n))
  } catch (error) {
    if (!isOutage(error) || features === undefined || !features.some(feature => at.environment.onOutage.has(feature))) throw error
    return features.map(feature => answerUnknown(stores, at, name, feature))
  }
}
