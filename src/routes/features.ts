import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { type FeatureType, OUTAGE_POLICIES, type OutagePolicy } from '../domain/entitlement.ts'
import type { Properties } from '../domain/properties.ts'
import { listFeatures, putOutagePolicy, readFeature } from '../operations/features.ts'
import type { ListedFeature } from '../storage/features.ts'
import { NextCursor, Paging, paging } from './page.ts'
import { FeatureId, PlanId, problems, Time, timeText } from './schemas.ts'

const OnOutage = Type.Unsafe<OutagePolicy>({
  type: 'string',
  enum: OUTAGE_POLICIES,
  description: 'What `can` answers of it while the ledger cannot be asked. `lastKnown`: by figures of up to 15 minutes ago, and no ' +
    'if there are none; `closed`: no; `open`: yes, whoever asks'
})

const Feature = Type.Object({
  feature: Type.String(),
  types: Type.Unsafe<readonly string[]>(Type.Array(Type.String({ enum: ['boolean', 'metered'] }), {
    description: 'As plans use it; empty once no plan does'
  })),
  plans: Type.Unsafe<readonly string[]>(Type.Array(Type.String(), {
    description: 'The first 100, of all statuses; all of them: `GET /v1/plans?feature=`'
  })),
  planCount: Type.Integer(),
  onOutage: OnOutage,
  type: Type.Optional(Type.Unsafe<FeatureType>({ type: 'string', enum: ['boolean', 'metered'], description: 'Of one that was made by itself' })),
  title: Type.Optional(Type.String()),
  unitLabel: Type.Optional(Type.String()),
  unitLabelPlural: Type.Optional(Type.String()),
  metadata: Type.Optional(Type.Unsafe<Properties>({ type: 'object', additionalProperties: true })),
  createdAt: Time
}, {
  examples: [{
    feature: 'feature:api-calls', types: ['metered'], plans: ['plan:free@0'], planCount: 1, onOutage: 'lastKnown', createdAt: '2026-01-31T12:00:00.000Z'
  }]
})

export const featureRoutes: FastifyPluginAsyncTypebox = async app => {
  app.get('/features', {
    config: { scope: 'read' },
    schema: {
      tags: ['plans'],
      summary: 'List features',
      description: 'Every feature that a plan names or has named, by name.',
      querystring: Type.Object({ plan: Type.Optional(PlanId), ...Paging }, { additionalProperties: false }),
      response: { 200: Type.Object({ features: Type.Array(Feature), nextCursor: NextCursor }), ...problems }
    }
  }, async ({ query: { plan, ...query }, principal: { environment } }) => {
    const { items, nextCursor } = await listFeatures(app.stores, { environment, plan, ...paging(query) })
    return { features: items.map(wire), nextCursor }
  })

  app.get('/features/:feature', {
    config: { scope: 'read' },
    schema: {
      tags: ['plans'],
      summary: 'Read a feature',
      params: Type.Object({ feature: FeatureId }),
      response: { 200: Feature, ...problems }
    }
  }, async ({ params: { feature }, principal: { environment } }) => wire(await readFeature(app.stores, environment, feature)))

  app.patch('/features/:feature', {
    config: { scope: 'admin' },
    schema: {
      tags: ['plans'],
      summary: 'Say what is answered of a feature during an outage',
      description: 'Counts for verdicts of `can`. What is reported or consumed is refused while the ledger cannot be asked. ' +
        'Other replicas know it within 5 seconds.',
      params: Type.Object({ feature: FeatureId }),
      body: Type.Object({ onOutage: OnOutage }, { additionalProperties: false, examples: [{ onOutage: 'lastKnown' }] }),
      response: { 200: Feature, ...problems }
    }
  }, async ({ params: { feature }, body: { onOutage }, principal: { environment } }) =>
    wire(await putOutagePolicy(app.stores, environment, feature, onOutage)))
}

function wire ({ name, types, plans, planCount, onOutage, createdAt, type, title, unitLabel, unitLabelPlural, metadata }: ListedFeature) {
  return {
    feature: name,
    types,
    plans,
    planCount,
    onOutage,
    ...(type !== null && { type }),
    ...(title !== null && { title }),
    ...(unitLabel !== null && { unitLabel }),
    ...(unitLabelPlural !== null && { unitLabelPlural }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
    createdAt: timeText(createdAt)
  }
}
