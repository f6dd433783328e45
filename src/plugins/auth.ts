import { timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { environmentOfKey, isActive, isKey, keyFromHeader, type Principal, refusal, type Scope } from '../domain/key.ts'
import { TollgateError } from '../errors.ts'
import { keyDigest } from '../operations/keys.ts'
import type { Keys, StoredKey } from '../storage/keys.ts'
import { available } from '../storage/ledger-reader.ts'

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
  /** undefined: open, and every caller without a stored key is an administrator of `openEnvironment` */
  readonly adminKey: string | undefined
  readonly openEnvironment: string
  readonly keys: Keys
}

type Done = (error?: Error) => void

/**
 * Guards the scope it is registered in: routes beside that scope are public, and no URL is ever looked at. Only a key
 * that was not asked for in the last 5 s costs a question to the ledger; everything else is decided at once.
 */
export default fp<AuthOptions>(async (app, { adminKey, openEnvironment, keys }) => {
  const admin = adminKey === undefined ? undefined : adminOf(adminKey)
  const stranger = admin === undefined ? operatorOf(openEnvironment) : undefined
  app.decorateRequest('principal')
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.scope === undefined) throw new Error(`${String(method)} ${url} does not say what a key must allow`)
  })
  app.addHook('onRequest', (request, _reply, done) => {
    const text = keyFromHeader(request.headers.authorization)
    if (text === undefined) return admit(request, stranger, done)
    const digest = keyDigest(text)
    // In constant time. Below, digests are looked up: how long that takes helps nobody, who cannot choose the digest of a key.
    if (admin !== undefined && timingSafeEqual(admin.digest, digest)) return admit(request, admin.principal, done)
    const found = isKey(text) ? keys.find(digest.toString('hex')) : undefined
    if (!(found instanceof Promise)) return admit(request, principalOf(found), done)
    available(found).then(key => admit(request, principalOf(key), done), done)
  })

  /** A key that we made and that counts no more is refused even where no key is needed: its owner means it to count. */
  function principalOf (key: StoredKey | undefined): Principal | undefined {
    if (key === undefined) return stranger
    if (!isActive(key, Date.now())) return undefined
    keys.used(key)
    const { id, environment, kind, scopes } = key
    return { environment, kind, scopes, operator: false, actor: `key:${id}` }
  }
}, { name: 'auth' })

function admit (request: FastifyRequest, principal: Principal | undefined, done: Done): void {
  if (principal === undefined) return done(new TollgateError('unauthorized', 'Unauthorized'))
  request.principal = principal
  // Asking for the route costs more than all the rest; who may do everything is not asked.
  const why = principal.scopes.includes('admin') ? undefined : refusal(principal, request.routeOptions.config.scope as Scope)
  done(why === undefined ? undefined : new TollgateError('forbidden', why))
}

function adminOf (key: string): { readonly digest: Buffer, readonly principal: Principal } {
  const environment = environmentOfKey(key)
  if (environment === undefined) throw new Error('the admin key is not a private key')
  return { digest: keyDigest(key), principal: operatorOf(environment) }
}

function operatorOf (environment: string): Principal {
  return { environment, kind: 'private', scopes: ['admin'], operator: true, actor: 'operator' }
}
