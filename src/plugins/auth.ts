import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { keyFromHeader, type Principal, refusal, type Scope } from '../domain/key.ts'
import { TollgateError } from '../errors.ts'
import type { Access } from '../operations/access.ts'

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal
  }
  interface FastifyContextConfig {
    /** What the caller's key must allow. Every guarded route says it. */
    scope?: Scope
  }
}

export interface AuthOptions {
  readonly access: Access
}

type Done = (error?: Error) => void

/** Guards the scope it is registered in: routes beside that scope are public, and no URL is ever looked at. */
export default fp<AuthOptions>(async (app, { access }) => {
  app.decorateRequest('principal')
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.scope === undefined) throw new Error(`${String(method)} ${url} does not say what a key must allow`)
  })
  app.addHook('onRequest', (request, _reply, done) => {
    const principal = access.identify(keyFromHeader(request.headers.authorization))
    if (!(principal instanceof Promise)) return admit(request, principal, done)
    principal.then(known => admit(request, known, done), done)
  })
}, { name: 'auth' })

function admit (request: FastifyRequest, principal: Principal | undefined, done: Done): void {
  if (principal === undefined) return done(new TollgateError('unauthorized', 'Unauthorized'))
  request.principal = principal
  // Asking for the route costs more than all the rest; who may do everything is not asked.
  const why = principal.scopes.includes('admin') ? undefined : refusal(principal, request.routeOptions.config.scope as Scope)
  done(why === undefined ? undefined : new TollgateError('forbidden', why))
}
