import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { environmentOfNewKey, type KeyKind, type Scope, SCOPES } from '../domain/key.ts'
import { parseInstant } from '../domain/time.ts'
import { createKey, getKey, listKeys, type MadeKey, revokeKey, rotateKey } from '../operations/keys.ts'
import type { StoredKey } from '../storage/keys.ts'
import { pageOf, type PageLength, queryLimit } from './page.ts'
import { problems, Time, TimeOrNull, timeText, timeTextOrNull } from './schemas.ts'

const PAGE: PageLength = { standard: 20, max: 100 }
const OVERLAP_STANDARD_SECONDS = 24 * 60 * 60
const OVERLAP_MAX_SECONDS = 30 * OVERLAP_STANDARD_SECONDS

const Params = Type.Object({ id: Type.String({ maxLength: 64, description: 'As create and list show it' }) })

const Kind = Type.Unsafe<KeyKind>({ type: 'string', enum: ['private', 'public'], description: 'public: for the client API, and nothing else' })
const Scopes = (description: string) => Type.Unsafe<Scope[]>({
  type: 'array', items: { type: 'string', enum: SCOPES }, maxItems: SCOPES.length, uniqueItems: true, description
})

const Wanted = Type.Object({
  kind: Type.Optional(Kind),
  scopes: Type.Optional(Scopes('admin implies the other two. If absent: write and read. A public key has none')),
  name: Type.Optional(Type.String({ maxLength: 300, description: 'For people: up to 100 printable characters' })),
  expiresAt: Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 64, description: 'RFC 3339; null: never' })),
  environment: Type.Optional(Type.String({
    maxLength: 63, description: 'To make the first key of another environment, with the admin key of the server. It is created if it is new'
  }))
}, { additionalProperties: false, examples: [{ name: 'billing worker', scopes: ['write', 'read'] }] })

/** Without a body: the standard overlap. */
const Rotation = Type.Unsafe<{ overlapSeconds?: number } | null>({
  type: ['object', 'null'],
  properties: {
    overlapSeconds: {
      type: 'integer',
      minimum: 0,
      maximum: OVERLAP_MAX_SECONDS,
      description: `How long the old key still counts: up to 30 days, ${OVERLAP_STANDARD_SECONDS} if absent`
    }
  },
  additionalProperties: false,
  examples: [{ overlapSeconds: 3600 }]
})

const Query = Type.Object({
  cursor: Type.Optional(Type.String({ maxLength: 64, description: 'The `nextCursor` of the page before' })),
  limit: queryLimit('Keys', PAGE)
}, { additionalProperties: false })

const Key = Type.Object({
  id: Type.String(),
  environment: Type.String(),
  kind: Kind,
  scopes: Scopes('Empty for a public key'),
  name: Type.String(),
  prefix: Type.String({ description: 'The first characters of the key, to know it again by' }),
  createdAt: Time,
  lastUsedAt: Type.Unsafe<string | null>({ ...TimeOrNull, description: 'To the minute; null: never' }),
  expiresAt: Type.Unsafe<string | null>({ ...TimeOrNull, description: 'From then on it is refused; null: never' }),
  revokedAt: TimeOrNull,
  rotatedTo: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'The id of the key that takes its place' })
}, { description: 'The key, without what opens anything' })

const Made = Type.Object({
  ...Key.properties,
  key: Type.String({ description: 'The key itself, shown this once: only its digest is kept' })
}, { description: 'The new key' })

const Page = Type.Object({
  keys: Type.Array(Key),
  nextCursor: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'null: there is no further page' })
}, { description: 'Keys, newest first' })

export const keyRoutes: FastifyPluginAsyncTypebox = async app => {
  app.post('/keys', {
    config: { scope: 'admin', ownEnvironment: true, idempotency: 'keep' },
    schema: {
      tags: ['keys'],
      summary: 'Create a key',
      description: 'It opens the environment of the key that asks. The answer shows it once.',
      body: Wanted,
      response: { 200: Made, ...problems }
    }
  }, async ({ body: { kind = 'private', scopes, name = '', expiresAt, environment }, principal }, reply) => {
    const wanted = { kind, scopes, name, expiresAt: parseInstant(expiresAt, '/expiresAt') }
    return made(await createKey(app.stores, environmentOfNewKey(principal, environment), wanted, Date.now()), reply)
  })

  app.get('/keys', {
    config: { scope: 'admin', ownEnvironment: true },
    schema: {
      tags: ['keys'],
      summary: 'The keys of this environment',
      description: 'Newest first, those that were revoked or have expired among them. Never what opens anything.',
      querystring: Query,
      response: { 200: Page, ...problems }
    }
  }, async ({ query: { cursor = null, limit }, principal: { environment } }) => {
    const page = await listKeys(app.stores, environment, cursor, pageOf(limit, PAGE))
    return { keys: page.keys.map(wire), nextCursor: page.cursor }
  })

  app.get('/keys/:id', {
    config: { scope: 'admin', ownEnvironment: true },
    schema: { tags: ['keys'], summary: 'One key', params: Params, response: { 200: Key, ...problems } }
  }, async ({ params: { id }, principal: { environment } }) => wire(await getKey(app.stores, environment, id)))

  app.post('/keys/:id/rotate', {
    config: { scope: 'admin', ownEnvironment: true, idempotency: 'keep' },
    schema: {
      tags: ['keys'],
      summary: 'Replace a key by a new one',
      description: 'The new key has the same kind, scopes, name and expiry, and is shown once. Both count until the overlap ends.',
      params: Params,
      body: Rotation,
      response: { 200: Made, ...problems }
    }
  }, async ({ params: { id }, body, principal: { environment } }, reply) => {
    const { overlapSeconds = OVERLAP_STANDARD_SECONDS } = body ?? {}
    return made(await rotateKey(app.stores, environment, id, overlapSeconds * 1_000, Date.now()), reply)
  })

  app.post('/keys/:id/revoke', {
    config: { scope: 'admin', ownEnvironment: true },
    schema: {
      tags: ['keys'],
      summary: 'Refuse a key from now on',
      description: 'It stays in the list. Other replicas follow within 5 seconds.',
      params: Params,
      response: { 200: Key, ...problems }
    }
  }, async ({ params: { id }, principal: { environment } }) => wire(await revokeKey(app.stores, environment, id, Date.now())))
}

/** A secret is for the caller, and for nothing between. */
function made ({ record, key }: MadeKey, reply: { header: (name: string, value: string) => unknown }) {
  reply.header('cache-control', 'no-store')
  return { ...wire(record), key }
}

/** Member by member: what is added to the table is not shown by itself. */
function wire (key: StoredKey) {
  return {
    id: key.id,
    environment: key.environment,
    kind: key.kind,
    scopes: key.scopes,
    name: key.name,
    prefix: key.prefix,
    createdAt: timeText(key.createdAt),
    lastUsedAt: timeTextOrNull(key.lastUsedAt),
    expiresAt: timeTextOrNull(key.expiresAt),
    revokedAt: timeTextOrNull(key.revokedAt),
    rotatedTo: key.rotatedTo
  }
}
