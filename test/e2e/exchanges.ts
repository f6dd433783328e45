import { type EventRow, type LedgerRows, nanos } from './ledger-rows.ts'
import { aggregateOf, CHANGING } from './mixed-plans.ts'
import type { Exchange, Sent } from './mixed-load.ts'

export interface Judged {
  /** What is not as it should be, one line each. */
  readonly wrong: readonly string[]
  readonly counted: number
  readonly duplicates: number
  readonly conflicts: number
  readonly refused: number
}

/** Holds every answer against the event that the ledger has under its id. */
export function judged (exchanges: readonly Exchange[], { events }: LedgerRows): Judged {
  const wrong: string[] = []
  const stored = new Map(events.map(event => [`${event.org} ${event.id}`, event]))
  const counts = new Map(events.map(event => [event, 0]))
  const tally = { counted: 0, duplicates: 0, conflicts: 0, refused: 0 }
  for (const exchange of exchanges) {
    const { sent, answer: { status, text, body } } = exchange
    const event = stored.get(`${sent.org} ${sent.id ?? body.id}`)
    const report = `${JSON.stringify(sent)} was answered ${status} ${text}`
    if (status === 200 && event !== undefined) {
      const flaw = flawOf(exchange, event)
      if (flaw !== undefined) wrong.push(`${report}: ${flaw}`)
      if (body.duplicate === false) counts.set(event, (counts.get(event) ?? 0) + 1)
      tally[body.duplicate === true ? 'duplicates' : 'counted'] += 1
    } else if (status === 422 && body.code === 'event_conflict') {
      if (event === undefined || isSame(sent, event)) wrong.push(`${report}: there is nothing to conflict with`)
      tally.conflicts += 1
    } else if (status === 400 && body.code === 'invalid_amount' && mayBeRefused(sent)) {
      // What was refused under one plan may be sent again and counted under another.
      if (event !== undefined && isSame(sent, event) && sent.feature !== CHANGING) wrong.push(`${report}: it was counted`)
      tally.refused += 1
    } else {
      wrong.push(report)
    }
  }
  const odd = [...counts].filter(([, answers]) => answers !== 1).map(([{ id }, answers]) => `${id} was new in ${answers} answers`)
  return { wrong: [...wrong, ...odd], ...tally }
}

/** What of an answer is not as the ledger has it; undefined: nothing. */
function flawOf ({ sent, answer: { text } }: Exchange, event: EventRow): string | undefined {
  return isSame(sent, event) ? flawOfFigures(text, event) : 'the event is another one'
}

/** Figures are compared as they were written, digit by digit. */
export function flawOfFigures (text: string, event: EventRow): string | undefined {
  const figure = (name: string) => nanos(new RegExp(`"${name}":(-?[\\d.]+)`).exec(text)?.[1] ?? '')
  if (figure('used') !== event.usedAfter) return `the ledger says ${event.usedAfter}`
  if (figure('reserved') !== event.reservedAfter) return `${event.reservedAfter} were held`
  if (figure('limit') !== event.limitAfter) return `the limit was ${event.limitAfter}`
  const left = event.limitAfter - event.usedAfter - event.reservedAfter
  if (figure('remaining') !== (left < 0n ? 0n : left)) return `${left} were left`
  const end = event.windowEnd === null ? 'null' : `"${new Date(event.windowEnd).toISOString()}"`
  return text.includes(`"window":{"start":"${new Date(event.windowStart).toISOString()}","end":${end}}`) ? undefined : 'the window is another one'
}

/** Does the event say what was sent? */
export function isSame ({ feature, n = 1, clobber, at }: Sent, event: EventRow): boolean {
  return feature === event.feature && nanos(`${n ?? 0}`) === event.amount && (clobber === true ? 'set' : 'add') === event.mode &&
    (at === undefined || Date.parse(at) === event.at)
}

/** A negative amount is for sums, and one feature is a sum under some of its plans only. */
function mayBeRefused ({ feature, n, clobber }: Sent): boolean {
  return typeof n === 'number' && n < 0 && (clobber === true || feature === CHANGING || aggregateOf(feature, 0) !== 'sum')
}
