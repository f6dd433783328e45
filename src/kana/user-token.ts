import { hkdfSync } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import { isEnvironmentName } from '../domain/ids.ts'

const LIFETIME_SECONDS = 2_592_000
const AUDIENCE = 'kana-client'
const ISSUER = 'usekana.com'
const ALGORITHM = 'HS256'
const PURPOSE = 'tollgate kana user token'
const KEY_BYTES = 32

/** Whom a token speaks for. */
export interface TokenUser {
  /** Also that of a test clock. */
  readonly environment: string
  readonly userId: string
  /** The org's, which stays when its id changes and is never another's. */
  readonly key: number
}

export interface UserTokens {
  /** Good for 30 days on the clock on the wall: an environment's frozen time makes no token live longer. */
  sign (user: TokenUser): Promise<string>
  /** @returns undefined for what was not signed here, or has expired */
  read (token: string): Promise<TokenUser | undefined>
}

/** Kana's, with the org's key besides. @param secret the ledger's, so that every replica reads what any of them signed */
export function userTokens (secret: string): UserTokens {
  const key = new Uint8Array(hkdfSync('sha256', secret, '', PURPOSE, KEY_BYTES))
  return {
    sign: async ({ environment, userId, key: org }) => await new SignJWT({ appId: environment, userId, org })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
      .setIssuedAt()
      .setExpirationTime(`${LIFETIME_SECONDS}s`)
      .setAudience(AUDIENCE)
      .setIssuer(ISSUER)
      .sign(key),
    read: async token => {
      try {
        const { payload } = await jwtVerify(token, key, { algorithms: [ALGORITHM], audience: AUDIENCE, issuer: ISSUER })
        const { appId, userId, org } = payload
        if (typeof appId !== 'string' || !isEnvironmentName(appId) || typeof userId !== 'string' || typeof org !== 'number') return undefined
        return { environment: appId, userId, key: org }
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined
        throw error
      }
    }
  }
}
