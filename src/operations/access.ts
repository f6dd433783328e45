import { timingSafeEqual } from 'node:crypto'
import { environmentOfKey, isActive, isKey, type Principal } from '../domain/key.ts'
import type { Keys, StoredKey } from '../storage/keys.ts'
import { available } from '../storage/ledger-reader.ts'
import { keyDigest } from './keys.ts'

export interface AccessOptions {
  /** undefined: open, and every caller without a stored key is an administrator of `openEnvironment` */
  readonly adminKey: string | undefined
  readonly openEnvironment: string
  readonly keys: Keys
}

export interface Access {
  /**
   * Only a key that was not asked for in the last 5 s costs a question to the ledger; everything else is decided at once.
   * @param key undefined: the caller showed none
   * @returns undefined: refused
   */
  identify (key: string | undefined): Principal | undefined | Promise<Principal | undefined>
}

/** Who is asking, by what they show. */
export function accessBy ({ adminKey, openEnvironment, keys }: AccessOptions): Access {
  const admin = adminKey === undefined ? undefined : adminOf(adminKey)
  const stranger = admin === undefined ? operatorOf(openEnvironment) : undefined

  /** A key that we made and that counts no more is refused even where no key is needed: its owner means it to count. */
  function principalOf (key: StoredKey | undefined): Principal | undefined {
    if (key === undefined) return stranger
    if (!isActive(key, Date.now())) return undefined
    keys.used(key)
    const { id, environment, kind, scopes } = key
    return { environment, kind, scopes, operator: false, actor: `key:${id}` }
  }

  return {
    identify: text => {
      if (text === undefined) return stranger
      const digest = keyDigest(text)
      // In constant time. Below, digests are looked up: how long that takes helps nobody, who cannot choose the digest of a key.
      if (admin !== undefined && timingSafeEqual(admin.digest, digest)) return admin.principal
      const found = isKey(text) ? keys.find(digest.toString('hex')) : undefined
      return found instanceof Promise ? available(found).then(principalOf) : principalOf(found)
    }
  }
}

function adminOf (key: string): { readonly digest: Buffer, readonly principal: Principal } {
  const environment = environmentOfKey(key)
  if (environment === undefined) throw new Error('the admin key is not a private key')
  return { digest: keyDigest(key), principal: operatorOf(environment) }
}

function operatorOf (environment: string): Principal {
  return { environment, kind: 'private', scopes: ['admin'], operator: true, actor: 'operator' }
}
