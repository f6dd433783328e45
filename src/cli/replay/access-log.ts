import { isUtf8 } from 'node:buffer'
import { parseAmount } from '../../domain/amount.ts'
import type { Instant } from '../../domain/entitlement.ts'
import { parseOrg } from '../../domain/ids.ts'
import { parseInstant } from '../../domain/time.ts'
import { TollgateError } from '../../errors.ts'

/** One request, as an access log has it. */
export interface Hit {
  readonly org: string
  readonly at: Instant
  /** The same instant, on the clock of the log, with its offset. */
  readonly atText: string
  /** What was sent to the client; the log's `-` is 0. */
  readonly bytes: bigint
}

/** The line cannot be counted; the message says why. */
export class Malformed extends Error {
  override readonly name = 'Malformed'
}

/** With ident and user, none of which has a space: with a field more in front, as in logs of several hosts, it would be another. */
const CLIENT = /(\S+) \S+ \S+/
const TIME = /\[(\d\d)\/([A-Z][a-z]{2})\/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)\]/
const QUOTED = /"(?:[^"\\]|\\.)*"/
const STATUS_AND_BYTES = /(?:\d{3}|-) (\d+|-)/
const LINE = new RegExp(`^${[CLIENT, TIME, QUOTED, STATUS_AND_BYTES].map(({ source }) => source).join(' ')}(?: |$)`)
/** Nothing shorter looks like it, where the bytes alone could lack a digit. */
const COMBINED = new RegExp(`${[QUOTED, STATUS_AND_BYTES, QUOTED, QUOTED].map(({ source }) => source).join(' ')}$`)
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/**
 * Reads a line in common or combined format. What follows the bytes is not judged, so that extensions of both are read, too.
 * @param ended false: it may be a part of a line that is still being written, and would count once more when it is whole
 * @throws Malformed
 */
export function parseHit (line: Buffer, ended: boolean): Hit {
  // One character for each byte: user agents are of any encoding, or none.
  const text = line.toString('latin1')
  const match = LINE.exec(text)
  if (match === null) throw new Malformed('not in common or combined format')
  if (!ended && !COMBINED.test(text)) throw new Malformed('the last line has no end: the log is still being written, or was cut off')
  const [, client = '', day = '', month = '', year = '', time = '', offsetHours = '', offsetMinutes = '', bytes = ''] = match
  const name = Buffer.from(client, 'latin1')
  if (!isUtf8(name)) throw new Malformed('the client is not text')
  const monthText = String(MONTHS.indexOf(month) + 1).padStart(2, '0')
  const atText = `${year}-${monthText}-${day}T${time}${offsetHours}:${offsetMinutes}`
  try {
    const at = parseInstant(atText, '/at') as Instant
    const org = parseOrg(`org:${name.toString()}`)
    const sent = bytes === '-' ? '0' : bytes
    parseAmount(sent, '/bytes')
    return { org, at, atText, bytes: BigInt(sent) }
  } catch (error) {
    if (error instanceof TollgateError) throw new Malformed(error.message)
    throw error
  }
}
