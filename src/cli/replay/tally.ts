import { cut } from '../output.ts'
import type { Outcome } from './delivery.ts'
import type { LogLine } from './lines.ts'

const MALFORMED_SHOWN = 5
const REASON_CHARACTERS_MAX = 160
const LINE_CHARACTERS_MAX = 80

export interface MalformedLine {
  readonly line: number
  readonly reason: string
  readonly text: string
}

export interface Refusals {
  count: number
  /** Of the first one. */
  readonly line: number
  readonly message: string
}

/** What a replay did so far. */
export interface Tally {
  lines: number
  malformed: number
  /** The first few. */
  readonly malformedLines: MalformedLine[]
  counted: number
  duplicates: number
  /** By code. */
  readonly refused: Map<string, Refusals>
  /** Sent, and not known to be counted: the next replay finds out. */
  unanswered: number
  /** Sent to clients, of the lines whose bytes are in the ledger. */
  bytes: bigint
}

export function emptyTally (): Tally {
  return { lines: 0, malformed: 0, malformedLines: [], counted: 0, duplicates: 0, refused: new Map(), unanswered: 0, bytes: 0n }
}

export function addMalformed (tally: Tally, { number, bytes }: LogLine, reason: string): void {
  tally.malformed += 1
  if (tally.malformedLines.length === MALFORMED_SHOWN) return
  // As many bytes as could be characters of what is shown.
  const text = bytes?.subarray(0, LINE_CHARACTERS_MAX * 4).toString() ?? ''
  tally.malformedLines.push({ line: number, reason: cut(reason, REASON_CHARACTERS_MAX), text: cut(text, LINE_CHARACTERS_MAX) })
}

/** @param outcome undefined: there was no answer */
export function addOutcome (tally: Tally, outcome: Outcome | undefined, line: number, bytes: bigint): void {
  if (outcome === undefined) {
    tally.unanswered += 1
  } else if (outcome.is === 'refused') {
    const { code, message } = outcome.refusal
    const known = tally.refused.get(code)
    if (known === undefined) tally.refused.set(code, { count: 1, line, message: cut(message, REASON_CHARACTERS_MAX) })
    else known.count += 1
  } else {
    tally[outcome.is === 'counted' ? 'counted' : 'duplicates'] += 1
    tally.bytes += bytes
  }
}

export function answered ({ counted, duplicates, refused }: Tally): number {
  return counted + duplicates + refusedCount(refused)
}

export function refusedCount (refused: Tally['refused']): number {
  return [...refused.values()].reduce((sum, { count }) => sum + count, 0)
}
