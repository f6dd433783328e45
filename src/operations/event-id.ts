import { randomFillSync } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'

const RANDOM_BYTES = 16
const pool = new Uint8Array(RANDOM_BYTES * 256)
let next = pool.length

/** Asking the kernel for 16 bytes at a time would take longer than all the rest of an id. */
function randomBytes (): Uint8Array {
  if (next >= pool.length) {
    randomFillSync(pool)
    next = 0
  }
  const start = next
  next += RANDOM_BYTES
  return pool.subarray(start, next)
}

/** The id of an event whose caller gave none: UUIDv7, so that new rows go to one end of the index. */
export function newEventId (): string {
  return uuidv7({ rng: randomBytes })
}
