import { flawOfFigures, isSame } from '../e2e/exchanges.ts'
import { type EventRow, type LedgerRows, nanos } from '../e2e/ledger-rows.ts'
import { recounted } from '../e2e/model.ts'
import { codeOf, type Heard, type History, isCounted, isDenied, OK, type Read, type Work } from './history.ts'
import { aggregateOf, TIGHT } from './plans.ts'
import { isPassing, isRefusal } from './reporters.ts'
import type { Happening } from './storm.ts'
import { CLOCK_MS, type Timelines, timelinesOf } from './timeline.ts'

/** How far a read may lag behind the ledger while Redis fails, and how long after that it may take until none does. */
const [LAG_MAX_MS, SETTLED_AFTER_MS] = [1_000, 2_000]

export interface Evidence {
  readonly history: History
  readonly rows: LedgerRows
  readonly happenings: readonly Happening[]
  /** When a replica said that the mirror had not taken what it was told, for whatever reason. */
  readonly failedPublishes: readonly number[]
  /** Between these instants nothing failed but Redis. */
  readonly onlyRedis: { readonly from: number, readonly until: number }
}

export interface Judgement {
  /** What is not as it was promised, one line each. */
  readonly wrong: readonly string[]
  readonly tally: Readonly<Record<string, number>>
}

/** Holds everything that callers heard against what the ledger has in the end. */
export function judge (evidence: Evidence): Judgement {
  const { history: { works, reads }, rows } = evidence
  const events = new Map(rows.events.map(event => [`${event.org} ${event.id}`, event]))
  const timelines = timelinesOf(rows, works)
  const tally = talliesOf(evidence, timelines)
  const wrong = [
    ...duplicated(rows),
    ...works.flatMap(work => flawsOfWork(work, events.get(`${work.org} ${work.call.event}`))),
    ...works.flatMap(work => flawsOfDenials(work, timelines)),
    ...passedLimits(rows),
    ...unheardOf(rows, works),
    ...recounted(rows, ({ feature, limitAfter }) => aggregateOf(feature, Number(limitAfter) / 1e9), feature => feature !== TIGHT),
    ...timelines.misplaced,
    ...reads.flatMap(read => flawsOfRead(read, timelines, evidence)),
    ...failedWithoutNeed(evidence)
  ]
  return { wrong, tally }
}

function duplicated ({ events }: LedgerRows): string[] {
  const seen = new Set<string>()
  return events.filter(({ org, id }) => seen.size === seen.add(`${org} ${id}`).size).map(({ org, id }) => `${org} event ${id} is there twice`)
}

function unheardOf ({ events }: LedgerRows, works: readonly Work[]): string[] {
  const sent = new Set(works.map(({ org, call: { event } }) => `${org} ${event}`))
  return events.filter(({ org, id }) => !sent.has(`${org} ${id}`)).map(({ org, id }) => `${org} event ${id} was never sent`)
}

/** An acknowledged event is there and is what was answered, each time the same; one that was surely refused is not there. */
function flawsOfWork (work: Work, event: EventRow | undefined): string[] {
  const { call, attempts } = work
  const told = nameOf(work)
  const heard = attempts.flatMap(({ answer }) => answer === undefined ? [] : [answer])
  const counted = attempts.filter(isCounted).map(({ answer }) => answer as Heard)
  const strange = heard.filter(answer => answer.status !== OK && !isPassing(answer)).map(({ status, text }) => `${told} was answered ${status} ${text}`)
  if (counted.length === 0) {
    const refused = event !== undefined && attempts.every(attempt => isRefusal(attempt) || isDenied(attempt))
    return refused ? [...strange, `${told} was refused, and counted`] : strange
  }
  const flaws = call.event === undefined ? [] : counted.flatMap(({ text }) => flawOfEvent(work, text, event) ?? [])
  const [first, ...others] = counted.map(({ text }) => withoutDuplicate(text))
  if (others.some(other => other !== first)) flaws.push(`answers differ: ${counted.map(({ text }) => text).join(' ')}`)
  if (counted.slice(1).some(({ text }) => text.includes('"duplicate":false'))) flaws.push('it was new twice')
  return [...strange, ...flaws.map(flaw => `${told}: ${flaw}`)]
}

function nameOf ({ operation, org, call: { path, body } }: Work): string {
  return `${operation} of ${org}, ${path} ${JSON.stringify(body)},`
}

function flawOfEvent ({ call: { sent } }: Work, text: string, event: EventRow | undefined): string | undefined {
  if (event === undefined) return `answered ${text}, and not in the ledger`
  return sent !== undefined && !isSame(sent, event) ? 'the event is another one' : flawOfFigures(text, event)
}

/** Who is refused for a limit hears a figure that the ledger had between question and answer, and beside which it does not fit. */
function flawsOfDenials (work: Work, timelines: Timelines): string[] {
  const { org, call: { asks = 0 }, attempts } = work
  return attempts.filter(isDenied).flatMap(attempt => {
    const { text } = attempt.answer as Heard
    const [used, reserved, limit] = ['used', 'reserved', 'limit'].map(name => figureOf(text, name)) as [bigint, bigint, bigint]
    const fits = used + reserved + BigInt(asks) * ONE <= limit
    const lagMs = lagOf({ org, feature: TIGHT, ...attempt }, timelines)
    return fits || !(lagMs <= CLOCK_MS) ? [`${nameOf(work)} was answered ${text}, ${fits ? 'and fits' : `which was ${lagMs} ms ago`}`] : []
  })
}

/** What counts only where there is room has never passed a limit, with what was held at that moment. */
function passedLimits ({ events }: LedgerRows): string[] {
  return events
    .filter(({ feature, usedAfter, reservedAfter, limitAfter }) => feature === TIGHT && usedAfter + reservedAfter > (limitAfter ?? 0n))
    .map(({ org, id, usedAfter, reservedAfter, limitAfter }) => `${org} event ${id}: ${usedAfter} and ${reservedAfter} held, of ${limitAfter}`)
}

function withoutDuplicate (text: string): string {
  return text.replace(/"duplicate":(true|false)/, '').replace(/"state":"(held|expired)"/, '')
}

const ONE = 10n ** 9n

interface Verdict {
  readonly used: bigint
  readonly windowEnd: number | null
  readonly degraded: boolean
}

/** As it was written, digit by digit. */
function figureOf (text: string, name: string): bigint {
  return nanos(new RegExp(`"${name}":(-?[\\d.]+)`).exec(text)?.[1] ?? '')
}

function verdictOf ({ text }: Heard): Verdict {
  const [, resetsAt] = /"resetsAt":"([^"]+)"/.exec(text) ?? []
  return { used: figureOf(text, 'used'), windowEnd: resetsAt === undefined ? null : Date.parse(resetsAt), degraded: text.includes('"degraded":true') }
}

/**
 * An answer is the ledger's at some instant in the second before it. With Redis well it has all that was answered before it was asked for;
 * what is written and not yet answered may be in the ledger for a while, where a way to Postgres is slow, before a read shows it.
 */
function flawsOfRead (read: Read, timelines: Timelines, evidence: Evidence): string[] {
  const { answer, org, feature } = read
  if (answer === undefined || isPassing(answer)) return read.exact ? [`all was well, and can ${org} ${feature} was answered ${answer?.text}`] : []
  if (answer.status !== OK) return [`can ${org} ${feature} was answered ${answer.status} ${answer.text}`]
  if (read.unheld && figureOf(answer.text, 'reserved') !== 0n) return [`nothing is held any more, and can ${org} ${feature} was answered ${answer.text}`]
  const behindMs = lagOf(read, timelines)
  const allowedMs = lagAllowed(read, answer, evidence)
  const isTooOld = !read.exact && behindMs > Math.max(allowedMs, LAG_MAX_MS + CLOCK_MS)
  const lagMs = read.exact || isTooOld ? behindMs : lagOf(read, timelines, 'readUntil')
  const why = Number.isNaN(lagMs) ? 'which it never was' : `which was ${lagMs} ms ago, and ${allowedMs} were right`
  const at = new Date(read.sentAt).toISOString()
  return lagMs <= allowedMs ? [] : [`${at} can ${org} ${feature}${read.exact ? ', all well,' : ''} was answered ${answer.text}, ${why}`]
}

function lagAllowed ({ sentAt, endedAt, exact }: Read, answer: Heard, { happenings, failedPublishes }: Evidence): number {
  if (verdictOf(answer).degraded && !exact) return Infinity
  const failing = happenings.some(({ ofRedis, from, until }) => ofRedis && from <= endedAt && until + SETTLED_AFTER_MS >= sentAt)
  const unpublished = failedPublishes.some(at => at <= endedAt && at + LAG_MAX_MS >= sentAt)
  return (failing && !exact) || unpublished ? LAG_MAX_MS + CLOCK_MS : CLOCK_MS
}

/** How long before the question the ledger last had this figure, at least; NaN: at no time until the answer. */
function lagOf (
  { org, feature, sentAt, endedAt, answer }: Omit<Read, 'exact' | 'unheld'>, timelines: Timelines, ended: 'until' | 'readUntil' = 'until'
): number {
  const { used, windowEnd } = verdictOf(answer as Heard)
  const possible = timelines.statesOf(org, feature, windowEnd).filter(state => state.used === used && state.from <= endedAt + CLOCK_MS)
  return possible.length === 0 ? NaN : Math.max(0, ...[sentAt - Math.max(...possible.map(state => state[ended]))])
}

/** While nothing fails but Redis, every call works. */
function failedWithoutNeed ({ history: { works, reads }, onlyRedis: { from, until } }: Evidence): string[] {
  return [...works.flatMap(({ attempts }) => attempts), ...reads]
    .filter(({ sentAt, endedAt }) => sentAt >= from && endedAt <= until)
    .filter(({ answer }) => answer?.status !== OK || answer.text.includes('"degraded":true'))
    .map(({ answer, sentAt, endedAt }) => `only Redis failed, and a call was answered ${answer?.text} after ${endedAt - sentAt} ms`)
}

function talliesOf ({ history: { works, reads }, failedPublishes }: Evidence, timelines: Timelines): Record<string, number> {
  const attempts = works.flatMap(work => work.attempts)
  const answers = attempts.flatMap(({ answer }) => answer === undefined ? [] : [answer])
  const codes = answers.flatMap(answer => answer.status === OK ? [] : [codeOf(answer) ?? `${answer.status}`])
  const told = reads.filter(({ answer }) => answer?.status === OK)
  return {
    'things done': works.length,
    acknowledged: works.filter(work => work.attempts.some(isCounted)).length,
    'refused by a limit': works.filter(work => work.attempts.some(isDenied)).length,
    'sent again': attempts.length - works.length,
    'without an answer': attempts.length - answers.length,
    ...Object.fromEntries([...new Set(codes)].map(code => [code, codes.filter(other => other === code).length])),
    reads: reads.length,
    'reads answered': told.length,
    'reads degraded': told.filter(({ answer }) => verdictOf(answer as Heard).degraded).length,
    'reads that lagged': told.filter(read => lagOf(read, timelines) > CLOCK_MS).length,
    'failed publishes': failedPublishes.length
  }
}
