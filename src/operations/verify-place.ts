import { cursorText, parseTextCursor } from '../domain/cursor.ts'
import type { Instant } from '../domain/entitlement.ts'
import { LAST_INSTANT } from '../domain/time.ts'
import type { Fold } from '../domain/verification.ts'
import { TollgateError } from '../errors.ts'

/** Where a verification goes on: with this feature of this org, by their keys, and its windows from then on. */
export interface Place {
  readonly org: number
  readonly feature: number
  readonly from: Instant
  /** Within the window that starts at `from`, which has too many events for one call. */
  readonly within: Within | null
}

/** What is known so far of a window with many events, and what they have to come to. */
export interface Within {
  /** null: never */
  readonly end: Instant | null
  /** Events that arrived later are not looked at, and were not counted in `counter` either. */
  readonly horizon: number
  readonly counter: { readonly used: bigint, readonly version: number } | null
  /** Where its events have not been looked at yet. */
  readonly at: Instant
  readonly fold: Fold
}

export const BEGINNING: Place = { org: 0, feature: 0, from: 0, within: null }

const LIST = 'verify'
const NONE = '-'
const KEY_MAX = 2 ** 31 - 1

export function placeText ({ org, feature, from, within }: Place): string {
  return cursorText(LIST, [org, feature, from, within === null ? NONE : withinText(within)].map(String))
}

/** @throws TollgateError `invalid_request` for what `placeText` did not write */
export function parsePlace (text: string): Place {
  const [org = '', feature = '', from = '', within = ''] = parseTextCursor(text, LIST, 4, '/cursor')
  return {
    org: whole(org, KEY_MAX + 1),
    feature: whole(feature, KEY_MAX + 1),
    from: whole(from, LAST_INSTANT),
    within: within === NONE ? null : parseWithin(within)
  }
}

function withinText ({ end, horizon, counter, at, fold: { events, sum, chain, last } }: Within): string {
  return [
    end ?? NONE, horizon, counter?.used ?? NONE, counter?.version ?? NONE, at, events, sum, chain,
    last?.seq ?? NONE, last?.usedAfter ?? NONE, last?.hash ?? NONE
  ].join(' ')
}

function parseWithin (text: string): Within {
  const parts = text.split(' ')
  const [end = '', horizon = '', used = '', version = '', at = '', events = '', sum = '', chain = '', lastSeq = '', usedAfter = '', hash = ''] = parts
  if (parts.length !== 11) throw foreign()
  return {
    end: end === NONE ? null : whole(end, LAST_INSTANT),
    horizon: whole(horizon),
    counter: used === NONE ? null : { used: integer(used), version: whole(version) },
    at: whole(at, LAST_INSTANT),
    fold: {
      events: whole(events),
      sum: integer(sum),
      chain: integer(chain),
      last: lastSeq === NONE ? null : { seq: whole(lastSeq), usedAfter: integer(usedAfter), hash: integer(hash) }
    }
  }
}

function whole (text: string, max = Number.MAX_SAFE_INTEGER): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!(value <= max)) throw foreign()
  return value
}

function integer (text: string): bigint {
  if (!/^-?\d{1,60}$/.test(text)) throw foreign()
  return BigInt(text)
}

function foreign (): TollgateError {
  return new TollgateError('invalid_request', 'cursor must be one that a page of this list gave', { pointer: '/cursor' })
}
