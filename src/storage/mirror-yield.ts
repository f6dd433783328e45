/** A read of the mirror costs about as much as a twentieth of those that it may save, with Postgres to spare. */
const SHARE_MIN = 0.05
/** An answer's weight is one in so many: after 1,500 in vain the share falls from all to the least. */
const READS_WEIGHED = 500
/** While it does not pay, one in so many is put to the mirror all the same. */
const PROBE_EVERY = 16

/** Whether the mirror saves reads of the ledger. Of more orgs than are asked for twice within an entry's greatest age, it saves none. */
export interface MirrorYield {
  /** For the next question: is the mirror to be asked first? */
  pays (): boolean
  /** @param isHit the mirror's answer was believed; else the ledger had to be asked, and answered */
  note (isHit: boolean): void
}

export function mirrorYield (): MirrorYield {
  let share = 1
  let skipped = 0
  return {
    pays: () => {
      if (share >= SHARE_MIN) return true
      skipped = (skipped + 1) % PROBE_EVERY
      return skipped === 0
    },
    note: isHit => { share += ((isHit ? 1 : 0) - share) / READS_WEIGHED }
  }
}
