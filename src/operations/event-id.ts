import { randomFillSync } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'

const RANDOM_BYTES = 16
const pool = new Uint8Array(RANDOM_BYTES * 256)
let next = pool.length
/** What an id is made of; read before the next one is begun. */
const taken = new Uint8Array(RANDOM_BYTES)

/** Asking the kernel for 16 bytes at a time would take longer than all the rest of an id. */
function randomBytes (): Uint8Array {
  if (next >= pool.length) {
    randomFillSync(pool)
    next = 0
  }
  for (let i = 0; i < RANDOM_BYTES; i += 1) taken[i] = pool[next + i] as number
  next += RANDOM_BYTES
  return taken
}

/** The id of an event whose caller gave none: UUIDv7, so that new rows go to one end of the index. */
export function newEventId (): string {
  return uuidv7({ rng: randomBytes })
}
