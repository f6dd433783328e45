import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { parseInstant } from '../domain/time.ts'
import { getEvent, listEvents } from '../operations/events.ts'
import type { EventMode } from '../storage/schema.ts'
import type { LoggedEvent } from '../storage/event-log.ts'
import { pageOf, type PageLength, queryLimit } from './page.ts'
import {
  FeatureId, Figure, FigureOrUnlimited, OrgId, problems, QueryTime, Time, timeText, timeTextOrNull, Window
} from './schemas.ts'

const PAGE: PageLength = { standard: 100, max: 1_000 }

const Query = Type.Object({
  org: Type.Optional(OrgId),
  feature: Type.Optional(FeatureId),
  from: Type.Optional(QueryTime),
  to: Type.Optional(QueryTime),
  cursor: Type.Optional(Type.String({
    maxLength: 100, description: 'The `nextCursor` of the page before. Without `org`, also `latest`: nothing that is there, only what comes'
  })),
  limit: queryLimit('Events', PAGE)
}, { additionalProperties: false })

const MODES: readonly EventMode[] = ['add', 'set', 'void', 'amend']
const Text = Type.Unsafe<string | null>({ type: ['string', 'null'] })

const Event = Type.Object({
  id: Type.String(),
  seq: Type.Integer({ description: 'Its place in the order of arrival. Numbers may be missing' }),
  org: Type.String(),
  feature: Type.String(),
  n: Figure,
  mode: Type.Unsafe<EventMode>({ type: 'string', enum: MODES, description: '`set` is a report with `clobber`' }),
  at: Time,
  window: Window,
  delta: Type.Unsafe<bigint>({ type: 'number', description: 'The change it made to the total of its window' }),
  usedAfter: Figure,
  limitAfter: FigureOrUnlimited,
  refersTo: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'The event that it voids or amends' }),
  reason: Text,
  actor: Text,
  properties: Type.Unsafe<Readonly<Record<string, unknown>> | null>({ type: ['object', 'null'], description: 'As they were reported' }),
  voided: Type.Boolean({ description: 'It was voided since: it counts for nothing' })
})

const EXAMPLE = {
  id: 'call-1',
  seq: 1,
  org: 'org:acme',
  feature: 'feature:api-calls',
  n: 3,
  mode: 'add',
  at: '2026-01-31T12:00:00.000Z',
  window: { start: '2026-01-31T12:00:00.000Z', end: '2026-02-28T12:00:00.000Z' },
  delta: 3,
  usedAfter: 3,
  limitAfter: 1000,
  refersTo: null,
  reason: null,
  actor: null,
  properties: { region: 'eu' },
  voided: false
}

const CORRECTION_EXAMPLE = {
  ...EXAMPLE, id: 'fix-1', seq: 2, n: 2, mode: 'amend', delta: -1, usedAfter: 2, refersTo: 'call-1', reason: 'Counted a retry twice', actor: 'operator', properties: {}
}

const EventWithHistory = Type.Object({
  ...Event.properties,
  countsAs: Type.Unsafe<bigint | null>({
    type: ['number', 'null'], description: 'Its `n` as it counts now; null: nothing, as it was voided, or is itself a correction'
  }),
  corrections: Type.Array(Event, { description: 'What voided or amended it, the oldest first; of more than 100, the latest' })
}, { examples: [{ ...EXAMPLE, countsAs: 2, corrections: [CORRECTION_EXAMPLE] }] })

const Page = Type.Object({
  events: Type.Array(Event),
  nextCursor: Type.Unsafe<string | null>({
    type: ['string', 'null'], description: 'Where the next page begins; null, with `org` only: there is none'
  }),
  more: Type.Boolean({ description: 'false: that was all there is now. Without `org`, ask again later from `nextCursor`' })
})

export const eventRoutes: FastifyPluginAsyncTypebox = async app => {
  app.get('/events', {
    config: { scope: 'read' },
    schema: {
      tags: ['events'],
      summary: 'What was recorded',
      description: 'With `org`: its events, the latest instant of use first. Without: the events of all orgs in the order of their ' +
        'arrival, to export them or to keep a copy in step. Whoever goes on from each `nextCursor`, however much later, is shown ' +
        'every event once. A page may have fewer events than `limit`, even none, and still be followed by others: see `more`. ' +
        '`from` and `to` choose instants of use.',
      querystring: Query,
      response: { 200: Page, ...problems }
    }
  }, async ({ query: { org, feature, from, to, cursor, limit }, principal: { environment } }) => {
    const { events, cursor: nextCursor, more } = await listEvents(app.stores, {
      environment,
      org,
      feature,
      from: parseInstant(from, '?from'),
      to: parseInstant(to, '?to'),
      cursor,
      pageMax: pageOf(limit, PAGE)
    })
    return { events: events.map(wire), nextCursor, more }
  })

  app.get('/events/:id', {
    config: { scope: 'read' },
    schema: {
      tags: ['events'],
      summary: 'One event of an org, with its corrections',
      description: 'The event is shown as it was recorded, whatever was corrected since.',
      params: Type.Object({ id: Type.String({ maxLength: 300, examples: ['call-1'] }) }),
      querystring: Type.Object({ org: OrgId }, { additionalProperties: false }),
      response: { 200: EventWithHistory, ...problems }
    }
  }, async ({ params: { id }, query: { org }, principal: { environment } }) => {
    const { countsAs, corrections, ...event } = await getEvent(app.stores, environment, org, id)
    return { ...wire(event), countsAs, corrections: corrections.map(wire) }
  })
}

function wire ({ amount, at, window: { start, end }, ...event }: LoggedEvent) {
  return { ...event, n: amount, at: timeText(at), window: { start: timeText(start), end: timeTextOrNull(end) } }
}
