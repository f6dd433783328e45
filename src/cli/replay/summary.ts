import { duration, grouped, json, plain } from '../output.ts'
import { answered, refusedCount, type Tally } from './tally.ts'

export interface Ending {
  readonly tally: Tally
  readonly retries: number
  readonly seconds: number
  /** A signal ended it before the log did. */
  readonly interrupted: boolean
}

export function summaryJson ({ tally, retries, seconds, interrupted }: Ending): string {
  const { lines, malformed, malformedLines, counted, duplicates, refused, unanswered, bytes } = tally
  return json({
    lines,
    malformed,
    malformedLines,
    events: counted + duplicates,
    counted,
    duplicates,
    refused: Object.fromEntries([...refused].map(([code, { count }]) => [code, count])),
    unanswered,
    retries,
    // A number like all the others, up to 9 petabytes.
    bytes: bytes <= Number.MAX_SAFE_INTEGER ? Number(bytes) : String(bytes),
    seconds: Number(seconds.toFixed(3)),
    eventsPerSecond: Math.round(answered(tally) / seconds),
    interrupted
  })
}

export function summaryText ({ tally, retries, seconds }: Ending): string {
  const { lines, malformed, malformedLines, counted, duplicates, refused, unanswered, bytes } = tally
  const rows: Array<[name: string, figure: string, notes: readonly string[]]> = [
    ['lines', grouped(lines), []],
    ['malformed', grouped(malformed), [
      ...malformedLines.map(({ line, reason, text }) => `line ${grouped(line)}: ${reason}: ${text}`),
      ...(malformed > malformedLines.length ? ['...'] : [])
    ]],
    ['events', grouped(counted + duplicates), []],
    ['  counted now', grouped(counted), []],
    ['  duplicates', grouped(duplicates), []],
    ['refused', grouped(refusedCount(refused)), [...refused].map(([code, { count, line, message }]) =>
      `${code} ${grouped(count)}, first at line ${grouped(line)}: ${message}`)],
    ...(unanswered === 0 ? [] : [['unanswered', grouped(unanswered), []] satisfies [string, string, string[]]]),
    ['retries', grouped(retries), []],
    ['bytes', grouped(bytes), []],
    ['time', `${duration(seconds)}, ${grouped(Math.round(answered(tally) / seconds))} events/s`, []]
  ]
  const width = Math.max(...rows.filter(([name]) => name !== 'time').map(([, figure]) => figure.length))
  return rows.flatMap(([name, figure, notes]) => [
    `${name.padEnd(15)}${name === 'time' ? figure : figure.padStart(width)}`,
    ...notes.map(note => `  ${plain(note)}`)
  ]).map(line => `${line}\n`).join('')
}
