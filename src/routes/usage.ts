import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { parseInstant } from '../domain/time.ts'
import { type FeatureUsage, usage, type WindowUsage } from '../operations/usage.ts'
import { pageOf, type PageLength, queryLimit } from './page.ts'
import { FeatureId, Figure, FIGURES, OrgId, problems, QueryTime, Time, TimeOrNull, timeText, timeTextOrNull } from './schemas.ts'

const PAGE: PageLength = { standard: 12, max: 100 }

const Query = Type.Object({
  org: OrgId,
  feature: Type.Optional(FeatureId),
  from: Type.Optional(QueryTime),
  to: Type.Optional(QueryTime),
  cursor: Type.Optional(Type.String({ maxLength: 64, description: 'The `nextCursor` of the page before' })),
  limit: queryLimit('Past windows', PAGE)
}, { additionalProperties: false })

const WindowFigures = Type.Object({
  start: Time,
  end: TimeOrNull,
  ...FIGURES,
  overage: Figure
})

const Feature = Type.Object({
  feature: Type.String(),
  current: Type.Union([WindowFigures, Type.Null()], { description: 'null: not held now, or not metered' }),
  past: Type.Array(WindowFigures, { description: 'Newest first, each with its limit at its end' }),
  nextCursor: Type.Union([Type.String(), Type.Null()], { description: 'null: there is no further page' })
})

const Answer = Type.Union([
  Type.Object({ org: Type.String(), ...Feature.properties }),
  Type.Object({ org: Type.String(), features: Type.Array(Feature) })
], { description: 'Windows, newest first' })

export const usageRoutes: FastifyPluginAsyncTypebox = async app => {
  app.get('/usage', {
    config: { scope: 'read' },
    schema: {
      tags: ['main'],
      summary: 'What was used',
      description: 'The current window and past ones. `from` and `to` choose past windows that overlap them. ' +
        'Without `feature`: the same for every metered feature of the org.',
      querystring: Query,
      response: { 200: Answer, ...problems }
    }
  }, async ({ query, principal: { environment } }) => {
    const { org, features } = await usage(app.stores, {
      environment,
      org: query.org,
      feature: query.feature,
      from: parseInstant(query.from, '?from'),
      to: parseInstant(query.to, '?to'),
      cursor: parseInstant(query.cursor, '?cursor'),
      pageMax: pageOf(query.limit, PAGE)
    })
    const [only] = features
    return query.feature !== undefined && only !== undefined ? { org, ...wire(only) } : { org, features: features.map(wire) }
  })
}

function wire ({ feature, current, past, cursor }: FeatureUsage) {
  return { feature, current: current === null ? null : figures(current), past: past.map(figures), nextCursor: timeTextOrNull(cursor) }
}

function figures ({ start, end, permitsOverage: _permitsOverage, ...rest }: WindowUsage) {
  return { start: timeText(start), end: timeTextOrNull(end), ...rest }
}
