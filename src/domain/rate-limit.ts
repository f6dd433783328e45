import { type Amount, floorAmount, WHOLE } from './amount.ts'
import type { Instant } from './entitlement.ts'
import type { Window } from './window.ts'

/** What of a verdict says how much is left, and until when. */
export interface Quota {
  /** Names the policy. */
  readonly feature: string
  readonly ok: boolean
  /** null: unlimited */
  readonly limit: Amount | null
  readonly remaining: Amount | null
  /** null: there is nothing that resets */
  readonly window: Window | null
}

/** Values of response headers. */
export interface RateLimit {
  /** `RateLimit-Policy` */
  readonly policy: string
  /** `RateLimit` */
  readonly limit: string
  /** `Retry-After`; undefined where waiting is of no use, or of no need. */
  readonly retryAfterSeconds: number | undefined
}

/** Of an Integer in a structured field (RFC 9651, 3.3.1). */
const INTEGER_MAX = 999_999_999_999_999n
/** What a String there may hold (RFC 9651, 3.3.3), but for `%`, `"` and `\`. */
const PLAIN = /^[ !#$&-[\]-~]*$/
const NOT_PLAIN = /[^ !#$&-[\]-~]/gu

/**
 * A quota as draft-ietf-httpapi-ratelimit-headers-11 tells it to HTTP clients, whole and never more than there is; nothing
 * where nothing is counted or limited, and of a window that is past.
 * @param now the instant of the verdict
 */
export function rateLimitOf ({ feature, ok, limit, remaining, window }: Quota, now: Instant): RateLimit | undefined {
  if (limit === null || remaining === null || window === null) return undefined
  const name = `"${PLAIN.test(feature) ? feature : feature.replace(NOT_PLAIN, encodeURIComponent)}"`
  const [q, r] = [integer(limit), integer(remaining)]
  const { start, end } = window
  if (end !== null && end <= now) return undefined
  if (end === null) return { policy: `${name};q=${q}`, limit: `${name};r=${r}`, retryAfterSeconds: undefined }
  const resetSeconds = Math.ceil((end - now) / 1000)
  return {
    policy: `${name};q=${q};w=${Math.ceil((end - start) / 1000)}`,
    limit: `${name};r=${r};t=${resetSeconds}`,
    retryAfterSeconds: ok ? undefined : resetSeconds
  }
}

function integer (amount: Amount): bigint {
  const whole = floorAmount(amount) / WHOLE
  return whole > INTEGER_MAX ? INTEGER_MAX : whole
}
