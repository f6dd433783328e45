import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

const PURPOSE = 'tollgate checkout link'
const ID_BYTES = 16
const SIGNATURE_BYTES = 32
/** 48 bytes in base64url: no character of it is free to be another. */
const TOKEN = /^[\w-]{64}$/

/** Signs the ids of checkouts: whoever has a token was given it, for one checkout in one environment. */
export interface SignedLinks {
  /** @param id a UUID @returns 64 letters, digits, `-` and `_` */
  sign (environment: string, id: string): string
  /** @returns the id; undefined for what this ledger has not signed for this environment */
  read (environment: string, token: string): string | undefined
}

/** @param secret the ledger's, so that every replica reads what any of them signed */
export function signedLinks (secret: string): SignedLinks {
  const key = Buffer.from(hkdfSync('sha256', secret, '', PURPOSE, SIGNATURE_BYTES))
  // No name of an environment has a dot, and an id has one length: no two pairs read the same.
  const signatureOf = (environment: string, id: Uint8Array): Buffer =>
    createHmac('sha256', key).update(`${environment}.`).update(id).digest()

  return {
    sign: (environment, id) => {
      const bytes = Buffer.from(id.replaceAll('-', ''), 'hex')
      return Buffer.concat([bytes, signatureOf(environment, bytes)]).toString('base64url')
    },
    read: (environment, token) => {
      if (!TOKEN.test(token)) return undefined
      const bytes = Buffer.from(token, 'base64url')
      const id = bytes.subarray(0, ID_BYTES)
      if (!timingSafeEqual(bytes.subarray(ID_BYTES), signatureOf(environment, id))) return undefined
      return id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    }
  }
}
