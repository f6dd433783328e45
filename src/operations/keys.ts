import { hash, randomBytes } from 'node:crypto'
import { v7 as uuidv7, validate as isUuid } from 'uuid'
import type { Instant } from '../domain/entitlement.ts'
import { parseEnvironmentName } from '../domain/ids.ts'
import { endOfOverlap, type KeyKind, keyPrefix, keyText, parseExpiry, parseKeyName, parseScopes, type Scope } from '../domain/key.ts'
import { TollgateError } from '../errors.ts'
import type { NewKey, StoredKey } from '../storage/keys.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'

/** 192 bits, of which a list shows 32: too many to guess, so a plain digest of them is safe to store. */
const SECRET_BYTES = 24

export interface WantedKey {
  readonly kind: KeyKind
  /** undefined: `write` and `read` for a private key, none for a public one */
  readonly scopes: readonly Scope[] | undefined
  /** For people; may be empty. */
  readonly name: string
  /** null: never */
  readonly expiresAt: Instant | null
}

export interface MadeKey {
  readonly record: StoredKey
  /** The key itself. It is nowhere else, and is never seen again. */
  readonly key: string
}

/**
 * Makes a key of an environment, which is created if it is new.
 * @param now on the wall clock, as everywhere here: an environment's frozen time makes no key live longer
 * @throws TollgateError `invalid_id`, `invalid_request`
 */
export async function createKey (stores: Stores, environment: string, wanted: WantedKey, now: Instant): Promise<MadeKey> {
  const { row, key } = newKey({
    environment: parseEnvironmentName(environment, '/environment'),
    kind: wanted.kind,
    scopes: parseScopes(wanted.kind, wanted.scopes),
    name: parseKeyName(wanted.name),
    expiresAt: parseExpiry(wanted.expiresAt, now)
  }, now)
  await available(stores.environments.ensure(environment))
  return { record: await available(stores.keys.add(row)), key }
}

/** @throws TollgateError `not_found`, also for a key of another environment */
export async function getKey (stores: Stores, environment: string, id: string): Promise<StoredKey> {
  return found(await available(stores.keys.get(environment, uuidOf(id))))
}

export interface KeyPage {
  readonly keys: readonly StoredKey[]
  /** Where the next page begins; null: this was the last. */
  readonly cursor: string | null
}

/** Newest first, those that count no more among them. @throws TollgateError `invalid_request` for a cursor that is none */
export async function listKeys (stores: Stores, environment: string, cursor: string | null, pageMax: number): Promise<KeyPage> {
  if (cursor !== null && !isUuid(cursor)) {
    throw new TollgateError('invalid_request', 'cursor must be the nextCursor of the page before', { pointer: '?cursor' })
  }
  const keys = await available(stores.keys.list(environment, cursor, pageMax + 1))
  const page = keys.slice(0, pageMax)
  return { keys: page, cursor: keys.length > pageMax ? page.at(-1)?.id ?? null : null }
}

/**
 * Makes a key that takes another one's place, with its kind, scopes, name and expiry. Both count until the overlap ends.
 * @throws TollgateError `not_found`; `invalid_request` for a key that counts no more, or was rotated before
 */
export async function rotateKey (stores: Stores, environment: string, id: string, overlapMs: number, now: Instant): Promise<MadeKey> {
  let made: string | undefined
  const record = found(await available(stores.keys.replace(environment, uuidOf(id), old => {
    const expiresAt = endOfOverlap(old, now, overlapMs)
    const { row, key } = newKey(old, now)
    made = key
    return { expiresAt, successor: row }
  })))
  return { record, key: made as string }
}

/** The key counts no more, and stays in the list. Again is the same. @throws TollgateError `not_found` */
export async function revokeKey (stores: Stores, environment: string, id: string, now: Instant): Promise<StoredKey> {
  return found(await available(stores.keys.revoke(environment, uuidOf(id), now)))
}

type Terms = Pick<NewKey, 'environment' | 'kind' | 'scopes' | 'name' | 'expiresAt'>

function newKey ({ environment, kind, scopes, name, expiresAt }: Terms, now: Instant): { row: NewKey, key: string } {
  const secret = randomBytes(SECRET_BYTES).toString('hex')
  const key = keyText(kind, environment, secret)
  const prefix = keyPrefix(kind, environment, secret)
  const row = { id: uuidv7(), environment, kind, scopes, name, prefix, digest: keyDigest(key).toString('hex'), createdAt: now, expiresAt }
  return { row, key }
}

/** All that is kept of a key, of one length for every key. */
export function keyDigest (key: string): Buffer {
  return hash('sha256', key, 'buffer')
}

/** Postgres refuses what is no UUID; for a caller it is a key that does not exist. */
function uuidOf (id: string): string {
  return isUuid(id) ? id : found<string>(undefined)
}

function found<T> (key: T | undefined): T {
  if (key === undefined) throw new TollgateError('not_found', 'there is no such key in this environment')
  return key
}
