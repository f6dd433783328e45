import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import { NUMBER_DIGITS_MAX, tooManyDigits } from '../domain/amount.ts'

/** Members that hold amounts, in any case, as Tier's wire takes them. What a caller attaches to an event is the caller's own. */
const AMOUNTS: ReadonlySet<string> = new Set(['n', 'limit'])
const CALLERS_OWN = 'properties'

/** Sixteen digits in a row, or with a point among them: rare, so the scan below hardly ever runs. */
const SUSPICIOUS = /\d[\d.]{15}/
/** One token of JSON text: a member's name, any other string, a number, or a bracket. */
const TOKEN = /"((?:[^"\\]|\\.)*)"(\s*:)?|-?(\d[\d.]*)(?:[eE][+-]?\d+)?|([{[])|([}\]])/g

export type ReadJson = (request: FastifyRequest, body: string, done: (error: Error | null, value?: unknown) => void) => void

declare module 'fastify' {
  interface FastifyInstance {
    /** For bodies that are JSON in another wrapping. */
    readJson: ReadJson
  }
}

/**
 * JSON bodies. An amount of more than 15 significant digits is refused by its digits as they were sent: once parsed,
 * `100000000000000.00001` has silently become a round number.
 */
export default fp(async app => {
  // Fastify reads plain text too, and hands it on as a string.
  app.removeContentTypeParser('text/plain')
  const parse = app.getDefaultJsonParser('error', 'error')
  const read: ReadJson = (request, body, done) => {
    // As Tier's server has it, nothing is an object without members.
    if (body === '') return done(null, {})
    // Parsed first: where every string ends, the scan is linear.
    void parse(request, body, (error, value) => {
      const long = error === null && SUSPICIOUS.test(body) ? longAmounts(body) : []
      const [first] = long
      if (first === undefined) return done(error, value)
      if (request.routeOptions.config.itemised === true) void parse(request, without(body, long), done)
      else done(tooManyDigits(`/${first.member}`))
    })
  }
  app.decorate('readJson', read)
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, read)
}, { name: 'json-body' })

/** An amount with too many digits, and where its digits are. */
interface LongAmount {
  readonly member: string
  readonly start: number
  readonly end: number
}

function longAmounts (text: string): LongAmount[] {
  const found: LongAmount[] = []
  let member = ''
  let depth = 0
  let ownDepth = Infinity
  for (const { 0: { length }, 1: name, 2: colon, 3: digits, 4: opens, 5: closes, index: start } of text.matchAll(TOKEN)) {
    if (colon !== undefined) {
      member = (name ?? '').toLowerCase()
    } else if (opens !== undefined) {
      depth += 1
      if (member === CALLERS_OWN) ownDepth = Math.min(ownDepth, depth)
      member = ''
    } else if (closes !== undefined) {
      if (depth === ownDepth) ownDepth = Infinity
      depth -= 1
      member = ''
    } else if (digits !== undefined && depth < ownDepth && AMOUNTS.has(member) && significant(digits) > NUMBER_DIGITS_MAX) {
      found.push({ member, start, end: start + length })
    }
  }
  return found
}

/** With what is no finite number in their places: `refusedItems` knows it again. */
function without (text: string, amounts: readonly LongAmount[]): string {
  let rest = ''
  let from = 0
  for (const { start, end } of amounts) {
    rest += `${text.slice(from, start)}1e999`
    from = end
  }
  return rest + text.slice(from)
}

function significant (digits: string): number {
  return digits.replace('.', '').replace(/^0+/, '').replace(/0+$/, '').length
}
