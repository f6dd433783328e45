import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Instant } from '../domain/entitlement.ts'
import { CLOCK_UNUSED_DAYS_MAX } from '../domain/test-clock.ts'
import { parseInstant } from '../domain/time.ts'
import { TollgateError } from '../errors.ts'
import { advanceClock, clockNamed, createClock } from '../operations/clocks.ts'
import { anyCase } from './member-names.ts'
import { problems, Time, timeText } from './schemas.ts'

const TEXT_MAX = 300
const METHODS = 'GET, POST'
const OTHER_METHODS = ['PUT', 'PATCH', 'DELETE']

const Body = Type.Object({
  id: Type.Optional(Type.String({ maxLength: TEXT_MAX, description: 'The clock to advance; without it a new one is made' })),
  name: Type.Optional(Type.String({ maxLength: TEXT_MAX, description: 'Of a new one, as Tier\'s clients send it; it is not kept' })),
  present: Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 64, description: 'Its time, RFC 3339' }))
}, { additionalProperties: false, examples: [{ name: 'trial', present: '2024-01-31T00:00:00Z' }] })

const Clock = Type.Object({
  id: Type.String({ description: 'Goes into the header `tier-clock`' }),
  link: Type.String(),
  present: Time,
  status: Type.String()
}, { examples: [{ id: 'clock-0198a0c2-7a5e-7c3b-9d4f-0b6f1e2d3c4a', link: '', present: '2024-01-31T00:00:00.000Z', status: '' }] })

const Ready = Type.Object({ ...Clock.properties, status: Type.Literal('ready') })

/** Tier's test clocks. A clock belongs to the environment that the key opens, also where a call names another clock. */
export const clockRoutes: FastifyPluginAsyncTypebox = async app => {
  app.post('/clock', {
    config: { scope: 'write', ownEnvironment: true, idempotency: 'keep' },
    preValidation: anyCase(Body),
    schema: {
      tags: ['environments'],
      summary: 'Make a test clock, or advance one',
      description: 'A call with the header `tier-clock` sees the orgs of that clock and no others, at its time, with the plans of ' +
        `the environment. Time moves forward only. A clock that is not used for ${CLOCK_UNUSED_DAYS_MAX} days is deleted.`,
      body: Body,
      response: { 200: Clock, ...problems }
    }
  }, async ({ body: { id = '', name = '', present: text }, principal: { environment } }) => {
    if (id !== '' && name !== '') throw new TollgateError('invalid_request', 'send id to advance a clock, or name to make one', { pointer: '/name' })
    const present = instantSent(text)
    const clock = id === '' ? await createClock(app.stores, environment, present) : await advanceClock(app.stores, environment, { id, present })
    return { id: clock.id, link: '', present: timeText(clock.present), status: '' }
  })

  app.get('/clock', {
    config: { scope: 'read', ownEnvironment: true },
    schema: {
      tags: ['environments'],
      summary: 'A test clock\'s time',
      querystring: Type.Object({ id: Type.String({ maxLength: TEXT_MAX }) }, { additionalProperties: false }),
      response: { 200: Ready, ...problems }
    }
  }, async ({ query, principal: { environment } }) => {
    const { id, present } = await clockNamed(app.stores, environment, query.id, '?id')
    return { id, link: '', present: timeText(present), status: 'ready' as const }
  })

  app.route({
    method: OTHER_METHODS,
    url: '/clock',
    config: { scope: 'read', ownEnvironment: true },
    schema: { hide: true },
    // Before the body is read, which may be anything.
    preParsing: (_request, reply, _payload, done) => {
      reply.header('allow', METHODS)
      done(new TollgateError('method_not_allowed'))
    },
    handler: async () => ({})
  })
}

function instantSent (text: string | null | undefined): Instant {
  const present = parseInstant(text, '/present')
  if (present === null) throw new TollgateError('invalid_request', 'present is required', { pointer: '/present' })
  return present
}
