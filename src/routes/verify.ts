import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { DIFFERENCES, type DifferenceKind } from '../domain/verification.ts'
import { verify } from '../operations/verify.ts'
import type { Difference } from '../operations/verify-round.ts'
import { NextCursor } from './page.ts'
import { problems, Time, TimeOrNull, timeText, timeTextOrNull } from './schemas.ts'

const Body = Type.Object({
  org: Type.Optional(Type.String({ maxLength: 300, description: 'Only this org; absent: all of the environment' })),
  cursor: Type.Optional(Type.String({ maxLength: 3_000, description: 'The `nextCursor` of the call before, with the same org' })),
  repair: Type.Optional(Type.Boolean({ description: 'Mend what can be mended' }))
}, { additionalProperties: false, examples: [{ org: 'org:acme' }] })

const FigureOrNull = (description: string) => Type.Unsafe<bigint | null>({ type: ['number', 'null'], description })
const EventOrNull = (description: string) => Type.Unsafe<Difference['after']>({
  anyOf: [Type.Object({ id: Type.String(), seq: Type.Integer() }), { type: 'null' }], description
})

const Found = Type.Object({
  kind: Type.Unsafe<DifferenceKind>({
    type: 'string',
    enum: DIFFERENCES,
    description: '`counter_differs`: from its events, all of which are there. `counter_missing`: there are events. `event_missing`: a figure ' +
      'comes from nowhere. `held_differs`: from what reservations hold. `mirror_differs`: an entry that the ledger never was like. ' +
      '`mirror_stale`: an entry that is behind the ledger and stays young'
  }),
  org: Type.String(),
  feature: Type.String(),
  window: Type.Object({ start: Time, end: TimeOrNull }),
  stored: FigureOrNull('What is there'),
  expected: FigureOrNull('What should be there'),
  missing: FigureOrNull('What comes from nowhere: the sum of what is missing after one event and before another'),
  after: EventOrNull('null: the beginning, or not known'),
  before: EventOrNull('null: the counter, or not known'),
  detail: Type.String(),
  mended: Type.Boolean()
})

const Answer = Type.Object({
  ok: Type.Boolean({ description: 'In this page nothing differs, or all of it was mended' }),
  checked: Type.Object({
    orgs: Type.Integer(),
    windows: Type.Integer(),
    events: Type.Integer(),
    pruned: Type.Integer({ description: 'Windows that have lost events to their age: their counters are all there is' })
  }),
  differences: Type.Array(Found),
  mirror: Type.Unsafe<'compared' | 'none' | 'unreachable'>({ type: 'string', enum: ['compared', 'none', 'unreachable'] }),
  progress: Type.Number({ description: 'From 0 to 1' }),
  nextCursor: NextCursor
}, {
  examples: [{
    ok: false,
    checked: { orgs: 1, windows: 1, events: 2, pruned: 0 },
    differences: [{
      kind: 'event_missing',
      org: 'org:acme',
      feature: 'feature:api-calls',
      window: { start: '2026-01-31T12:00:00.000Z', end: '2026-02-28T12:00:00.000Z' },
      stored: null,
      expected: null,
      missing: 3,
      after: { id: 'call-1', seq: 1 },
      before: { id: 'call-3', seq: 3 },
      detail: '3 is missing between event "call-1" (1) and event "call-3" (3): an event was deleted, or the counter was changed by hand',
      mended: false
    }],
    mirror: 'compared',
    progress: 1,
    nextCursor: null
  }]
})

export const verifyRoutes: FastifyPluginAsyncTypebox = async app => {
  app.post('/verify', {
    config: { scope: 'admin' },
    schema: {
      tags: ['operations'],
      summary: 'Compare counters with their events, and the mirror with the counters',
      description: 'A page of it: call again with `nextCursor` until that is null, as `tollgate verify` does. What is being counted meanwhile ' +
        'is no difference. `repair` writes what the events say where that is certain; a deleted event it cannot bring back.',
      body: Body,
      response: { 200: Answer, ...problems }
    }
  }, async ({ body: { org, cursor, repair = false }, principal: { environment } }) => {
    const { differences, ...rest } = await verify(app.stores, { environment, org, cursor, repair })
    return { ok: differences.every(({ mended }) => mended), ...rest, differences: differences.map(wire) }
  })
}

function wire ({ window: { start, end }, ...difference }: Difference) {
  return { ...difference, window: { start: timeText(start), end: timeTextOrNull(end) } }
}
