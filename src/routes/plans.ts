import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import stripJsonComments from 'strip-json-comments'
import { Type } from 'typebox'
import { pull, push, type PushResult } from '../operations/plans.ts'
import { problems } from './schemas.ts'

const BODY_BYTES_MAX = 4 * 1024 * 1024

/** A plan document is checked by the domain, which names every bad place in Tier's words. */
const Document = Type.Unsafe<unknown>({
  type: 'object',
  properties: { plans: { type: 'object' } },
  description: 'Tier\'s plan document, with our optional members: see docs/plans.md',
  examples: [{
    plans: {
      'plan:free@0': {
        title: 'Free',
        features: { 'feature:api-calls': { tiers: [{ upto: 1000 }] }, 'feature:sso': { type: 'boolean' } }
      }
    }
  }]
})

const Pushed = Type.Object({
  results: Type.Unsafe<PushResult[]>(Type.Array(Type.Object({
    feature: Type.String(),
    status: Type.String({ enum: ['ok', 'failed'] }),
    reason: Type.String()
  })))
}, { examples: [{ results: [{ feature: 'feature:api-calls@plan:free@0', status: 'ok', reason: 'created' }] }] })

const Pulled = Type.Unsafe<unknown>({ type: 'object', properties: { plans: { type: 'object' } } })

export const planRoutes: FastifyPluginAsyncTypebox = async app => {
  // Plan documents are written by people: they may have comments and trailing commas, as Tier takes them.
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    void parse(request, stripJsonComments(body, { trailingCommas: true }), done)
  })

  app.post('/push', {
    config: { scope: 'admin' },
    bodyLimit: BODY_BYTES_MAX,
    schema: {
      tags: ['plans'],
      summary: 'Publish plans',
      description: '200 also where plans were refused: look at `results`, one per feature. A plan never changes: publish a new version.',
      body: Document,
      response: { 200: Pushed, ...problems }
    }
  }, async ({ body, principal: { environment } }) => ({ results: await push(app.stores, environment, body) }))

  app.get('/pull', {
    config: { scope: 'read' },
    schema: { tags: ['plans'], summary: 'All published plans, as a document to push', response: { 200: Pulled, ...problems } }
  }, async ({ principal: { environment } }) => await pull(app.stores, environment))
}
