/**
 * The closed list of everything that can go wrong. Code that fails names a code; only this table knows statuses.
 * Where Tier has a code for the case, ours is Tier's, with its status and text, so that its SDK keeps working.
 */
export const errors = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  invalid_id: { status: 400, title: 'An id is not well formed' },
  invalid_amount: { status: 400, title: 'An amount is not well formed or out of range' },
  invalid_email: { status: 400, title: 'The email address is not valid' },
  invalid_metadata: { status: 400, title: 'The metadata is not valid' },
  invalid_payment_method: { status: 400, title: 'No such payment method' },
  org_not_found: { status: 400, title: 'org not found' },
  clock_not_found: { status: 400, title: 'test clock not found' },
  feature_not_found: { status: 400, title: 'feature not found' },
  TERR1020: { status: 400, title: 'feature or plan not found' },
  plan_unavailable: { status: 400, title: 'The plan takes no new subscriptions' },
  checkout_link_invalid: { status: 400, title: 'This link is not whole: a part of it is missing or was changed' },
  unauthorized: { status: 401, title: 'Unauthorized' },
  forbidden: { status: 403, title: 'The key may not do this' },
  no_payment_provider: { status: 403, title: 'No payment provider is set up' },
  not_found: { status: 404, title: 'Not Found' },
  template_not_found: { status: 404, title: 'No such billing template' },
  event_not_found: { status: 404, title: 'No such event' },
  reservation_not_found: { status: 404, title: 'No such reservation' },
  environment_not_found: { status: 404, title: 'No such environment' },
  method_not_allowed: { status: 405, title: 'Method Not Allowed' },
  request_timeout: { status: 408, title: 'The request did not arrive in time' },
  plan_conflict: { status: 409, title: 'The plan exists, or its status does not allow this' },
  correction_conflict: { status: 409, title: 'The event cannot be corrected like this' },
  reservation_conflict: { status: 409, title: 'The reservation is settled already' },
  feature_conflict: { status: 409, title: 'The feature exists' },
  org_conflict: { status: 409, title: 'The org exists' },
  subscription_conflict: { status: 409, title: 'The same is held already, or the subscription is over' },
  idempotency_key_in_use: { status: 409, title: 'The first request with this Idempotency-Key is still being carried out' },
  checkout_expired: { status: 410, title: 'The checkout has expired' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The content type is not supported' },
  event_conflict: { status: 422, title: 'This event id was used before with different content' },
  idempotency_key_reused: { status: 422, title: 'This Idempotency-Key was used before' },
  rate_limited: { status: 429, title: 'Too many requests' },
  headers_too_large: { status: 431, title: 'The request header is too large' },
  internal_error: { status: 500, title: 'Internal Server Error' },
  ledger_unavailable: { status: 503, title: 'The ledger cannot be reached; nothing was counted' },
  outcome_unknown: { status: 503, title: 'The ledger was lost while the event was in flight; retry with its id' },
  overloaded: { status: 503, title: 'Too many requests are waiting; nothing was counted' },
  stopping: { status: 503, title: 'The server is stopping; nothing was counted' }
} as const satisfies Record<string, { status: number, title: string }>

export type ErrorCode = keyof typeof errors

/** One bad field: a JSON pointer into the body (`/n`), or `?name` of the query or the path, `name` of a header. */
export interface FieldProblem {
  readonly pointer: string
  readonly detail: string
}

export interface ErrorDetails {
  /** The field at fault; becomes `errors[0]` with the message as its detail. */
  readonly pointer?: string
  readonly problems?: readonly FieldProblem[]
  readonly cause?: unknown
  /** Members to add to the answer, as `id` of an event whose outcome is unknown. */
  readonly members?: Readonly<Record<string, string>>
  readonly retryAfterSeconds?: number
}

/** The only error that is meant to reach a caller. Its message is public; its cause is logged and never sent. */
export class TollgateError extends Error {
  override readonly name = 'TollgateError'
  readonly code: ErrorCode
  readonly problems: readonly FieldProblem[]
  readonly members: Readonly<Record<string, string>>
  readonly retryAfterSeconds: number | undefined

  constructor (code: ErrorCode, message: string = errors[code].title, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.problems = details.problems ?? (details.pointer === undefined ? [] : [{ pointer: details.pointer, detail: message }])
    this.members = details.members ?? {}
    this.retryAfterSeconds = details.retryAfterSeconds
  }
}

/**
 * What may be logged of an error: the innermost cause, which is what failed, without the rows and parameters that
 * database errors carry around it.
 */
export function loggable (error: unknown): Record<string, unknown> {
  let inner = error
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause
  if (!(inner instanceof Error)) return { message: String(inner) }
  const { name, message, stack } = inner
  return { type: name, message, code: (inner as { code?: unknown }).code, stack }
}
