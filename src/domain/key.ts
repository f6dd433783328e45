import { isEnvironmentName } from './ids.ts'

export type Scope = 'admin' | 'write' | 'read'
export type KeyKind = 'private' | 'public'

/** Who is asking: the environment comes from the key alone, so no request can name another one's data. */
export interface Principal {
  readonly environment: string
  readonly scopes: readonly Scope[]
}

/** `prv_<environment>_<secret>`; the secret is at least 16 letters or digits. An environment has no underscore. */
const PRIVATE_KEY = /^prv_([a-z0-9-]+)_([A-Za-z0-9]{16,})$/

/** @returns undefined if the text is not a private key */
export function environmentOfKey (key: string): string | undefined {
  const environment = PRIVATE_KEY.exec(key)?.[1]
  return environment !== undefined && isEnvironmentName(environment) ? environment : undefined
}

/**
 * The key in an `Authorization` header: `Bearer key`, `Basic base64(key:)` as the Tier SDK sends it, or the bare key as
 * Kana's do. Basic splits at the last colon, as a key may contain one and the password is empty.
 */
export function keyFromHeader (header: string | undefined): string | undefined {
  if (header === undefined || header === '') return undefined
  const space = header.indexOf(' ')
  if (space < 0) return header
  const scheme = header.slice(0, space).toLowerCase()
  const value = header.slice(space + 1).trim()
  if (scheme === 'bearer') return value
  if (scheme !== 'basic') return undefined
  const credentials = Buffer.from(value, 'base64').toString('utf8')
  const colon = credentials.lastIndexOf(':')
  return colon < 0 ? credentials : credentials.slice(0, colon)
}
