import { combination, type Grant, type Instant, type Override, type Term, termsAt } from './entitlement.ts'
import { planText } from './ids.ts'
import { grantAt, type Org, overrideAt } from './org.ts'

/**
 * `decides`: its limit, overage, reset and anchor count. `adds`: its limit is added. `outranked`: another one's limit is higher.
 * `ignored`: it gives access only, where another one has amounts.
 */
export const ROLES = ['decides', 'adds', 'outranked', 'ignored'] as const
export type Role = typeof ROLES[number]

/** One entitlement that an org holds now, and what comes of it. */
export interface ExplainedTerm {
  readonly role: Role
  readonly term: Term
  /** `plan:pro@1` */
  readonly plan: string
}

/** Why an org is granted what it is granted of a feature now. */
export interface Explanation {
  /** null: nothing */
  readonly grant: Grant | null
  /** The one that decides first. */
  readonly terms: readonly ExplainedTerm[]
  /** What its limit is in place of theirs; null: nothing is overridden. */
  readonly override: Override | null
}

/** By the same rules that grant it. */
export function explain (org: Org, feature: string, now: Instant): Explanation {
  const held = org.features.get(feature)
  const grant = held === undefined ? null : grantAt(org, held, now, now)
  const combined = held === undefined || grant === null ? null : combination(termsAt(held.terms, now))
  if (combined === null) return { grant, terms: [], override: null }
  const { decides, adding, outranked, ignored } = combined
  const plans = new Map(org.subscriptions.map(({ id, plan }) => [id, planText(plan)]))
  const as = (role: Role, terms: readonly Term[]): ExplainedTerm[] =>
    terms.map(term => ({ role, term, plan: plans.get(term.subscription) as string }))
  return {
    grant,
    terms: [...as('decides', [decides]), ...as('adds', adding), ...as('outranked', outranked), ...as('ignored', ignored)],
    // Where there is only access, there is no limit to replace.
    override: grant?.type === 'metered' ? overrideAt(org, feature, now) ?? null : null
  }
}
