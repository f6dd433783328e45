import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { CONDITIONS_MAX, type SegmentRule } from '../domain/segment.ts'
import { createRule, deleteRule, listRules, readRule } from '../operations/segment-rules.ts'
import { NextCursor, Paging, paging } from './page.ts'
import { FeatureId, problems, Time, timeText } from './schemas.ts'

const TEXT_MAX = 300

const Condition = Type.Object({
  path: Type.String({ maxLength: TEXT_MAX, description: 'Into the event\'s properties: `plan.name`' }),
  equals: Type.Unknown({ description: 'Any JSON' })
}, { additionalProperties: false })

const NewRule = Type.Object({
  event: Type.String({ maxLength: TEXT_MAX, description: 'The name of the event' }),
  conditions: Type.Optional(Type.Array(Condition, { maxItems: CONDITIONS_MAX, description: 'All of them must hold' })),
  feature: FeatureId
}, {
  additionalProperties: false,
  examples: [{ event: 'Report Exported', conditions: [{ path: 'format', equals: 'pdf' }], feature: 'feature:api-calls' }]
})

const Rule = Type.Object({
  id: Type.String(),
  event: Type.String(),
  conditions: Type.Unsafe<SegmentRule['conditions']>(Type.Array(Condition)),
  feature: Type.String(),
  createdAt: Time
}, {
  examples: [{
    id: '01890a5d-ac96-774b-bcce-b302099a8057',
    event: 'Report Exported',
    conditions: [{ path: 'format', equals: 'pdf' }],
    feature: 'feature:api-calls',
    createdAt: '2026-01-31T12:00:00.000Z'
  }]
})

const Params = Type.Object({ id: Type.String({ maxLength: 100, examples: ['01890a5d-ac96-774b-bcce-b302099a8057'] }) })

/** Which events of Segment are uses of a feature, where they do not say so themselves. */
export const segmentRuleRoutes: FastifyPluginAsyncTypebox = async app => {
  app.post('/segment/rules', {
    config: { scope: 'admin', idempotency: 'keep' },
    schema: {
      tags: ['plans'],
      summary: 'Make events of Segment a use of a feature',
      description: 'One use for each event of this name that meets all conditions, also for those of the last 30 days that no rule was there for, each once. An event ' +
        'that meets several rules is one use of each of their features.',
      body: NewRule,
      response: { 200: Rule, ...problems }
    }
  }, async ({ body: { event, conditions = [], feature }, principal: { environment } }) =>
    wire(await createRule(app.stores, environment, { event, conditions, feature })))

  app.get('/segment/rules', {
    config: { scope: 'read' },
    schema: {
      tags: ['plans'],
      summary: 'List rules for events of Segment',
      querystring: Type.Object(Paging, { additionalProperties: false }),
      response: { 200: Type.Object({ rules: Type.Array(Rule), nextCursor: NextCursor }), ...problems }
    }
  }, async ({ query, principal: { environment } }) => {
    const { items, nextCursor } = await listRules(app.stores, { environment, ...paging(query) })
    return { rules: items.map(wire), nextCursor }
  })

  app.get('/segment/rules/:id', {
    config: { scope: 'read' },
    schema: { tags: ['plans'], summary: 'Read a rule for events of Segment', params: Params, response: { 200: Rule, ...problems } }
  }, async ({ params: { id }, principal: { environment } }) => wire(await readRule(app.stores, environment, id)))

  app.delete('/segment/rules/:id', {
    config: { scope: 'admin' },
    schema: {
      tags: ['plans'],
      summary: 'Delete a rule for events of Segment',
      description: 'What it has counted stays.',
      params: Params,
      response: { 200: Type.Object({}), ...problems }
    }
  }, async ({ params: { id }, principal: { environment } }) => {
    await deleteRule(app.stores, environment, id)
    return {}
  })
}

function wire ({ createdAt, ...rule }: SegmentRule) {
  return { ...rule, createdAt: timeText(createdAt) }
}
