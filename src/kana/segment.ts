import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { parseInstant } from '../domain/time.ts'
import { TollgateError } from '../errors.ts'
import { identify, track, type Traits } from '../operations/segment.ts'
import { userIdOf } from './names.ts'

const TEXT_MAX = 1_000
const Text = Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: TEXT_MAX }))

/** What is read of a call of Segment's. It sends much more, and more kinds. */
const Call = Type.Object({
  type: Type.String({ maxLength: TEXT_MAX }),
  userId: Text,
  messageId: Text,
  timestamp: Text,
  event: Text,
  traits: Type.Optional(Type.Unsafe<Readonly<Record<string, unknown>> | null>({ type: ['object', 'null'] })),
  properties: Type.Optional(Type.Unsafe<Readonly<Record<string, unknown>> | null>({ type: ['object', 'null'] }))
})

/**
 * Where Segment sends what users did (`track`) and who they are (`identify`), as Kana took them. Of anything else nothing is kept. It
 * repeats what failed for a reason that passes; what is refused it drops.
 */
export const segmentEvents: FastifyPluginAsyncTypebox = async app => {
  app.post('/events', { config: { scope: 'write' }, schema: { hide: true, body: Call } }, async ({ body, principal: { environment } }) => {
    const { type, userId, messageId, timestamp, event, traits, properties } = body
    if (type !== 'identify' && type !== 'track') return { result: 'ignored' }
    if (!userId) throw new TollgateError('invalid_request', 'userId is required: who is not known uses nothing', { pointer: '/userId' })
    const org = `org:${userId}`
    if (type === 'identify') {
      const { name, email, billingUserId } = traits ?? {}
      const { org: known, ...identified } = await identify(app.stores, environment, org, {
        ...trait('name', name), ...trait('email', email), ...trait('billingId', billingUserId, 'billingUserId')
      })
      return { result: 'identified', userId: userIdOf(known), ...identified }
    }
    if (!messageId) throw new TollgateError('invalid_request', 'messageId is required: by it an event counts once', { pointer: '/messageId' })
    const { featureId, delta } = properties ?? {}
    if (featureId !== undefined && typeof featureId !== 'string') throw invalid('/properties/featureId', 'must be a text')
    if (delta !== undefined && delta !== null && typeof delta !== 'number' && typeof delta !== 'string') throw invalid('/properties/delta', 'must be a number')
    const { features, duplicate } = await track(app.stores, environment, {
      id: messageId,
      userId: org,
      event: event ?? '',
      at: parseInstant(timestamp, '/timestamp'),
      properties: properties ?? {},
      feature: featureId === undefined ? undefined : `feature:${featureId}`,
      delta
    })
    return { result: features.length === 0 ? 'waiting' : duplicate ? 'duplicate' : 'counted', features }
  })
}

/** What is not said, or empty, changes nothing. */
function trait (member: keyof Traits, value: unknown, name: string = member): Traits {
  if (value === undefined || value === null || value === '') return {}
  if (typeof value === 'string') return { [member]: value }
  throw invalid(`/traits/${name}`, 'must be a text')
}

function invalid (pointer: string, detail: string): TollgateError {
  return new TollgateError('invalid_request', `${pointer.slice(1)} ${detail}`, { pointer })
}
