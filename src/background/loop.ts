import { setTimeout as sleep } from 'node:timers/promises'

export interface Loop {
  /** Resolves when the run that is under way, if any, has ended. */
  stop (): Promise<void>
}

/**
 * Runs a job again and again, never twice at once. What it throws is told, and it is run again after the same time.
 * @param intervalMs from the end of one run to the start of the next, and before the first
 * @param job is to end soon after its signal
 */
export function every (intervalMs: number, job: (signal: AbortSignal) => Promise<void>, onError: (error: unknown) => void): Loop {
  const stopping = new AbortController()
  const { signal } = stopping

  async function run (): Promise<void> {
    for (;;) {
      await sleep(intervalMs, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      await job(signal).catch(onError)
    }
  }

  const running = run()
  return {
    stop: async () => {
      stopping.abort()
      await running
    }
  }
}

/**
 * Does a page after the other until there is none, or it is told to stop.
 * @param page answers whether there may be more
 * @param pagesMax in one run; what is left is left to the next
 */
export async function pageByPage (page: () => Promise<boolean>, pagesMax: number, signal?: AbortSignal): Promise<void> {
  for (let done = 0; done < pagesMax; done += 1) {
    if (signal?.aborted === true || !await page()) return
  }
}
