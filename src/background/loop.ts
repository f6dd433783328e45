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
