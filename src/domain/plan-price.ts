import { TollgateError } from '../errors.ts'
import { isPrintable } from './ids.ts'

/** What a payment provider sells a plan for: linked and shown, never computed with. */
export interface PlanPrice {
  /** `STRIPE` */
  readonly provider: string
  /** The provider's: `price_1L7NHvIiEnRX8aivoxbSWREF`. */
  readonly id: string
  /** Whole minor units. */
  readonly amount: number
  /** An ISO 4217 code in lower case. */
  readonly currency: string
  /** `month`; null: paid once */
  readonly interval: string | null
}

export const PLAN_PRICES_MAX = 20
export const PRICE_AMOUNT_MAX = 2_147_483_647
const ID_CHARS_MAX = 255

/** Their ids, each once. The form of the rest is the schema's. @throws TollgateError `invalid_request` */
export function checkPlanPrices (prices: readonly PlanPrice[], pointer = '/prices'): void {
  const seen = new Set<string>()
  for (const [i, { id }] of prices.entries()) {
    parseLabel(id, `${pointer}/${i}/id`)
    if (seen.has(id)) throw new TollgateError('invalid_request', `the price ${id} is listed twice`, { pointer: `${pointer}/${i}/id` })
    seen.add(id)
  }
}

/** The id of a price or of a billing template. @throws TollgateError `invalid_id` */
export function parseLabel (text: string, pointer: string): string {
  if (text.length <= ID_CHARS_MAX && isPrintable(text)) return text
  throw new TollgateError('invalid_id', `${pointer.slice(pointer.lastIndexOf('/') + 1).replace('?', '')} must be 1 to ${ID_CHARS_MAX} printable characters`, { pointer })
}
