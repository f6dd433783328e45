import type { Instant } from '../domain/entitlement.ts'
import type { HeldFeature } from '../domain/org.ts'
import type { Tally } from '../domain/reservation.ts'

/** A read of the mirror costs far less than the one of the ledger that it may save, but more than a twentieth of it. */
const SHARE_MIN = 0.05
/** An answer's weight is one in so many: after 1,500 in vain the share falls from all to the least. */
const READS_WEIGHED = 500
/** While it does not pay, one in so many is put to the mirror all the same. */
const PROBE_EVERY = 16
/** A fifteenth of the time for which an entry is kept. */
const TOLD_AGAIN_MS = 60_000

/** Whether the mirror saves reads of the ledger. Of more orgs than are asked for twice within an entry's greatest age, it saves none. */
export interface MirrorYield {
  /** For the next question: is the mirror to be asked first? */
  pays (): boolean
  /** @param isHit the mirror's answer was believed; else the ledger had to be asked, and answered */
  note (isHit: boolean): void
  /**
   * For what was not put to the mirror, and so need not be young there: was it told the same longer than a minute ago, or never?
   * Then it is to be told now.
   */
  isDue (held: HeldFeature, start: Instant, tally: Tally, confirmedAt: Instant): boolean
}

interface Told {
  readonly start: Instant
  readonly version: number
  readonly reserved: Tally['reserved']
  readonly confirmedAt: Instant
}

export function mirrorYield (): MirrorYield {
  let share = 1
  let skipped = 0
  // By objects that end with the org's snapshot: of a later version nothing was told.
  const lastTold = new WeakMap<HeldFeature, Told>()
  return {
    pays: () => {
      if (share >= SHARE_MIN) return true
      skipped = (skipped + 1) % PROBE_EVERY
      return skipped === 0
    },
    note: isHit => { share += ((isHit ? 1 : 0) - share) / READS_WEIGHED },
    isDue: (held, start, { version, reserved }, confirmedAt) => {
      const told = lastTold.get(held)
      if (told !== undefined && told.start === start && told.version === version && told.reserved === reserved &&
        confirmedAt - told.confirmedAt < TOLD_AGAIN_MS) return false
      lastTold.set(held, { start, version, reserved, confirmedAt })
      return true
    }
  }
}
