import { amountFromNumeric, amountText } from '../domain/amount.ts'
import type { Instant } from '../domain/entitlement.ts'
import type { Tally } from '../domain/reservation.ts'
import { CLOCK_SKEW_MAX_MS } from '../domain/time.ts'

/** One counter: the window of `feature` that starts at `start`. */
export interface CounterKey {
  readonly org: number
  readonly feature: number
  readonly start: Instant
}

/** A copy of something in the ledger, and the instant just before the ledger was last asked for it. */
export interface Entry<Value> {
  readonly value: Value
  readonly confirmedAt: Instant
}

export interface MirrorReading {
  /** The org's version. */
  readonly version: Entry<number> | undefined
  /** One per key that was asked for, in order. */
  readonly counters: ReadonlyArray<Entry<Tally> | undefined>
}

export interface Publication {
  readonly org: number
  /** Of the org; null: the mirror was told a moment ago, and it is the same. */
  readonly version: number | null
  readonly counters: ReadonlyArray<{ readonly key: CounterKey, readonly tally: Tally }>
  /** Taken before the ledger was asked, so that what was delayed on its way arrives old. */
  readonly confirmedAt: Instant
}

/**
 * Hot copies of the org versions and counters that the ledger holds. Nothing is true because it is here: readers look
 * at `confirmedAt` and go to the ledger past a bound, so a mirror may be wiped, rolled back or lost at any moment.
 */
export interface Mirror {
  /** In one round trip. @throws when the mirror does not answer in time */
  read (org: number, counters: readonly CounterKey[]): Promise<MirrorReading>
  /**
   * Overwrites, except that for the greatest age after it was written an entry is not overwritten by a lower version,
   * nor by the same version confirmed earlier. The guard looks at when an entry was written, readers look at when it
   * was confirmed: a report whose commit took long arrives with an old confirmation, and must still not be overwritten
   * by a read that began before that commit.
   * @returns how many entries it found, still young, below the version that is published: as a confirmation of what
   *   should have been there already, each is drift
   * @throws when the mirror does not answer in time
   */
  publish (publications: readonly Publication[], now: Instant): Promise<number>
  /** @throws when the mirror does not answer in time */
  ping (): Promise<void>
  close (): Promise<void>
}

/** Entries are kept this long: with the ledger down, `can` may answer from them, marked as degraded. */
export const ENTRY_KEPT_MS = 15 * 60_000

/** An entry from further ahead than clocks of replicas differ is not believed. */
export function isYoung (confirmedAt: Instant, now: Instant, ageMaxMs: number): boolean {
  return now - confirmedAt <= ageMaxMs && confirmedAt - now <= CLOCK_SKEW_MAX_MS
}

/** `version|confirmedAt|writtenAt|used|reserved|lastAt|reservedUntil`; of an org the first three. Lua reads those. */
export function encodeTally (tally: Tally, confirmedAt: Instant, writtenAt: Instant): string {
  const { version, used, reserved, lastAt, reservedUntil } = tally
  const figures = `${amountText(used)}|${amountText(reserved)}|${lastAt ?? ''}|${reservedUntil ?? ''}`
  return `${encodeVersion(version, confirmedAt, writtenAt)}|${figures}`
}

export function encodeVersion (version: number, confirmedAt: Instant, writtenAt: Instant): string {
  return `${version}|${confirmedAt}|${writtenAt}`
}

export function decodeTally (text: string | null | undefined): Entry<Tally> | undefined {
  if (text === null || text === undefined) return undefined
  const [version, confirmedAt, , used = '', reserved = '', lastAt = '', reservedUntil = ''] = text.split('|')
  return {
    confirmedAt: Number(confirmedAt),
    value: {
      version: Number(version),
      used: amountFromNumeric(used),
      reserved: amountFromNumeric(reserved),
      lastAt: lastAt === '' ? null : Number(lastAt),
      reservedUntil: reservedUntil === '' ? null : Number(reservedUntil)
    }
  }
}

export function decodeVersion (text: string | null | undefined): Entry<number> | undefined {
  if (text === null || text === undefined) return undefined
  const [version, confirmedAt] = text.split('|')
  return { value: Number(version), confirmedAt: Number(confirmedAt) }
}
