import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { parseAmount, WHOLE } from '../domain/amount.ts'
import { TTL_MAX_SECONDS } from '../domain/reservation.ts'
import { allowed } from '../operations/consume.ts'
import {
  commitReservation, extendReservation, getReservation, listReservations, type Refused, releaseReservation, type Reservation, reserve
} from '../operations/reservations.ts'
import { EventIdHeader, eventId } from './event-id.ts'
import { NextCursor, Paging, paging } from './page.ts'
import {
  FeatureId, Figure, FigureOrUnlimited, FIGURES, OrgId, problems, Reason, SentAmount, Time, TimeOrNull, timeText, timeTextOrNull, Window,
  windowText
} from './schemas.ts'

const Ttl = Type.Integer({ description: `How long it is held: 1 to ${TTL_MAX_SECONDS} seconds` })
const Org = Type.Optional(Type.Union([OrgId, Type.Null()], { description: 'Whose it is; needed only where two orgs use one id' }))
const Params = Type.Object({ id: Type.String({ maxLength: 300, examples: ['job-1'] }) })

const Body = Type.Object({
  org: OrgId,
  feature: FeatureId,
  n: Type.Optional(SentAmount),
  ttlSeconds: Ttl,
  id: Type.Optional(Type.String({ maxLength: 300, description: 'Makes a retry free: the same id holds once' }))
}, { additionalProperties: false, examples: [{ org: 'org:acme', feature: 'feature:api-calls', n: 10, ttlSeconds: 600, id: 'job-1' }] })

const Held = Type.Object({
  id: Type.String(),
  org: Type.String(),
  feature: Type.String(),
  n: Type.Unsafe<bigint>({ type: 'number', description: 'What is held' }),
  state: Type.Unsafe<Reservation['state']>({ type: 'string', enum: ['held', 'committed', 'released', 'expired'] }),
  at: Time,
  expiresAt: Type.Unsafe<string>({ type: 'string', format: 'date-time', description: 'From here on it holds nothing' }),
  window: Window,
  event: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'The event that counts it' }),
  used: Type.Unsafe<bigint>({ type: 'number', description: 'When it was made' }),
  reserved: Type.Unsafe<bigint>({ type: 'number', description: 'When it was made, with what it holds' }),
  limit: FigureOrUnlimited,
  remaining: FigureOrUnlimited
}, {
  examples: [{
    id: 'job-1',
    org: 'org:acme',
    feature: 'feature:api-calls',
    n: 10,
    state: 'held',
    at: '2026-02-01T12:00:00.000Z',
    expiresAt: '2026-02-01T12:10:00.000Z',
    window: { start: '2026-01-31T12:00:00.000Z', end: '2026-02-28T12:00:00.000Z' },
    event: null,
    used: 3,
    reserved: 10,
    limit: 1000,
    remaining: 987
  }]
})

const Refusal = Type.Object({
  ok: Type.Boolean(),
  reason: Reason,
  id: Type.String(),
  org: Type.String(),
  feature: Type.String(),
  ...FIGURES,
  overage: Figure,
  window: Type.Union([Window, Type.Null()]),
  resetsAt: TimeOrNull,
  version: Type.Integer({ description: 'Of the counter on which it was decided' }),
  expired: Type.Boolean({ description: 'The hold had expired, and there is no room for as much any more' })
}, { description: 'Nothing was held, or counted' })

const Reserved = Type.Union([
  Type.Object({
    ok: Type.Boolean(),
    ...Held.properties,
    duplicate: Type.Boolean({ description: 'It was made before; the figures are those of then' })
  }),
  Refusal
], { description: 'Held, or refused because of the limit' })

const Committed = Type.Union([
  Type.Object({
    ok: Type.Boolean(),
    reason: Reason,
    ...Held.properties,
    overage: Figure,
    expired: Type.Boolean({ description: 'The hold had expired, and there was room all the same' }),
    duplicate: Type.Boolean({ description: 'It was counted before; the figures are those of then' }),
    voided: Type.Optional(Type.Boolean({ description: 'The event was voided since' }))
  }),
  Refusal
], { description: 'Counted, or refused because of the limit' })

export const reservationRoutes: FastifyPluginAsyncTypebox = async app => {
  app.post('/reservations', {
    config: { scope: 'write' },
    schema: {
      tags: ['reservations'],
      summary: 'Hold units for a use that is to come',
      description: 'If the limit allows, else 200 with `ok: false`. What is held counts in every verdict as `reserved`, until it is ' +
        'committed or released, or expires: at its instant, by itself. For features whose aggregate is sum or count.',
      body: Body,
      headers: EventIdHeader,
      response: { 200: Reserved, ...problems }
    }
  }, async ({ body: { org, feature, n, ttlSeconds, id }, headers, principal: { environment } }) => {
    const answer = await reserve(app.stores, {
      environment,
      org,
      feature,
      n: n === undefined ? WHOLE : parseAmount(n ?? 0, '/n'),
      ttlSeconds,
      ...eventId(id, headers['idempotency-key'])
    })
    return answer.ok ? { ok: true, ...wire(answer.reservation), duplicate: answer.duplicate } : refusal(answer)
  })

  app.get('/reservations', {
    config: { scope: 'read' },
    schema: {
      tags: ['reservations'],
      summary: 'List the reservations of an org',
      description: 'The latest first; also those that are settled, until 30 days after they would have expired.',
      querystring: Type.Object({ org: OrgId, ...Paging }, { additionalProperties: false }),
      response: { 200: Type.Object({ reservations: Type.Array(Held), nextCursor: NextCursor }), ...problems }
    }
  }, async ({ query: { org, ...query }, principal: { environment } }) => {
    const { items, nextCursor } = await listReservations(app.stores, org, { environment, ...paging(query) })
    return { reservations: items.map(wire), nextCursor }
  })

  app.get('/reservations/:id', {
    config: { scope: 'read' },
    schema: {
      tags: ['reservations'],
      summary: 'One reservation',
      params: Params,
      querystring: Type.Object({ org: Type.Optional(OrgId) }, { additionalProperties: false }),
      response: { 200: Held, ...problems }
    }
  }, async ({ params: { id }, query: { org }, principal: { environment } }) =>
    wire(await getReservation(app.stores, { environment, id, org, orgPointer: '?org' })))

  app.post('/reservations/:id/commit', {
    config: { scope: 'write' },
    schema: {
      tags: ['reservations'],
      summary: 'Count what was held',
      description: 'All of it, or `n`: less, or, if the limit allows, more. It counts in the window in which it was held. After the hold ' +
        'has expired it counts if there is room. Else 200 with `ok: false`, and nothing is counted.',
      params: Params,
      body: Type.Object({ n: Type.Optional(SentAmount), org: Org }, { additionalProperties: false, examples: [{ n: 8 }] }),
      response: { 200: Committed, ...problems }
    }
  }, async ({ params: { id }, body: { n, org }, principal: { environment } }) => {
    const answer = await commitReservation(app.stores, { environment, id, org: org ?? undefined, orgPointer: '/org' },
      n === undefined ? null : parseAmount(n ?? 0, '/n'))
    if (!answer.ok) return refusal(answer)
    const { reservation, recorded } = answer
    const { reason, overage, ...figures } = allowed(recorded)
    return {
      ok: true,
      reason,
      ...wire({ ...reservation, ...figures, window: recorded.window }),
      overage,
      expired: recorded.reason !== null,
      duplicate: recorded.duplicate,
      ...(recorded.voided && { voided: true })
    }
  })

  app.post('/reservations/:id/release', {
    config: { scope: 'write' },
    schema: {
      tags: ['reservations'],
      summary: 'Let what is held go',
      description: 'What is settled already stays as it is, so a caller may do this in any case when the work is over.',
      params: Params,
      body: Type.Object({ org: Org }, { additionalProperties: false, examples: [{}] }),
      response: { 200: Held, ...problems }
    }
  }, async ({ params: { id }, body: { org }, principal: { environment } }) =>
    wire(await releaseReservation(app.stores, { environment, id, org: org ?? undefined, orgPointer: '/org' })))

  app.post('/reservations/:id/extend', {
    config: { scope: 'write' },
    schema: {
      tags: ['reservations'],
      summary: 'Hold for longer',
      description: 'For `ttlSeconds` from now; never shorter than before.',
      params: Params,
      body: Type.Object({ ttlSeconds: Ttl, org: Org }, { additionalProperties: false, examples: [{ ttlSeconds: 900 }] }),
      response: { 200: Held, ...problems }
    }
  }, async ({ params: { id }, body: { ttlSeconds, org }, principal: { environment } }) =>
    wire(await extendReservation(app.stores, { environment, id, org: org ?? undefined, orgPointer: '/org' }, ttlSeconds)))
}

function wire ({ at, expiresAt, window, ...reservation }: Reservation) {
  return { ...reservation, at: timeText(at), expiresAt: timeText(expiresAt), window: windowText(window) }
}

function refusal ({ denied, id, org, feature, window, version, late }: Refused) {
  const figures = { id, org, feature, version, expired: late, resetsAt: timeTextOrNull(window?.end ?? null) }
  return { ...denied, ...figures, window: window === null ? null : windowText(window) }
}
