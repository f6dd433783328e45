import { Type } from 'typebox'
import type { Amount } from '../domain/amount.ts'
import type { AllowedReason, RefusedReason } from '../domain/counter.ts'
import type { Instant } from '../domain/entitlement.ts'
import { planText } from '../domain/ids.ts'
import type { Properties } from '../domain/properties.ts'
import type { Window as WindowOfTime } from '../domain/window.ts'
import { STATUSES, type Subscription, type SubscriptionStatus } from '../domain/schedule.ts'
import type { FieldProblem } from '../errors.ts'

/** Pieces of the wire that more than one route has. Texts are checked by the domain, whose messages say what is right. */

const TEXT_MAX = 300

export const OrgId = Type.String({ maxLength: TEXT_MAX, description: '`org:` and 1 to 255 printable characters', examples: ['org:acme'] })
export const FeatureId = Type.String({
  maxLength: TEXT_MAX, description: '`feature:` and 1 to 240 printable characters', examples: ['feature:api-calls']
})

export const PlanId = Type.String({ maxLength: 500, description: '`plan:`, a name, `@` and a version', examples: ['plan:free@0'] })

/** An exact amount on its way in. */
export const SentAmount = Type.Unsafe<number | string | null>({
  type: ['number', 'string', 'null'],
  maxLength: 40,
  description: 'A number of at most 15 significant digits, or a decimal string of at most 28; at most 9 decimals. null is 0.'
})

/** The same in a query, where everything is text. */
export const QueryAmount = Type.String({ maxLength: 40, description: 'A decimal number; 1 if absent', examples: ['1'] })

/** An exact amount on its way out. */
export const Figure = Type.Unsafe<Amount>({ type: 'number' })
/** null: unlimited. */
export const FigureOrUnlimited = Type.Unsafe<Amount | null>({ type: ['number', 'null'], description: 'null: unlimited' })
/** Members of every answer that says where an org stands with a feature. */
export const FIGURES = { used: Figure, reserved: Figure, limit: FigureOrUnlimited, remaining: FigureOrUnlimited }
export const Overage = Type.Unsafe<bigint>({ type: 'number', description: 'How far `used` lies above the limit' })

export const Time = Type.String({ format: 'date-time' })
export const TimeOrNull = Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' })
export const SentTime = Type.Unsafe<string | null>({
  type: ['string', 'null'], maxLength: 64, description: 'RFC 3339; null: now', examples: ['2026-01-31T12:00:00Z']
})
export const QueryTime = Type.String({ maxLength: 64, description: 'RFC 3339, as 2026-01-31T12:00:00Z' })

/** Go's clients send null for what is unset. */
export const Nullable = <T>(schema: object): ReturnType<typeof Type.Unsafe<T | null>> => Type.Unsafe<T | null>({ anyOf: [schema, { type: 'null' }] })
export const Flag = Type.Unsafe<boolean | null>({ type: ['boolean', 'null'] })

export const Tax = Type.Object({
  automatic: Type.Optional(Flag),
  collect_id: Type.Optional(Flag)
}, { additionalProperties: false, description: 'For a payment provider; nothing here computes a tax' })

export const Window = Type.Object({ start: Time, end: TimeOrNull })

export function windowText ({ start, end }: WindowOfTime): { start: string, end: string | null } {
  return { start: timeText(start), end: timeTextOrNull(end) }
}

export const REASONS: readonly (AllowedReason | RefusedReason)[] =
  ['within_limit', 'unlimited', 'overage', 'no_increase', 'granted', 'limit_reached', 'feature_not_found']

/** Why a verdict is what it is. */
export const Reason = Type.Unsafe<AllowedReason | RefusedReason>({ type: 'string', enum: REASONS })

const Text = Type.Optional(Type.String())

/** What is known of an org besides what it holds. */
export const OrgInfo = Type.Object({
  email: Text,
  billingId: Type.Optional(Type.String({ description: 'Who it is at the payment provider' })),
  name: Text,
  description: Text,
  phone: Text,
  metadata: Type.Optional(Type.Unsafe<object>({ type: 'object', additionalProperties: true })),
  automaticTax: Type.Optional(Type.Boolean())
})

export const SubscriptionAnswer = Type.Object({
  id: Type.Integer(),
  org: Type.String(),
  plan: Type.String(),
  feature: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'The one feature of the plan that is held; null: all' }),
  status: Type.Unsafe<SubscriptionStatus>({ type: 'string', enum: STATUSES }),
  startsAt: Time,
  endsAt: TimeOrNull,
  anchorAt: Type.Unsafe<string>({ type: 'string', format: 'date-time', description: 'Where its periods are counted from' }),
  timeZone: Type.String(),
  metadata: Type.Optional(Type.Unsafe<Properties>({ type: 'object', additionalProperties: true }))
}, {
  examples: [{
    id: 1,
    org: 'org:acme',
    plan: 'plan:free@0',
    feature: null,
    status: 'active',
    startsAt: '2026-01-31T12:00:00.000Z',
    endsAt: null,
    anchorAt: '2026-01-31T12:00:00.000Z',
    timeZone: 'UTC'
  }]
})

export function subscriptionAnswer (org: string, row: Subscription) {
  const { id, plan, feature, status, startsAt, endsAt, anchorAt, timeZone, metadata } = row
  const times = { startsAt: timeText(startsAt), endsAt: timeTextOrNull(endsAt), anchorAt: timeText(anchorAt) }
  return { id, org, plan: planText(plan), feature, status, ...times, timeZone, ...(metadata !== undefined && { metadata }) }
}

export const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  code: Type.String({ examples: ['invalid_request'] }),
  message: Type.String(),
  errors: Type.Optional(Type.Unsafe<readonly FieldProblem[]>(Type.Array(Type.Object({
    pointer: Type.String({ description: 'JSON pointer into the body, or `?name` of the query or the path' }),
    detail: Type.String()
  }))))
}, {
  examples: [{
    type: 'urn:tollgate:error:invalid_request',
    title: 'The request is not valid',
    status: 400,
    detail: 'unknown field "orgs"',
    code: 'invalid_request',
    message: 'unknown field "orgs"',
    errors: [{ pointer: '/orgs', detail: 'unknown field "orgs"' }]
  }]
})

/** The errors that every guarded route may answer with. */
export const problems = {
  '4xx': { description: 'What is wrong with the request, by field', content: { 'application/problem+json': { schema: Problem } } },
  '5xx': { description: 'Why it cannot be answered now; 503 has Retry-After', content: { 'application/problem+json': { schema: Problem } } }
}

export function timeText (at: Instant): string {
  return new Date(at).toISOString()
}

export function timeTextOrNull (at: Instant | null): string | null {
  return at === null ? null : timeText(at)
}
