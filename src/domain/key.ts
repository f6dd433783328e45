import { TollgateError } from '../errors.ts'
import type { Instant } from './entitlement.ts'
import { isEnvironmentName, isPrintable } from './ids.ts'

export type Scope = 'admin' | 'write' | 'read'
export type KeyKind = 'private' | 'public'

/** `admin` implies the other two, which are independent of each other. */
export const SCOPES: readonly Scope[] = ['admin', 'write', 'read']

/** Who is asking: the environment comes from the key, or is a test clock of that one, so no request can name another one's data. */
export interface Principal {
  readonly environment: string
  readonly kind: KeyKind
  /** Empty for public keys. */
  readonly scopes: readonly Scope[]
  /** Runs this server: has the key of its settings, or nobody needs one. */
  readonly operator: boolean
  /** Who it was, for whoever asks later: `key:` and the key's id, or `operator`. */
  readonly actor: string
}

/** When a stored key counts. */
export interface KeyLife {
  readonly expiresAt: Instant | null
  readonly revokedAt: Instant | null
  /** The id of the key that takes its place. */
  readonly rotatedTo: string | null
}

const NAME_MAX = 100
/** So much of a secret its owner knows it again by. */
const SECRET_SHOWN_DIGITS = 8
const SCOPES_STANDARD: readonly Scope[] = ['write', 'read']
const PREFIXES: Readonly<Record<KeyKind, string>> = { private: 'prv', public: 'pub' }

/** `prv_<environment>_<secret>`; the secret is at least 16 letters or digits. An environment has no underscore. */
const KEY = /^(prv|pub)_([a-z0-9-]+)_[A-Za-z0-9]{16,}$/

export function isKey (text: string): boolean {
  const environment = KEY.exec(text)?.[2]
  return environment !== undefined && isEnvironmentName(environment)
}

/** @returns undefined if the text is not a private key */
export function environmentOfKey (key: string): string | undefined {
  const [, prefix, environment] = isKey(key) ? KEY.exec(key) ?? [] : []
  return prefix === PREFIXES.private ? environment : undefined
}

export function keyText (kind: KeyKind, environment: string, secret: string): string {
  return `${PREFIXES[kind]}_${environment}_${secret}`
}

/** What may be shown of a key for as long as it is listed. */
export function keyPrefix (kind: KeyKind, environment: string, secret: string): string {
  return keyText(kind, environment, secret.slice(0, SECRET_SHOWN_DIGITS))
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

/** @throws TollgateError `invalid_request` */
export function parseKeyName (text: string, pointer = '/name'): string {
  if (text === '' || (text.length <= NAME_MAX && isPrintable(text))) return text
  throw new TollgateError('invalid_request', `name must be at most ${NAME_MAX} printable characters`, { pointer })
}

/** Absent: everything but `admin`, for a private key. @throws TollgateError `invalid_request` */
export function parseScopes (kind: KeyKind, sent: readonly Scope[] | undefined, pointer = '/scopes'): Scope[] {
  if (kind === 'public') {
    if (sent === undefined || sent.length === 0) return []
    throw new TollgateError('invalid_request', 'scopes must be left out for a public key: it opens the client API, and nothing else', { pointer })
  }
  const scopes = SCOPES.filter(scope => (sent ?? SCOPES_STANDARD).includes(scope))
  if (scopes.length === 0) throw new TollgateError('invalid_request', `scopes must name at least one of ${SCOPES.join(', ')}`, { pointer })
  return scopes
}

/** @throws TollgateError `invalid_request` for an instant that has passed */
export function parseExpiry (expiresAt: Instant | null, now: Instant, pointer = '/expiresAt'): Instant | null {
  if (expiresAt === null || expiresAt > now) return expiresAt
  throw new TollgateError('invalid_request', `expiresAt must be later than ${new Date(now).toISOString()}`, { pointer })
}

export function isActive ({ expiresAt, revokedAt }: KeyLife, now: Instant): boolean {
  return revokedAt === null && (expiresAt === null || now < expiresAt)
}

/** @returns why this principal may not use a route that needs `scope`; undefined: it may */
export function refusal ({ kind, scopes }: Principal, scope: Scope): string | undefined {
  if (kind === 'public') return 'public keys are for the client API; this needs a private key'
  if (scopes.includes('admin') || scopes.includes(scope)) return undefined
  return `this needs a key with the scope ${scope}; this one has ${scopes.join(' and ')}`
}

/**
 * Where a new key belongs: where its maker does. Only who runs the server may make the first key of another environment.
 * @throws TollgateError `forbidden`
 */
export function environmentOfNewKey ({ environment, operator }: Principal, wanted: string | undefined): string {
  if (wanted === undefined || wanted === environment || operator) return wanted ?? environment
  throw new TollgateError('forbidden',
    `this key makes keys of environment ${environment} only; the first key of another one is made with the admin key of the server`)
}

/**
 * Until when a key counts that is replaced now.
 * @throws TollgateError `invalid_request` for a key that cannot be replaced: it counts no more, or has been replaced
 */
export function endOfOverlap (old: KeyLife, now: Instant, overlapMs: number): Instant {
  const { expiresAt, revokedAt, rotatedTo } = old
  const why = revokedAt !== null
    ? 'was revoked: create a new one'
    : rotatedTo !== null
      ? `was rotated to ${rotatedTo}: rotate that one`
      : isActive(old, now) ? undefined : 'has expired: create a new one'
  if (why !== undefined) throw new TollgateError('invalid_request', `this key ${why}`, { pointer: '?id' })
  return Math.min(expiresAt ?? Infinity, now + overlapMs)
}
