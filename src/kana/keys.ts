import type { FastifyRequest } from 'fastify'
import { isKey, keyFromHeader, type Principal } from '../domain/key.ts'
import { loggable, TollgateError } from '../errors.ts'
import type { Access } from '../operations/access.ts'
import { enterClock } from '../operations/clocks.ts'
import type { Stores } from '../storage/stores.ts'
import { failure, unauthenticated } from './failures.ts'
import { type UserTokens, userTokens } from './user-token.ts'

/** As on every other call: it happens on the test clock that this names. */
export const CLOCK_HEADER = 'tier-clock'
export const USER_HEADER = 'x-user-id'

/** What a caller shows, by its form: whether it counts is another question. */
type Form = 'private' | 'public' | 'token' | 'unknown'

const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/

function formOf (key: string): Form {
  if (TOKEN.test(key)) return 'token'
  if (!isKey(key)) return 'unknown'
  return key.startsWith('pub_') ? 'public' : 'private'
}

/** Whom a request of the client API is about. */
export interface ClientUser {
  readonly environment: string
  readonly userId: string
  /** Set: by a token, which stays theirs when their id changes. */
  readonly key: number | undefined
  /** Whose requests these count as: a public key is in every visitor's page, so each address has a share of its own. */
  readonly actor: string
}

export interface Doors {
  /** The admin API: private keys. @throws `UNAUTHENTICATED` */
  admin (request: FastifyRequest): Promise<Principal>
  /** The client API: public keys with a user's id, and users' tokens. @throws `UNAUTHENTICATED` */
  client (request: FastifyRequest): Promise<ClientUser>
}

/** Each key opens one of Kana's two APIs, also on a server that is open: what looks like a key of the other one is refused. */
export function doorsOf (stores: Stores, access: Access): Doors {
  const tokens: UserTokens = userTokens(stores.secret)

  async function identify (key: string | undefined): Promise<Principal> {
    const principal = await access.identify(key)
    if (principal === undefined) throw unauthenticated(key === undefined ? 'the header authorization is missing.' : 'this key does not count.')
    return principal
  }

  return {
    admin: async request => {
      const key = keyFromHeader(request.headers.authorization)
      const form = key === undefined ? undefined : formOf(key)
      if (form === 'public' || form === 'token') throw unauthenticated('this API needs a private key; public keys and user tokens are for the client API.')
      const principal = await identify(key)
      if (principal.kind === 'public') throw unauthenticated('this API needs a private key.')
      return { ...principal, environment: await onClock(stores, request, principal.environment) }
    },
    client: async request => {
      const key = keyFromHeader(request.headers.authorization)
      const form = key === undefined ? undefined : formOf(key)
      if (key !== undefined && form === 'token') {
        const user = await tokens.read(key)
        if (user === undefined) throw unauthenticated('this user token does not count, or has expired.')
        const environment = await onClock(stores, request, user.environment)
        return { ...user, environment, actor: `user:${environment}/${user.key}` }
      }
      if (form === 'private') throw unauthenticated('a private key must not be in a client; use a public key or a user token.')
      const principal = await identify(key)
      if (principal.kind === 'private' && !principal.operator) throw unauthenticated('this API needs a public key or a user token.')
      const userId = request.headers[USER_HEADER]
      if (typeof userId !== 'string' || userId === '') throw unauthenticated(`with a public key the header ${USER_HEADER} says who the user is.`)
      const environment = await onClock(stores, request, principal.environment)
      return { environment, userId: decoded(userId), key: undefined, actor: `${principal.actor} ${request.ip}` }
    }
  }
}

/** Browsers send texts in headers as Latin-1; ids beyond that come as the bytes of their UTF-8. */
function decoded (header: string): string {
  const text = Buffer.from(header, 'latin1').toString('utf8')
  return text.includes('\uFFFD') ? header : text
}

async function onClock (stores: Stores, request: FastifyRequest, environment: string): Promise<string> {
  const id = request.headers[CLOCK_HEADER]
  // A token that was made on a clock is for that clock already.
  if (typeof id !== 'string' || id === '' || id === environment) return environment
  try {
    return await enterClock(stores, environment, id, CLOCK_HEADER, error => {
      request.log.warn({ reqId: request.id, err: loggable(error) }, 'the use of a test clock could not be noted')
    })
  } catch (error) {
    throw error instanceof TollgateError && error.code === 'clock_not_found' ? failure(error.message) : error
  }
}
