import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Counted } from '../operations/count.ts'
import { report } from '../operations/report.ts'
import { EventIdHeader, eventId } from './event-id.ts'
import { anyCase } from './member-names.ts'
import { FIGURES, problems, Window, windowText } from './schemas.ts'
import { Clobber, SentUsage, usageOf } from './sent-usage.ts'

const Body = Type.Object({ ...SentUsage, clobber: Clobber }, {
  additionalProperties: false, examples: [{ org: 'org:acme', feature: 'feature:api-calls', n: 3, id: 'call-1' }]
})

export const ReportAnswer = Type.Object({
  id: Type.String(),
  org: Type.String(),
  feature: Type.String(),
  ...FIGURES,
  window: Window,
  duplicate: Type.Boolean({ description: 'It was counted before; the figures are those of then' }),
  voided: Type.Optional(Type.Boolean({ description: 'The event was voided since' }))
}, {
  description: 'Counted',
  examples: [{
    id: 'call-1',
    org: 'org:acme',
    feature: 'feature:api-calls',
    used: 3,
    reserved: 0,
    limit: 1000,
    remaining: 997,
    window: { start: '2026-01-31T12:00:00.000Z', end: '2026-02-28T12:00:00.000Z' },
    duplicate: false
  }]
})

export const reportRoutes: FastifyPluginAsyncTypebox = async app => {
  app.post('/report', {
    config: { scope: 'write' },
    schema: {
      tags: ['main'],
      summary: 'Record usage',
      description: 'Answers when the event is durable and in the next read. Never refused because of a limit.',
      body: Body,
      headers: EventIdHeader,
      response: { 200: ReportAnswer, ...problems }
    },
    preValidation: anyCase(Body)
  }, async ({ body, headers, principal: { environment } }) =>
    reportAnswer(await report(app.stores, usageOf(environment, body, eventId(body.id, headers['idempotency-key']))), undefined))
}

/**
 * Each by its name: what is spread is copied slowly, and there may be a thousand in an answer.
 * @param result goes first, where it is one of many; else undefined
 */
export function reportAnswer<Result extends 'counted' | 'duplicate' | undefined> (
  { id, org, feature, used, reserved, limit, remaining, window, duplicate, voided }: Counted, result: Result
) {
  const answer = { result, id, org, feature, used, reserved, limit, remaining, window: windowText(window), duplicate }
  return voided ? { ...answer, voided } : answer
}
