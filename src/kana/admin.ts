import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { Access } from '../operations/access.ts'
import { adminSchema } from './admin-schema.ts'
import { type Caller, callerOf } from './caller.ts'
import { graphqlEndpoint } from './endpoint.ts'
import { features } from './features.ts'
import { graphiqlPage } from './graphiql.ts'
import { doorsOf } from './keys.ts'
import { links } from './links.ts'
import { packages } from './packages.ts'
import { subscriptions } from './subscriptions.ts'
import { RULES } from './tolerance.ts'
import { usage } from './usage.ts'
import { users } from './users.ts'

export interface AdminApiOptions {
  readonly access: Access
  /** Bounds what one key may send, in a scope in which requests have their `principal`. */
  readonly limited: (scope: FastifyInstance) => Promise<void>
}

/** Kana's admin API, and a page to try it out on. */
export const adminApi: FastifyPluginAsync<AdminApiOptions> = async (app, { access, limited }) => {
  graphiqlPage(app)
  await app.register(async api => {
    const doors = doorsOf(api.stores, access)
    api.decorateRequest('principal')
    api.addHook('onRequest', async request => {
      request.principal = await doors.admin(request)
    })
    await limited(api)
    graphqlEndpoint<Caller>(api, { schema: adminSchema, rules: RULES, root, callerOf: callerFor })
  })

  async function callerFor (request: FastifyRequest): Promise<Caller> {
    return callerOf(app.stores, app.payments, request.principal, request)
  }
}

const root = { ...features, ...packages, ...users, ...subscriptions, ...usage, ...links }
