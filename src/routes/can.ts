import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { parseAmount, WHOLE } from '../domain/amount.ts'
import { can, canAll } from '../operations/can.ts'
import { rateLimitHeaders, tellRateLimit } from './rate-limit.ts'
import { FeatureId, OrgId, problems, QueryAmount } from './schemas.ts'
import { Verdict, verdictAnswer } from './verdict.ts'

const Query = Type.Object({
  org: OrgId,
  feature: Type.Optional(FeatureId),
  n: Type.Optional(QueryAmount)
}, { additionalProperties: false })

const Verdicts = Type.Object({ org: Type.String(), features: Type.Array(Verdict) })

export const canRoutes: FastifyPluginAsyncTypebox = async app => {
  app.get('/can', {
    config: { scope: 'read' },
    schema: {
      tags: ['main'],
      summary: 'May they use it?',
      description: 'A verdict is an answer, not an error: 200 with `ok: false` and a reason. Records nothing. ' +
        'Without `feature`: a verdict for every feature that the org holds.',
      querystring: Query,
      response: { 200: Type.Union([Verdict, Verdicts], { description: 'The verdict', headers: rateLimitHeaders }), ...problems }
    }
  }, async ({ query: { org, feature, n }, principal: { environment } }, reply) => {
    const question = { environment, org, n: n === undefined ? WHOLE : parseAmount(n, '?n') }
    if (typeof feature !== 'string') return { org, features: (await canAll(app.stores, question, feature)).map(verdictAnswer) }
    const answer = await can(app.stores, { ...question, feature })
    if (answer.reason !== 'ledger_unavailable') tellRateLimit(reply, answer, answer.at)
    return verdictAnswer(answer)
  })
}
