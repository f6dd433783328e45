import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { parseAmount } from '../domain/amount.ts'
import { TollgateError } from '../errors.ts'
import { correct, type Corrected } from '../operations/corrections.ts'
import { EventIdHeader, eventId } from './event-id.ts'
import { FIGURES, OrgId, problems, SentAmount, Window, windowText } from './schemas.ts'

const Params = Type.Object({ id: Type.String({ maxLength: 300, description: 'Of the event that is corrected', examples: ['call-1'] }) })
const Query = Type.Object({ org: Type.Optional(OrgId) }, { additionalProperties: false })

const common = {
  org: Type.Optional(OrgId),
  reason: Type.Optional(Type.String({ maxLength: 500, description: 'For whoever asks later' })),
  id: Type.Optional(Type.String({ maxLength: 300, description: 'Of the event that is appended; makes a retry free' }))
}

const Answer = Type.Object({
  id: Type.String({ description: 'Of the event that was appended' }),
  refersTo: Type.String({ description: 'The event that it corrects' }),
  org: Type.String(),
  ...FIGURES,
  window: Window,
  duplicate: Type.Boolean({ description: 'It was corrected so before; the figures are those of then' })
}, {
  description: 'Corrected',
  examples: [{
    id: 'fix-1',
    refersTo: 'call-1',
    org: 'org:acme',
    used: 4,
    reserved: 0,
    limit: 1000,
    remaining: 996,
    window: { start: '2026-01-31T12:00:00.000Z', end: '2026-02-28T12:00:00.000Z' },
    duplicate: false
  }]
})

export const correctionRoutes: FastifyPluginAsyncTypebox = async app => {
  app.post('/events/:id/amend', {
    config: { scope: 'write' },
    schema: {
      tags: ['events'],
      summary: 'Put another amount in the place of what was reported',
      description: 'At any age. The total of its window, current or past, is right in the next read. The event stays as it was, with this ' +
        'in its history.',
      params: Params,
      querystring: Query,
      headers: EventIdHeader,
      body: Type.Object({ ...common, n: SentAmount }, {
        additionalProperties: false, examples: [{ org: 'org:acme', n: 2, reason: 'Counted a retry twice', id: 'fix-1' }]
      }),
      response: { 200: Answer, ...problems }
    }
  }, async ({ params, query, headers, body: { org, n, reason, id }, principal: { environment, actor } }) => wire(await correct(app.stores, {
    environment,
    ...orgOf(org, query.org),
    event: params.id,
    n: parseAmount(n ?? 0, '/n'),
    reason,
    actor,
    ...eventId(id, headers['idempotency-key'])
  })))

  app.post('/events/:id/void', {
    config: { scope: 'write' },
    schema: {
      tags: ['events'],
      summary: 'Take back what was reported',
      description: 'As if it had never been, at any age. The event stays as it was, with this in its history.',
      params: Params,
      querystring: Query,
      headers: EventIdHeader,
      body: Type.Object(common, { additionalProperties: false, examples: [{ org: 'org:acme', reason: 'A test call', id: 'fix-2' }] }),
      response: { 200: Answer, ...problems }
    }
  }, async ({ params, query, headers, body: { org, reason, id }, principal: { environment, actor } }) => wire(await correct(app.stores, {
    environment,
    ...orgOf(org, query.org),
    event: params.id,
    n: null,
    reason,
    actor,
    ...eventId(id, headers['idempotency-key'])
  })))
}

function orgOf (body: string | undefined, query: string | undefined): { org: string, orgPointer: string } {
  const org = body ?? query
  if (org === undefined) throw new TollgateError('invalid_request', 'org is required: event ids are unique within their org', { pointer: '/org' })
  if (query !== undefined && query !== org) throw new TollgateError('invalid_request', 'org differs between body and query', { pointer: '/org' })
  return { org, orgPointer: body === undefined ? '?org' : '/org' }
}

function wire ({ window, ...corrected }: Corrected) {
  return { ...corrected, window: windowText(window) }
}
