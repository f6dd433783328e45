import { hash, timingSafeEqual } from 'node:crypto'
import fp from 'fastify-plugin'
import { environmentOfKey, keyFromHeader, type Principal, type Scope } from '../domain/key.ts'
import { TollgateError } from '../errors.ts'

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
  /** undefined: open, and every caller is an administrator of `test` */
  readonly adminKey: string | undefined
}

const OPEN: Principal = { environment: 'test', scopes: ['admin', 'write', 'read'] }

/** Guards the scope it is registered in: routes beside that scope are public, and no URL is ever looked at. */
export default fp<AuthOptions>(async (app, { adminKey }) => {
  const admin = adminKey === undefined ? undefined : adminOf(adminKey)
  app.decorateRequest('principal')
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.scope === undefined) throw new Error(`${String(method)} ${url} does not say what a key must allow`)
  })
  app.addHook('onRequest', (request, _reply, done) => {
    if (admin === undefined) {
      request.principal = OPEN
      return done()
    }
    const key = keyFromHeader(request.headers.authorization)
    if (key === undefined || !timingSafeEqual(admin.digest, digestOf(key))) return done(new TollgateError('unauthorized', 'Unauthorized'))
    request.principal = admin.principal
    done()
  })
}, { name: 'auth' })

function adminOf (key: string): { readonly digest: Buffer, readonly principal: Principal } {
  const environment = environmentOfKey(key)
  if (environment === undefined) throw new Error('the admin key is not a private key')
  return { digest: digestOf(key), principal: { environment, scopes: ['admin', 'write', 'read'] } }
}

/** Keys are compared by their digests: of one length, in constant time. */
function digestOf (key: string): Buffer {
  return hash('sha256', key, 'buffer')
}
