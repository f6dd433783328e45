import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { parseAmount } from '../domain/amount.ts'
import { parseInstant } from '../domain/time.ts'
import { endOverride, listOverrides, putOverride } from '../operations/overrides.ts'
import type { LoggedOverride } from '../storage/overrides.ts'
import { NextCursor, Paging, paging } from './page.ts'
import { FeatureId, FigureOrUnlimited, OrgId, problems, Time, TimeOrNull, timeText, timeTextOrNull } from './schemas.ts'

const OrgParams = Type.Object({ org: OrgId })
const Params = Type.Object({ org: OrgId, feature: FeatureId })

const Body = Type.Object({
  limit: Type.Unsafe<number | string | null>({
    type: ['number', 'string', 'null'], maxLength: 40, description: 'A number, or a decimal string of up to 28 digits; null: unlimited'
  }),
  overage: Type.Optional(Type.Unsafe<boolean | null>({ type: ['boolean', 'null'], description: 'May more be used? Absent or null: as the plan has it' })),
  until: Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 64, description: 'RFC 3339; absent or null: until it is ended' })),
  reason: Type.String({ maxLength: 500, description: 'For whoever asks later' })
}, { additionalProperties: false, examples: [{ limit: 5000, reason: 'Agreed until the new contract is signed' }] })

const Override = Type.Object({
  org: Type.String(),
  feature: Type.String(),
  limit: FigureOrUnlimited,
  overage: Type.Unsafe<boolean | null>({ type: ['boolean', 'null'], description: 'null: as the plan has it' }),
  startsAt: Time,
  endsAt: TimeOrNull,
  reason: Type.String()
}, {
  examples: [{
    org: 'org:acme',
    feature: 'feature:api-calls',
    limit: 5000,
    overage: null,
    startsAt: '2026-01-31T12:00:00.000Z',
    endsAt: null,
    reason: 'Agreed until the new contract is signed'
  }]
})

export const overrideRoutes: FastifyPluginAsyncTypebox = async app => {
  app.get('/orgs/:org/overrides', {
    config: { scope: 'read' },
    schema: {
      tags: ['orgs'],
      summary: 'List the overrides of an org',
      description: 'Those in force and past ones: feature by feature, of each the newest first.',
      params: OrgParams,
      querystring: Type.Object({
        feature: Type.Optional(Type.String({ maxLength: 300, description: 'Only of this feature' })), ...Paging
      }, { additionalProperties: false }),
      response: { 200: Type.Object({ overrides: Type.Array(Override), nextCursor: NextCursor }), ...problems }
    }
  }, async ({ params: { org }, query: { feature, ...query }, principal: { environment } }) => {
    const { items, nextCursor } = await listOverrides(app.stores, { environment, org, feature, ...paging(query) })
    return { overrides: items.map(item => wire(org, item)), nextCursor }
  })

  app.put('/orgs/:org/overrides/:feature', {
    config: { scope: 'admin' },
    schema: {
      tags: ['orgs'],
      summary: 'Override the limit of a feature for one org',
      description: 'From now on, in place of what its plans say. The former override ends. Windows and what was used in them stay.',
      params: Params,
      body: Body,
      response: { 200: Override, ...problems }
    }
  }, async ({ params: { org, feature }, body: { limit, overage, until, reason }, principal: { environment } }) =>
    wire(org, await putOverride(app.stores, {
      environment,
      org,
      feature,
      limit: limit === null ? null : parseAmount(limit, '/limit'),
      overage: overage ?? undefined,
      until: parseInstant(until, '/until'),
      reason
    })))

  app.delete('/orgs/:org/overrides/:feature', {
    config: { scope: 'admin' },
    schema: {
      tags: ['orgs'],
      summary: 'End an override now',
      description: 'Its plans decide again. That it was there stays visible, and past windows keep their limits.',
      params: Params,
      response: { 200: Type.Object({}), ...problems }
    }
  }, async ({ params: { org, feature }, principal: { environment } }) => {
    await endOverride(app.stores, environment, org, feature)
    return {}
  })
}

function wire (org: string, { feature, limit, overage, startsAt, endsAt, reason }: LoggedOverride) {
  return { org, feature, limit, overage, startsAt: timeText(startsAt), endsAt: timeTextOrNull(endsAt), reason }
}
