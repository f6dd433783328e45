/** What one client used on one day in UTC. */
export interface DayOfUse {
  requests: number
  bytes: number
}

export interface SampleLog {
  readonly lines: readonly string[]
  /** By `client day`, known from how the lines were made and not from reading them. */
  readonly use: Readonly<Record<string, DayOfUse>>
  readonly malformed: readonly { readonly line: number, readonly text: string }[]
  /** Lines that are the same as one before. */
  readonly repeated: number
}

/** Enough for each of what is malformed. */
const LINES = 300
const CLIENTS = ['83.149.9.216', '10.0.0.1', '10.0.0.2', '2001:db8::7', 'crawler.example.com', 'münchen.example', '198.51.100.9']
const REQUESTS = ['GET / HTTP/1.1', 'POST /a?b=c HTTP/1.0', 'GET /with space and \\"quotes\\" [17/May/2015:10:05:03 +0000] HTTP/1.1', '-']
const TAILS = ['', ' "-" "curl/8.0"', ' "https://example.com/?q=\\"x\\"" "Mozilla/5.0 (X11; Linux) \u2028 caf\u00e9"', ' "-" "cut off in the mid']
const USERS = ['- -', '- frank', 'ident-1 frank@example.com']
const OFFSETS_MINUTES = [0, 0, 120, -570]
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const MALFORMED = [
  '',
  'hello',
  '10.0.0.1 - - [31/Feb/2015:10:00:00 +0000] "GET / HTTP/1.1" 200 5',
  '10.0.0.1 - - [17/Mai/2015:10:00:00 +0000] "GET / HTTP/1.1" 200 5',
  'www.example.com:80 10.0.0.1 - - [17/May/2015:10:00:00 +0000] "GET / HTTP/1.1" 200 5',
  '10.0.0.1 - - [17/May/2015:10:00:00 +0000] "GET / HTTP/1.1" 200',
  '10.0.0.1 - - [17/May/2015:10:00:00 +0000] "GET / HTTP/1.1" 200 -5',
  `10.0.0.1 - - [17/May/2015:10:00:00 +0000] "GET /${'x'.repeat(70_000)} HTTP/1.1" 200 5`,
  '\u001b[2J 10.0.0.1 - - [17/May/2015:10:00:00 +0000] "GET / HTTP/1.1" 200 5'
]
const FIRST = Date.UTC(2015, 4, 17, 21)
const HOURS = 60

/** A few hundred lines with all that logs have: not in order, repeated, malformed, on several clocks, without bytes. */
export function sampleLog (count = LINES): SampleLog {
  const lines: string[] = []
  const use: Record<string, DayOfUse> = {}
  const malformed: Array<{ line: number, text: string }> = []
  let repeated = 0
  const next = numbers(20150517)
  const pick = <T> (from: readonly T[]): T => from[next(from.length)] as T
  for (let i = 0; i < count; i += 1) {
    const client = pick(CLIENTS)
    // By and large later and later, but each up to two hours early.
    const at = FIRST + Math.floor(i / count * HOURS * 3_600_000 / 1_000) * 1_000 - next(7_200) * 1_000
    const bytes = pick([0, 1, next(5_000), next(2_000_000_000), null])
    const line = `${client} ${pick(USERS)} [${timeText(at, pick(OFFSETS_MINUTES))}] "${pick(REQUESTS)}" ${pick([200, 304, 404])} ${bytes ?? '-'}${pick(TAILS)}`
    const times = pick([1, 1, 1, 2, 3])
    repeated += times - 1
    for (let time = 0; time < times; time += 1) lines.push(line)
    const day = use[`${client} ${new Date(at).toISOString().slice(0, 10)}`] ??= { requests: 0, bytes: 0 }
    day.requests += times
    day.bytes += times * (bytes ?? 0)
    if (i % 35 === 0) {
      const text = MALFORMED[i / 35] as string
      lines.push(text)
      malformed.push({ line: lines.length, text })
    }
  }
  return { lines, use, malformed, repeated }
}

function timeText (at: number, offsetMinutes: number): string {
  const [, year, month, day, time] = /^(\d+)-(\d+)-(\d+)T([\d:]+)/.exec(new Date(at + offsetMinutes * 60_000).toISOString()) ?? []
  const size = Math.abs(offsetMinutes)
  const offset = `${offsetMinutes < 0 ? '-' : '+'}${String(Math.floor(size / 60)).padStart(2, '0')}${String(size % 60).padStart(2, '0')}`
  return `${day}/${MONTHS[Number(month) - 1]}/${year}:${time} ${offset}`
}

/** The same ones every time. @returns a whole number from 0 to below `max` */
function numbers (seed: number): (max: number) => number {
  let state = seed
  return max => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor(state / 2 ** 32 * max)
  }
}
