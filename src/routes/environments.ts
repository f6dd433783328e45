import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { clockExpiresAt } from '../domain/test-clock.ts'
import { parseInstant } from '../domain/time.ts'
import { TollgateError } from '../errors.ts'
import { deleteEnvironment, getEnvironment, listEnvironments, putEnvironment } from '../operations/environments.ts'
import type { Environment } from '../storage/environments.ts'
import { problems, Time, TimeOrNull, timeText, timeTextOrNull } from './schemas.ts'

const PAGE_STANDARD = 50
const PAGE_MAX = 100

const Params = Type.Object({ name: Type.String({ maxLength: 63, examples: ['test'] }) })

const Settings = Type.Object({
  defaultPlan: Type.Optional(Type.Unsafe<string | null>({
    type: ['string', 'null'], maxLength: 500, description: 'An org is subscribed to it on first sight; null: an unknown org is an error'
  })),
  now: Type.Optional(Type.Unsafe<string | null>({
    type: ['string', 'null'], maxLength: 64, description: 'Frozen time for everything in this environment; null: the real time'
  }))
}, { additionalProperties: false, examples: [{ defaultPlan: 'plan:free@0' }] })

const Answer = Type.Object({
  name: Type.String(),
  parent: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'Set: a test clock of this environment, with its plans' }),
  defaultPlan: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
  now: TimeOrNull,
  createdAt: Time,
  expiresAt: Type.Unsafe<string | null>({
    type: ['string', 'null'], format: 'date-time', description: 'When a test clock is deleted if no call names it until then'
  })
})

const Page = Type.Object({
  environments: Type.Array(Answer, { description: 'The one that the key opens, then its test clocks, oldest first' }),
  nextCursor: Type.Union([Type.String(), Type.Null()], { description: 'null: there is no further page' })
})

const PageQuery = Type.Object({
  cursor: Type.Optional(Type.String({ maxLength: 63, description: 'The `nextCursor` of the page before' })),
  limit: Type.Optional(Type.String({
    pattern: '^[1-9][0-9]{0,2}$', description: `Environments in one page: 1 to ${PAGE_MAX}, ${PAGE_STANDARD} if absent`
  }))
}, { additionalProperties: false })

const Confirm = Type.Object({
  confirm: Type.Optional(Type.String({ maxLength: 63, description: 'The name once more' }))
}, { additionalProperties: false })

/** What a key sees is its own environment and that one's test clocks. */
export const environmentRoutes: FastifyPluginAsyncTypebox = async app => {
  app.get('/environments', {
    config: { scope: 'read', ownEnvironment: true },
    schema: {
      tags: ['environments'],
      summary: 'The environment of the key, and its test clocks',
      querystring: PageQuery,
      response: { 200: Page, ...problems }
    }
  }, async ({ query: { cursor = null, limit }, principal: { environment } }) => {
    const page = await listEnvironments(app.stores, environment, cursor, pageOf(limit))
    return { environments: page.environments.map(wire), nextCursor: page.cursor }
  })

  app.get('/environments/:name', {
    config: { scope: 'read', ownEnvironment: true },
    schema: { tags: ['environments'], summary: 'Settings of an environment', params: Params, response: { 200: Answer, ...problems } }
  }, async ({ params: { name }, principal: { environment } }) => wire(await getEnvironment(app.stores, environment, name)))

  app.put('/environments/:name', {
    config: { scope: 'admin', ownEnvironment: true },
    schema: {
      tags: ['environments'],
      summary: 'Replace the settings of an environment',
      description: 'What is left out is reset. Other replicas follow within 5 seconds. A test clock has no settings of its own.',
      params: Params,
      body: Settings,
      response: { 200: Answer, ...problems }
    }
  }, async ({ params: { name }, body: { defaultPlan = null, now }, principal: { environment } }) =>
    wire(await putEnvironment(app.stores, environment, name, { defaultPlan, fixedNow: parseInstant(now, '/now') })))

  app.delete('/environments/:name', {
    config: { scope: 'admin', ownEnvironment: true },
    schema: {
      tags: ['environments'],
      summary: 'Delete a test clock',
      description: 'With everything in it: it is gone at once, on every replica. Other environments cannot be deleted.',
      params: Type.Object({ name: Type.String({ maxLength: 63 }) }),
      querystring: Confirm,
      response: { 200: Type.Object({}), ...problems }
    }
  }, async ({ params: { name }, query: { confirm }, principal: { environment } }) => {
    await deleteEnvironment(app.stores, environment, name, confirm)
    return {}
  })
}

function pageOf (limit: string | undefined): number {
  const page = limit === undefined ? PAGE_STANDARD : Number(limit)
  if (page > PAGE_MAX) throw new TollgateError('invalid_request', `limit must be from 1 to ${PAGE_MAX}`, { pointer: '?limit' })
  return page
}

function wire ({ name, parent, defaultPlan, fixedNow, createdAt, lastUsedAt }: Environment) {
  return {
    name,
    parent,
    defaultPlan,
    now: timeTextOrNull(fixedNow),
    createdAt: timeText(createdAt),
    expiresAt: parent === null ? null : timeText(clockExpiresAt(lastUsedAt))
  }
}
