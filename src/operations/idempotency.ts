import { createCipheriv, createDecipheriv, hash, hkdfSync, randomBytes } from 'node:crypto'
import type { Instant } from '../domain/entitlement.ts'
import { parseIdempotencyKey } from '../domain/ids.ts'
import { TollgateError } from '../errors.ts'
import type { IdempotentRun, KeptAnswer } from '../storage/idempotency-keys.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'

const HOUR_MS = 3_600_000
const KEPT_MS = 24 * HOUR_MS
/** Longer than any request takes: statements and requests are given up earlier. */
const RUN_MAX_MS = 60_000
const RETRY_AFTER_SECONDS = 1
/** Far more than anything that is created; the answer to a push of many plans may be longer. */
const ANSWER_BYTES_MAX = 256 * 1024

const CIPHER = 'aes-256-gcm'
const SEAL_KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** A request that creates something, as it was sent. */
export interface IdempotentRequest {
  readonly environment: string
  /** The `Idempotency-Key`, as it was sent. */
  readonly key: string
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly body: unknown
  /** The API key that the caller showed; undefined: none was needed */
  readonly credential: string | undefined
}

/** Whoever holds it carries the request out, and then says `keepAnswer` or `releaseKey`. */
export interface Claim {
  readonly run: IdempotentRun
  readonly sealKey: Buffer
}

export interface Answer {
  readonly status: number
  readonly body: string
}

/** Keys that began before count no more. */
export function keptSince (now: Instant): Instant {
  return now - KEPT_MS
}

/**
 * Is this the first time? One caller is told so, and carries it out; to others, what the first one was answered.
 * @param now on the wall clock
 * @throws TollgateError `invalid_id`; `idempotency_key_in_use` while the first one is carried out; `idempotency_key_reused` if it
 * was another request, another caller's, or its answer was too long to be kept
 */
export async function claimKey (stores: Stores, request: IdempotentRequest, now: Instant): Promise<{ claim: Claim } | { answer: Answer }> {
  parseIdempotencyKey(request.key)
  const claim = claimOf(stores.secret, request, now)
  const found = await available(stores.idempotencyKeys.claim(claim.run, { keptSince: keptSince(now), runningSince: now - RUN_MAX_MS }))
  if (found === 'mine') return { claim }
  if (found !== undefined && found.fingerprint !== claim.run.fingerprint) {
    throw reused('this Idempotency-Key was used before, for another request or by another caller; use a new one for each request')
  }
  if (found === undefined || found.answer === null) {
    throw new TollgateError('idempotency_key_in_use', undefined, { pointer: POINTER, retryAfterSeconds: RETRY_AFTER_SECONDS })
  }
  const { status, body } = found.answer
  if (body === null) throw reused('this request was carried out, and its answer was too long to be kept: read what it has created')
  return { answer: { status, body: unseal(body, claim.sealKey) } }
}

export async function keepAnswer (stores: Stores, { run, sealKey }: Claim, { status, body }: Answer): Promise<void> {
  const kept: KeptAnswer = { status, body: Buffer.byteLength(body) > ANSWER_BYTES_MAX ? null : seal(body, sealKey) }
  await available(stores.idempotencyKeys.keep(run, kept))
}

export async function releaseKey (stores: Stores, { run }: Claim): Promise<void> {
  await available(stores.idempotencyKeys.release(run))
}

const POINTER = 'idempotency-key'

function reused (message: string): TollgateError {
  return new TollgateError('idempotency_key_reused', message, { pointer: POINTER })
}

function claimOf (secret: string, { environment, key, method, url, body, credential = '' }: IdempotentRequest, now: Instant): Claim {
  const fingerprint = hash('sha256', textOf([method, url, credential, body ?? null]), 'hex').slice(0, 32)
  return {
    run: { environment, key: hash('sha256', key, 'hex'), fingerprint: uuidText(fingerprint), startedAt: now },
    sealKey: Buffer.from(hkdfSync('sha256', JSON.stringify([credential, key]), secret, 'kept answers', SEAL_KEY_BYTES))
  }
}

/** What can be read may still be nested too deep to be written again. */
function textOf (request: readonly unknown[]): string {
  try {
    return JSON.stringify(request)
  } catch (cause) {
    throw new TollgateError('invalid_request', 'the body is nested too deep', { pointer: '', cause })
  }
}

function uuidText (hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** An answer may hold a secret that is shown once: what is stored says nothing to anybody but who sent the request. */
function seal (text: string, key: Buffer): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64')
}

function unseal (sealed: string, key: Buffer): string {
  const bytes = Buffer.from(sealed, 'base64')
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8')
}
