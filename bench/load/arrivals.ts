import { performance } from 'node:perf_hooks'

/** Requests that begin at an even rate, whatever becomes of the ones before. */
export interface Arrivals {
  /** @param arrived is called when there are new ones */
  start (arrived: () => void): void
  /** When the one that waits longest began; undefined: none waits. */
  next (): number | undefined
  has (): boolean
  /** Those that wait are still there. */
  stop (): void
}

const TICK_MS = 1
/** Within a tick they all begin when it does. One that is later is the generator's own fault, and counts as waiting. */
const TICK_LATE_MS = 3

export function arrivals (perSecond: number): Arrivals {
  let begun: number[] = []
  let taken = 0
  let timer: NodeJS.Timeout | undefined

  return {
    start: arrived => {
      const start = performance.now()
      let last = start
      let total = 0
      timer = setInterval(() => {
        const now = performance.now()
        const due = Math.floor((now - start) / 1_000 * perSecond)
        const isLate = now - last > TICK_LATE_MS
        for (; total < due; total += 1) begun.push(isLate ? start + (total + 1) / perSecond * 1_000 : now)
        last = now
        arrived()
      }, TICK_MS)
    },
    next: () => {
      if (taken === begun.length) {
        begun = []
        taken = 0
        return undefined
      }
      return begun[taken++]
    },
    has: () => taken < begun.length,
    stop: () => clearInterval(timer)
  }
}
