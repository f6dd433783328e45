import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { parseAmount, WHOLE } from '../domain/amount.ts'
import { TollgateError } from '../errors.ts'
import { can, canAll } from '../operations/can.ts'
import { type Ask, canEach } from '../operations/can-each.ts'
import { explain } from '../operations/explain.ts'
import { Explanation, explanationAnswer } from './explanation.ts'
import { refusedItems } from './items.ts'
import { problemOf } from './problems.ts'
import { rateLimitHeaders, tellRateLimit } from './rate-limit.ts'
import { FeatureId, OrgId, Problem, problems, QueryAmount, SentAmount } from './schemas.ts'
import { Verdict, verdictAnswer } from './verdict.ts'

const FEATURES_MAX = 100
const QUESTIONS_MAX = 1_000
const QUESTIONS_BYTES_MAX = 1024 * 1024

const Query = Type.Object({
  org: OrgId,
  feature: Type.Optional(Type.Unsafe<string | readonly string[]>({
    ...FeatureId,
    type: ['string', 'array'],
    items: FeatureId,
    maxItems: FEATURES_MAX,
    description: `One, or several: \`feature=feature:a&feature=feature:b\`, up to ${FEATURES_MAX}`
  })),
  n: Type.Optional(QueryAmount),
  explain: Type.Optional(Type.Unsafe<'true' | 'false'>({
    type: 'string', enum: ['true', 'false'], description: 'Of one feature: what made the verdict, from the ledger'
  }))
}, { additionalProperties: false })

const ExplainedVerdict = Type.Object({ ...Verdict.properties, explanation: Type.Optional(Explanation) })

const Verdicts = Type.Object({ org: Type.String(), features: Type.Array(Verdict) })

const Questions = Type.Object({
  questions: Type.Array(Type.Object({
    org: OrgId,
    feature: FeatureId,
    n: Type.Optional(SentAmount)
  }, { additionalProperties: false }), { maxItems: QUESTIONS_MAX })
}, {
  additionalProperties: false,
  examples: [{ questions: [{ org: 'org:acme', feature: 'feature:api-calls' }, { org: 'org:acme', feature: 'feature:api-calls', n: 2000 }] }]
})

const Results = Type.Object({ results: Type.Array(Type.Union([Verdict, Problem])) }, {
  description: 'For each question, in order, its verdict, or what is wrong with it: then it has a `status` and a `code`'
})

export const canRoutes: FastifyPluginAsyncTypebox = async app => {
  app.get('/can', {
    config: { scope: 'read' },
    schema: {
      tags: ['main'],
      summary: 'May they use it?',
      description: 'A verdict is an answer, not an error: 200 with `ok: false` and a reason. Records nothing. ' +
        'With several features: a verdict for each, in order. Without any: for every feature that the org holds. ' +
        'With `explain=true` it says what made the verdict: entitlements, override, window, events and reservations.',
      querystring: Query,
      response: { 200: Type.Union([ExplainedVerdict, Verdicts], { description: 'The verdict', headers: rateLimitHeaders }), ...problems }
    }
  }, async ({ query: { org, feature, n, explain: why }, principal: { environment } }, reply) => {
    const amount = n === undefined ? WHOLE : parseAmount(n, '?n')
    if (why === 'true') {
      if (typeof feature !== 'string') throw new TollgateError('invalid_request', 'explain is for one feature', { pointer: '?explain' })
      const explained = await explain(app.stores, { environment, org, n: amount, feature })
      tellRateLimit(reply, explained.answer, explained.answer.at)
      return { ...verdictAnswer(explained.answer), explanation: explanationAnswer(explained) }
    }
    if (typeof feature !== 'string') {
      return { org, features: (await canAll(app.stores, { environment, org, n: amount }, feature)).map(verdictAnswer) }
    }
    const answer = await can(app.stores, { environment, org, n: amount, feature })
    if (answer.reason !== 'ledger_unavailable') tellRateLimit(reply, answer, answer.at)
    return verdictAnswer(answer)
  })

  app.post('/can', {
    config: { scope: 'read', itemised: true },
    bodyLimit: QUESTIONS_BYTES_MAX,
    attachValidation: true,
    schema: {
      tags: ['main'],
      summary: 'May they use it? Many questions at once',
      description: `Up to ${QUESTIONS_MAX} questions about any orgs and features, each answered by itself. Records nothing: every question is ` +
        'answered as if it were the only one.',
      body: Questions,
      response: { 200: Results, ...problems }
    }
  }, async (request) => {
    const refused = refusedItems(request, 'questions')
    const asks = request.body.questions.map((question, i) => refused.get(i) ?? askOf(question, `/questions/${i}`))
    const answers = await canEach(app.stores, request.principal.environment, asks)
    return { results: answers.map(answer => answer instanceof TollgateError ? problemOf(answer) : verdictAnswer(answer)) }
  })
}

function askOf ({ org, feature, n }: Omit<Ask, 'n' | 'pointer'> & { n?: number | string | null }, pointer: string): Ask | TollgateError {
  try {
    return { org, feature, n: n === undefined ? WHOLE : parseAmount(n ?? 0, `${pointer}/n`), pointer }
  } catch (error) {
    if (error instanceof TollgateError) return error
    throw error
  }
}
