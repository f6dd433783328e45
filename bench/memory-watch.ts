import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

const SAMPLE_MS = 1_000

export interface MemoryWatch {
  /** Resident megabytes, one for each second. */
  readonly samples: readonly number[]
  stop (): void
}

/** It stops by itself when the process is gone. */
export function watchMemory (pid: number): MemoryWatch {
  const samples: number[] = [residentMegabytes(pid)]
  const timer = setInterval(() => {
    try {
      samples.push(residentMegabytes(pid))
    } catch {
      clearInterval(timer)
    }
  }, SAMPLE_MS)
  return { samples, stop: () => clearInterval(timer) }
}

/** @throws if there is no such process */
function residentMegabytes (pid: number): number {
  const kilobytes = existsSync('/proc/self/status')
    ? /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    : execFileSync('ps', ['-o', 'rss=', '-p', `${pid}`], { encoding: 'utf8' })
  if (kilobytes === undefined) throw new Error(`process ${pid} has no memory`)
  return Number(kilobytes) / 1_024
}

/** Of the line through values at even distances, by least squares: what one step adds. */
export function slope (values: readonly number[]): number {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const over = values.reduce((sum, value, i) => sum + (i - middle) * (value - mean), 0)
  const under = values.reduce((sum, _value, i) => sum + (i - middle) ** 2, 0)
  return under === 0 ? 0 : over / under
}
