import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { parseAmount, WHOLE } from '../domain/amount.ts'
import { checkProperties } from '../domain/properties.ts'
import { parseInstant } from '../domain/time.ts'
import type { Counted } from '../operations/count.ts'
import { report } from '../operations/report.ts'
import { EventIdHeader, eventId } from './event-id.ts'
import { anyCase } from './member-names.ts'
import { FeatureId, Figure, FigureOrUnlimited, OrgId, problems, SentAmount, SentTime, Window, windowText } from './schemas.ts'

const Body = Type.Object({
  org: OrgId,
  feature: FeatureId,
  n: Type.Optional(SentAmount),
  at: Type.Optional(SentTime),
  clobber: Type.Optional(Type.Unsafe<boolean | null>({ type: ['boolean', 'null'], description: 'Set the total of the window to `n` instead of adding' })),
  id: Type.Optional(Type.String({ maxLength: 300, description: 'Makes a retry free: the same id counts once' })),
  properties: Type.Optional(Type.Unsafe<Record<string, unknown>>({ type: 'object', description: 'Kept with the event' }))
}, { additionalProperties: false, examples: [{ org: 'org:acme', feature: 'feature:api-calls', n: 3, id: 'call-1' }] })

const Answer = Type.Object({
  id: Type.String(),
  org: Type.String(),
  feature: Type.String(),
  used: Figure,
  reserved: Figure,
  limit: FigureOrUnlimited,
  remaining: FigureOrUnlimited,
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
      response: { 200: Answer, ...problems }
    },
    preValidation: anyCase(Body)
  }, async ({ body, headers, principal }) => {
    const { org, feature, n, at, clobber, properties } = body
    return wire(await report(app.stores, {
      environment: principal.environment,
      org,
      feature,
      n: n === undefined ? WHOLE : parseAmount(n ?? 0, '/n'),
      at: parseInstant(at, '/at'),
      clobber: clobber ?? false,
      ...eventId(body.id, headers['idempotency-key']),
      properties: properties === undefined ? undefined : checkProperties(properties)
    }))
  })
}

function wire ({ window, voided, ...counted }: Counted) {
  return { ...counted, window: windowText(window), ...(voided && { voided }) }
}
