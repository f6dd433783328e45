import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { parseAmount, WHOLE } from '../domain/amount.ts'
import { checkProperties } from '../domain/properties.ts'
import { parseInstant } from '../domain/time.ts'
import { type Consumed, consume } from '../operations/consume.ts'
import { EventIdHeader, eventId } from './event-id.ts'
import {
  FeatureId, Figure, FigureOrUnlimited, OrgId, problems, Reason, SentAmount, SentTime, TimeOrNull, timeTextOrNull, Window, windowText
} from './schemas.ts'

const Body = Type.Object({
  org: OrgId,
  feature: FeatureId,
  n: Type.Optional(SentAmount),
  at: Type.Optional(SentTime),
  id: Type.Optional(Type.String({ maxLength: 300, description: 'Makes a retry free: what was counted under it is not counted again' })),
  properties: Type.Optional(Type.Unsafe<Record<string, unknown>>({ type: 'object', description: 'Kept with the event' }))
}, { additionalProperties: false, examples: [{ org: 'org:acme', feature: 'feature:api-calls', n: 2, id: 'call-2' }] })

export const ConsumeAnswer = Type.Object({
  ok: Type.Boolean({ description: 'Counted. Else nothing was' }),
  reason: Reason,
  id: Type.String(),
  org: Type.String(),
  feature: Type.String(),
  used: Figure,
  reserved: Figure,
  limit: FigureOrUnlimited,
  remaining: FigureOrUnlimited,
  overage: Type.Unsafe<bigint>({ type: 'number', description: 'How far `used` lies above the limit' }),
  window: Type.Union([Window, Type.Null()]),
  resetsAt: TimeOrNull,
  version: Type.Unsafe<number | null>({
    type: ['integer', 'null'], description: 'Of the counter on which a refusal was decided; null when it was counted'
  }),
  duplicate: Type.Boolean({ description: 'It was counted before; the figures are those of then' }),
  voided: Type.Optional(Type.Boolean({ description: 'The event was voided since' }))
}, {
  description: 'Counted, or refused because of the limit',
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
  }, async ({ body, headers, principal }) => {
    const { org, feature, n, at, properties } = body
    return consumeAnswer(await consume(app.stores, {
      environment: principal.environment,
      org,
      feature,
      n: n === undefined ? WHOLE : parseAmount(n ?? 0, '/n'),
      at: parseInstant(at, '/at'),
      clobber: false,
      ...eventId(body.id, headers['idempotency-key']),
      properties: properties === undefined ? undefined : checkProperties(properties)
    }))
  })
}

export function consumeAnswer ({ window, resetsAt, voided, ...consumed }: Consumed) {
  return {
    ...consumed,
    window: window === null ? null : windowText(window),
    resetsAt: timeTextOrNull(resetsAt),
    ...(voided && { voided })
  }
}
