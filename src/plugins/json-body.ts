import fp from 'fastify-plugin'
import { TollgateError } from '../errors.ts'

const DIGITS_MAX = 15
/** Members that hold amounts, in any case, as Tier's wire takes them. What a caller attaches to an event is the caller's own. */
const AMOUNTS: ReadonlySet<string> = new Set(['n', 'limit'])
const CALLERS_OWN = 'properties'

/** Sixteen digits in a row, or with a point among them: rare, so the scan below hardly ever runs. */
const SUSPICIOUS = /\d[\d.]{15}/
/** One token of JSON text: a member's name, any other string, a number, or a bracket. */
const TOKEN = /"((?:[^"\\]|\\.)*)"(\s*:)?|-?(\d[\d.]*)(?:[eE][+-]?\d+)?|([{[])|([}\]])/g

/**
 * JSON bodies. An amount of more than 15 significant digits is refused by its digits as they were sent: once parsed,
 * `100000000000000.00001` has silently become a round number.
 */
export default fp(async app => {
  // Fastify reads plain text too, and hands it on as a string.
  app.removeContentTypeParser('text/plain')
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    // As Tier's server has it, nothing is an object without members.
    if (body === '') return done(null, {})
    // Parsed first: where every string ends, the scan is linear.
    void parse(request, body, (error, value) => {
      const member = error === null && SUSPICIOUS.test(body) ? longAmount(body) : undefined
      if (member === undefined) return done(error, value)
      done(new TollgateError('invalid_amount',
        `${member} must have at most ${DIGITS_MAX} significant digits as a number; send more as a string`, { pointer: `/${member}` }))
    })
  })
}, { name: 'json-body' })

/** The name of the first amount with too many digits. */
function longAmount (text: string): string | undefined {
  let member = ''
  let depth = 0
  let ownDepth = Infinity
  for (const [, name, colon, digits, opens, closes] of text.matchAll(TOKEN)) {
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
    } else if (digits !== undefined && depth < ownDepth && AMOUNTS.has(member) && significant(digits) > DIGITS_MAX) return member
  }
  return undefined
}

function significant (digits: string): number {
  return digits.replace('.', '').replace(/^0+/, '').replace(/0+$/, '').length
}
