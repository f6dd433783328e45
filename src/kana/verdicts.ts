import { type Amount, ceilAmount, floorAmount } from '../domain/amount.ts'
import type { Answer } from '../operations/answer.ts'
import { wholeInt } from './values.ts'

/** Only the first is in Kana's documents, with its spelling. */
const ALLOWED = 'The user has a subcription to a package with this consumable feature and either has an allowance remaining or overage is enabled.'
const GRANTED = 'The user has a subscription to a package with this binary feature.'
export const NOT_ENTITLED = 'The user has no active subscription to a package with this feature.'
const USED_UP = 'The user has a subscription to a package with this consumable feature but has no allowance remaining and overage is not enabled.'

const UNKNOWN = 'What the user has left is not known at the moment.'

const REASONS: Readonly<Record<Answer['reason'], string>> = {
  within_limit: ALLOWED,
  unlimited: ALLOWED,
  overage: ALLOWED,
  no_increase: ALLOWED,
  granted: GRANTED,
  limit_reached: USED_UP,
  feature_not_found: NOT_ENTITLED,
  ledger_unavailable: UNKNOWN
}

/** Access is decided by the exact figures, which are then shown as whole ones. */
export function entitlementOf (answer: Answer) {
  const { ok: access, reason, used, limit, permitsOverage } = answer
  const counted = reason !== 'granted' && reason !== 'feature_not_found' && reason !== 'ledger_unavailable'
  return { access, reason: REASONS[reason], consumption: counted ? consumptionOf(used, limit, permitsOverage) : null }
}

export function consumptionOf (used: Amount, limit: Amount | null, overageEnabled: boolean) {
  return { used: wholeInt(ceilAmount(used)), budget: limit === null ? null : wholeInt(floorAmount(limit)), overageEnabled }
}
