import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
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
}

/** Kana's admin API, and a page to try it out on. */
export const adminApi: FastifyPluginAsync<AdminApiOptions> = async (app, { access }) => {
  const doors = doorsOf(app.stores, access)
  app.decorateRequest('principal')
  app.addHook('onRequest', async request => {
    if (request.method === 'POST') request.principal = await doors.admin(request)
  })
  const root = { ...features, ...packages, ...users, ...subscriptions, ...usage, ...links }
  graphiqlPage(app)
  graphqlEndpoint<Caller>(app, { schema: adminSchema, rules: RULES, root, callerOf: callerFor })

  async function callerFor (request: FastifyRequest): Promise<Caller> {
    return callerOf(app.stores, app.payments, request.principal, request)
  }
}
