import { setTimeout as sleep } from 'node:timers/promises'

const INTERVAL_MS = 20
/** Many times what it takes on a quiet machine: whoever waits here waits for something that comes. */
const WITHIN_MS = 20_000

/**
 * Asks again and again until the answer is yes; a failure to answer is a no.
 * @throws once `withinMs` have passed without a yes
 */
export async function until (what: string, condition: () => Promise<boolean> | boolean, withinMs = WITHIN_MS): Promise<void> {
  const deadline = performance.now() + withinMs
  let last: unknown
  while (performance.now() < deadline) {
    try {
      if (await condition()) return
    } catch (error) {
      last = error
    }
    await sleep(INTERVAL_MS)
  }
  throw new Error(`not within ${withinMs} ms: ${what}`, { cause: last })
}
