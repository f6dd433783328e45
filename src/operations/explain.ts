import { EMPTY } from '../domain/counter.ts'
import type { Instant } from '../domain/entitlement.ts'
import { explain as explained, type Explanation } from '../domain/explanation.ts'
import { parseFeature, parseOrg } from '../domain/ids.ts'
import { type Org, presentOf } from '../domain/org.ts'
import { wantedCounter } from '../storage/counters.ts'
import type { CounterEvidence, Evidence } from '../storage/evidence.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { type Answer, answerOf, checkAsked } from './answer.ts'
import type { Question } from './can.ts'
import { orgFromLedger, orgNotFound, UNSEEN } from './org.ts'
import { placed, type Unread } from './standing.ts'
import { type Present, present } from './time.ts'

export interface ExplainedAnswer {
  readonly answer: Answer
  readonly explanation: Explanation
  /** Of the override, if there is one. */
  readonly reason: string | null
  /** null: nothing is counted */
  readonly counter: CounterEvidence | null
}

/**
 * The verdict, and everything that made it, from one snapshot of the ledger.
 * @throws TollgateError `org_not_found`, `invalid_amount`
 */
export async function explain (
  stores: Stores, { feature, ...question }: Question & { readonly feature: string }
): Promise<ExplainedAnswer> {
  const wanted = parseFeature(feature, '?feature')
  const name = parseOrg(question.org, '?org')
  checkAsked(question.n, '?n')
  const at = await present(stores, question.environment)
  const { org, counter, reason } = await evidenceOf(stores, at, await orgFromLedger(stores, at, name), wanted)
  const now = nowOf(at, org)
  const standing = { ...placed(org, wanted, now), counter: counter?.tally ?? EMPTY, unknown: false }
  const answer = answerOf(stores, at, { org, now, standings: [standing], outage: null }, standing, question.n)
  return { answer, explanation: explained(org, wanted, now), reason, counter }
}

/** Of an org that is not stored, there is nothing but the default plan. */
async function evidenceOf (stores: Stores, at: Present, org: Org, feature: string): Promise<Evidence> {
  if (org.key === UNSEEN) return { org, counter: null, reason: null }
  const found = await available(stores.evidence.read(org.key, org => {
    const now = nowOf(at, org)
    const { held, grant, window }: Unread = placed(org, feature, now)
    const { override } = explained(org, feature, now)
    const counts = held !== undefined && grant !== null && window !== null
    return {
      wanted: counts ? wantedCounter(org.key, held.key, window, grant.aggregate, now) : null,
      override: held === undefined || override === null ? null : [held.key, override.start]
    }
  }))
  if (found === undefined) throw orgNotFound('?org')
  return found
}

function nowOf ({ environment, now }: Present, org: Org): Instant {
  return environment.fixedNow ?? presentOf(org, now)
}
