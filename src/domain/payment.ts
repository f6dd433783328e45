import { TollgateError } from '../errors.ts'
import type { Instant } from './entitlement.ts'

/** As long as Stripe's. */
export const CHECKOUT_LIFETIME_MS = 24 * 3_600_000
export const TRIAL_DAYS_MAX = 730
export const URL_CHARS_MAX = 2_048

/** A customer is asked to confirm, and where a provider takes payments to pay for, what an org will hold. */
export interface Checkout {
  readonly id: string
  readonly environment: string
  /** null: whoever confirms becomes a new org */
  readonly org: string | null
  /** `plan:pro@1`, `feature:x@plan:pro@1`; none: the customer is asked for a way to pay, and the org holds what it holds. */
  readonly features: readonly string[]
  /** They are added to what the org holds, by the rules of base plans and add-ons; else they replace it. */
  readonly adds: boolean
  /** At most 730, as at Stripe; 0: none */
  readonly trialDays: number
  /** null: the page says that it was confirmed, and leads nowhere. */
  readonly successUrl: string | null
  /** null: there is no way back but the browser's. */
  readonly cancelUrl: string | null
  /** In the environment's time. */
  readonly expiresAt: Instant
}

/** A checkout with what its caller wants of the page. */
export interface CheckoutOrder extends Checkout {
  readonly requireBillingAddress: boolean
  readonly tax: { readonly automatic: boolean, readonly collectId: boolean }
  /** The address at which the caller reached this service: `http://127.0.0.1:8080`. */
  readonly reachedAt: string
}

export interface PaymentMethod {
  readonly id: string
}

/**
 * What takes payments. It is told of a checkout before the checkout is stored, so that nothing is stored for one that it
 * refuses. Whoever hears that a customer has gone through with one calls the operation `completeCheckout`, as often as
 * they hear it.
 */
export interface Payments {
  /** @returns the absolute URL of the page to send the customer to @throws TollgateError `no_payment_provider` */
  checkout (order: CheckoutOrder): Promise<string>
  paymentMethods (environment: string, org: string): Promise<readonly PaymentMethod[]>
}

const WEB = /^https?:\/\//i
/** A URL parser drops some of these in silence. */
const UNPRINTABLE_OR_SPACE = /[\p{Cc}\p{Cs}\s]/u

/**
 * An address that a customer's browser is sent to, as browsers write it: ASCII. Never `javascript:` or a relative one, and
 * no name and password, which would be shown to whoever opens the page.
 * @throws TollgateError `invalid_request`
 */
export function parseWebUrl (text: string, pointer: string): string {
  const url = WEB.test(text) && !UNPRINTABLE_OR_SPACE.test(text) && URL.canParse(text) ? new URL(text) : undefined
  if (url?.username === '' && url.password === '' && url.href.length <= URL_CHARS_MAX) return url.href
  throw new TollgateError('invalid_request',
    `${pointer.slice(1)} must be an http or https URL of at most ${URL_CHARS_MAX} characters, without name and password, ` +
    'such as https://app.example.com/welcome', { pointer })
}
