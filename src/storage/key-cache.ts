import type { Instant } from '../domain/entitlement.ts'
import { coalesce } from './coalesce.ts'
import { recent } from './recent.ts'

/** How long a key is believed, revoked or not, and how long it is believed that there is none. */
const AGE_MAX_MS = 5_000
/** With the ledger away, how long until it is asked again. */
const OUTAGE_RETRY_MS = 1_000
const KNOWN_MAX = 10_000
/** Apart, so that nobody who guesses drives out what is known. */
const UNKNOWN_MAX = 10_000
const CONFIRM_LIMITS = { batchMax: 200, inFlightMax: 2, waitingMax: KNOWN_MAX }
/** In a queue of their own, so that no known key waits behind guesses. */
const SEEK_LIMITS = { batchMax: 200, inFlightMax: 1, waitingMax: 1_000 }

export interface KeyCache<Key> {
  /**
   * At most 5 s old. With the ledger away a key that was known before is as old as the outage.
   * @returns at once what is known, else a promise, which rejects if the key was never known and the ledger does not answer
   */
  find (digest: string): Key | undefined | Promise<Key | undefined>
  /** The ledger is asked next time. */
  forget (digest: string): void
}

export interface KeyCacheOptions<Key> {
  /** One per digest, in order. */
  readonly load: (digests: readonly string[]) => Promise<ReadonlyArray<Key | undefined>>
  readonly now: () => Instant
}

interface Entry<Key> {
  readonly key: Key
  /** Taken before the ledger was asked. */
  from: Instant
  until: Instant
}

/** However many ask at once, the ledger is asked once per digest, and once for all digests that wait. */
export function keyCache<Key extends object> ({ load, now }: KeyCacheOptions<Key>): KeyCache<Key> {
  const known = recent<string, Entry<Key>>(KNOWN_MAX)
  const unknown = recent<string, Entry<null>>(UNKNOWN_MAX)
  const asking = new Map<string, Promise<Key | undefined>>()
  const confirm = coalesce(load, CONFIRM_LIMITS)
  const seek = coalesce(load, SEEK_LIMITS)

  function ask (digest: string, old: Entry<Key> | undefined): Promise<Key | undefined> {
    const from = now()
    const answer = (old === undefined ? seek : confirm)(digest).then(key => {
      // What was asked before somebody said `forget` is answered, not believed.
      if (asking.get(digest) === answer) remember(digest, key, from)
      return key
    }, error => {
      if (old === undefined) throw error
      old.from = now()
      old.until = old.from + OUTAGE_RETRY_MS
      return old.key
    }).finally(() => {
      if (asking.get(digest) === answer) asking.delete(digest)
    })
    asking.set(digest, answer)
    return answer
  }

  function remember (digest: string, key: Key | undefined, from: Instant): void {
    const until = from + AGE_MAX_MS
    if (key === undefined) {
      known.delete(digest)
      unknown.set(digest, { key: null, from, until })
    } else {
      unknown.delete(digest)
      known.set(digest, { key, from, until })
    }
  }

  /** Of a clock that was set back nothing is believed. */
  function isYoung ({ from, until }: Entry<unknown>): boolean {
    const at = now()
    return at >= from && at < until
  }

  return {
    find: digest => {
      const old = known.get(digest)
      if (old !== undefined && isYoung(old)) return old.key
      const stranger = old === undefined ? unknown.get(digest) : undefined
      if (stranger !== undefined && isYoung(stranger)) return undefined
      return asking.get(digest) ?? ask(digest, old)
    },
    forget: digest => {
      known.delete(digest)
      unknown.delete(digest)
      asking.delete(digest)
    }
  }
}
