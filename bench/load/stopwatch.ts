import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Loaded } from './load.ts'

/** What is measured of a load: from the end of its warm-up, for some seconds. */
export interface Stopwatch {
  /** @param moment which decides whether it is measured @param ms what it took */
  note (moment: number, ms: number, items: number): void
  /** Waits until it has measured. */
  run (): Promise<void>
  /** @throws if nothing was noted */
  figures (): Omit<Loaded, 'counted'>
}

export function stopwatch ({ warmupSeconds, seconds }: { readonly warmupSeconds: number, readonly seconds: number }): Stopwatch {
  const times: number[] = []
  let items = 0
  let [from, until] = [Infinity, Infinity]
  let busySeconds = 0

  return {
    note: (moment, ms, count) => {
      if (moment < from || moment >= until) return
      times.push(ms)
      items += count
    },
    run: async () => {
      await sleep(warmupSeconds * 1_000)
      const usedBefore = process.cpuUsage()
      from = performance.now()
      await sleep(seconds * 1_000)
      until = performance.now()
      const { user, system } = process.cpuUsage(usedBefore)
      busySeconds = (user + system) / 1e6
    },
    figures: () => {
      if (times.length === 0) throw new Error('nothing was answered while it was measured')
      times.sort((a, b) => a - b)
      const elapsed = (until - from) / 1_000
      return { perSecond: items / elapsed, p50: quantile(times, 0.5), p99: quantile(times, 0.99), busy: busySeconds / elapsed }
    }
  }
}

/** Of sorted values. */
function quantile (values: readonly number[], q: number): number {
  return values[Math.min(values.length - 1, Math.floor(values.length * q))] as number
}
