import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { parseAmount, WHOLE } from '../domain/amount.ts'
import { type Answer, can, canAll } from '../operations/can.ts'
import { rateLimitHeaders, tellRateLimit } from './rate-limit.ts'
import { FeatureId, Figure, FigureOrUnlimited, OrgId, problems, QueryAmount, Reason, TimeOrNull, timeTextOrNull } from './schemas.ts'

const Query = Type.Object({
  org: OrgId,
  feature: Type.Optional(FeatureId),
  n: Type.Optional(QueryAmount)
}, { additionalProperties: false })

const Verdict = Type.Object({
  ok: Type.Boolean(),
  reason: Reason,
  org: Type.String(),
  feature: Type.String(),
  used: Figure,
  reserved: Figure,
  limit: FigureOrUnlimited,
  remaining: FigureOrUnlimited,
  overage: Type.Unsafe<bigint>({ type: 'number', description: 'How far `used` lies above the limit' }),
  resetsAt: TimeOrNull,
  degraded: Type.Boolean({ description: 'The ledger could not be asked: figures up to 15 minutes old' })
})

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
    if (feature === undefined) return { org, features: (await canAll(app.stores, question)).map(wire) }
    const answer = await can(app.stores, { ...question, feature })
    tellRateLimit(reply, answer, answer.at)
    return wire(answer)
  })
}

function wire ({ ok, reason, org, feature, used, reserved, limit, remaining, overage, window, degraded }: Answer) {
  return { ok, reason, org, feature, used, reserved, limit, remaining, overage, resetsAt: timeTextOrNull(window?.end ?? null), degraded }
}
