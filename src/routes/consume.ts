import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { type Consumed, consume } from '../operations/consume.ts'
import { EventIdHeader, eventId } from './event-id.ts'
import { rateLimitHeaders, tellRateLimit } from './rate-limit.ts'
import { FIGURES, Overage, problems, Reason, TimeOrNull, Window, windowText } from './schemas.ts'
import { SentUsage, usageOf } from './sent-usage.ts'

const Body = Type.Object(SentUsage, {
  additionalProperties: false, examples: [{ org: 'org:acme', feature: 'feature:api-calls', n: 2, id: 'call-2' }]
})

export const ConsumeAnswer = Type.Object({
  ok: Type.Boolean({ description: 'Counted. Else nothing was' }),
  reason: Reason,
  id: Type.String(),
  org: Type.String(),
  feature: Type.String(),
  ...FIGURES,
  overage: Overage,
  window: Type.Union([Window, Type.Null()]),
  resetsAt: TimeOrNull,
  version: Type.Unsafe<number | null>({
    type: ['integer', 'null'], description: 'Of the counter on which a refusal was decided; null when it was counted'
  }),
  duplicate: Type.Boolean({ description: 'It was counted before; the figures are those of then' }),
  voided: Type.Optional(Type.Boolean({ description: 'The event was voided since' }))
}, {
  description: 'Counted, or refused because of the limit',
  headers: rateLimitHeaders,
  examples: [{
    ok: true,
    reason: 'within_limit',
    id: 'call-2',
    org: 'org:acme',
    feature: 'feature:api-calls',
    used: 5,
    reserved: 0,
    limit: 1000,
    remaining: 995,
    overage: 0,
    window: { start: '2026-01-31T12:00:00.000Z', end: '2026-02-28T12:00:00.000Z' },
    resetsAt: '2026-02-28T12:00:00.000Z',
    version: null,
    duplicate: false
  }]
})

export const consumeRoutes: FastifyPluginAsyncTypebox = async app => {
  app.post('/consume', {
    config: { scope: 'write' },
    schema: {
      tags: ['main'],
      summary: 'Check and count in one step',
      description: 'Counts if the limit allows, else counts nothing and says why: 200 with `ok: false`. A limit is never passed, ' +
        'with any number of callers and replicas. A retry with the `id` of what was counted gives the first answer again; what was ' +
        'refused is asked anew.',
      body: Body,
      headers: EventIdHeader,
      response: { 200: ConsumeAnswer, ...problems }
    }
  }, async ({ body, headers, principal: { environment } }, reply) => {
    const usage = usageOf(environment, body, eventId(body.id, headers['idempotency-key']))
    const consumed = await consume(app.stores, usage)
    tellRateLimit(reply, consumed, consumed.now)
    return consumeAnswer(consumed, undefined)
  })
}

/** As `reportAnswer`. */
export function consumeAnswer<Result extends 'counted' | 'duplicate' | 'refused' | undefined> (
  { ok, reason, id, org, feature, used, reserved, limit, remaining, overage, window, version, duplicate, voided }: Consumed,
  result: Result
) {
  const shown = window === null ? null : windowText(window)
  const resetsAt = shown?.end ?? null
  const answer = {
    result, ok, reason, id, org, feature, used, reserved, limit, remaining, overage, window: shown, resetsAt, version, duplicate
  }
  return voided ? { ...answer, voided } : answer
}
