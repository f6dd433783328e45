import { createHash } from 'node:crypto'
import type { Instant } from '../../domain/entitlement.ts'
import type { LogLine } from './lines.ts'

/** At some 150 bytes each. */
const LINES_KEPT = 100_000
/** Of base64url: 132 bits. */
const DIGEST_CHARACTERS = 22

interface Seen {
  readonly second: number
  times: number
}

/**
 * What makes an event's id: the line's hash, and which of the lines that are the same it is, so that a second replay has the
 * same ids, of a log that was cut off in front, too.
 *
 * Lines that are the same have the same time. Counts are kept for the newest seconds of the log; a line of a second that was
 * forgotten is told from others by its number instead. Both depend on nothing but the lines before.
 *
 * @param source tells logs apart that may hold the same lines, each for a request of its own
 */
export function eventIds (source: string, linesKept = LINES_KEPT): (line: Buffer, number: LogLine['number'], at: Instant) => string {
  const seen = new Map<string, Seen>()
  let forgotten = -Infinity

  /** The older half; but no second in part, as the rest of it would be counted from 1 again. */
  function forget (): void {
    const seconds = Float64Array.from(seen.values(), ({ second }) => second).sort()
    forgotten = seconds[seconds.length >> 1] as number
    for (const [digest, { second }] of seen) if (second <= forgotten) seen.delete(digest)
  }

  return (line, number, at) => {
    const digest = createHash('sha256').update(source).update('\n').update(line).digest('base64url').slice(0, DIGEST_CHARACTERS)
    const second = Math.floor(at / 1_000)
    if (second <= forgotten) return `${digest}.line${number}`
    const entry = seen.get(digest) ?? { second, times: 0 }
    entry.times += 1
    seen.set(digest, entry)
    const id = `${digest}.${entry.times}`
    if (seen.size > linesKept) forget()
    return id
  }
}
