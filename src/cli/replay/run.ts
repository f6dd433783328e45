import { type Hit, Malformed, parseHit } from './access-log.ts'
import type { Delivery, Report } from './delivery.ts'
import { eventIds } from './event-ids.ts'
import { LINE_BYTES_MAX, linesOf, type LogLine, type LogSource } from './lines.ts'
import { addMalformed, addOutcome, type Tally } from './tally.ts'

/** A JSON number of more digits is refused. */
const NUMBER_DIGITS_MAX = 15

export interface Run {
  readonly log: LogSource
  readonly source: string
  readonly delivery: Delivery
  readonly concurrency: number
  /** Aborted from outside to end early, and from here when an event cannot be delivered. */
  readonly stop: AbortController
  /** Kept up to date. */
  readonly tally: Tally
}

/**
 * Reads the log and reports every line, so many events at a time. Resolves when all that was sent is answered or given up.
 * @throws Failure what ended it before the log did, unless that was `stop`
 */
export async function run ({ log, source, delivery, concurrency, stop, tally }: Run): Promise<void> {
  const due = eventsOf(log, source, tally)
  const reader = () => log.stop()
  let problem: unknown
  stop.signal.addEventListener('abort', reader)

  async function worker (): Promise<void> {
    try {
      while (!stop.signal.aborted) {
        const next = await due.next()
        if (next.done === true) return
        await send(next.value, delivery, tally)
      }
    } catch (error) {
      // The first one ends the others: what they then meet is of its making.
      if (!stop.signal.aborted) problem = error
      stop.abort()
    }
  }

  await Promise.all(Array.from({ length: concurrency }, worker))
  stop.signal.removeEventListener('abort', reader)
  if (problem !== undefined) throw problem
}

interface Due {
  readonly line: number
  readonly bytes: bigint
  readonly report: Report
}

async function * eventsOf (log: LogSource, source: string, tally: Tally): AsyncGenerator<Due> {
  const idOf = eventIds(source)
  for await (const line of linesOf(log.chunks)) {
    tally.lines += 1
    const hit = hitOf(line, tally)
    if (hit === undefined || line.bytes === null) continue
    const { org, atText: at, bytes } = hit
    const id = idOf(line.bytes, line.number, hit.at)
    yield { line: line.number, bytes: 0n, report: { org, feature: 'feature:requests', n: 1, at, id: `${id}.requests` } }
    yield { line: line.number, bytes, report: { org, feature: 'feature:bytes', n: sent(bytes), at, id: `${id}.bytes` } }
  }
}

function hitOf (line: LogLine, tally: Tally): Hit | undefined {
  try {
    if (line.bytes === null) throw new Malformed(`longer than ${LINE_BYTES_MAX} bytes`)
    return parseHit(line.bytes, line.ended)
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    addMalformed(tally, line, error.message)
    return undefined
  }
}

function sent (bytes: bigint): number | string {
  const text = String(bytes)
  return text.length > NUMBER_DIGITS_MAX ? text : Number(text)
}

async function send ({ line, bytes, report }: Due, delivery: Delivery, tally: Tally): Promise<void> {
  try {
    addOutcome(tally, await delivery.deliver(report), line, bytes)
  } catch (error) {
    addOutcome(tally, undefined, line, bytes)
    throw error
  }
}
