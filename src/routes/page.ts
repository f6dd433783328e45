import { Type } from 'typebox'
import { TollgateError } from '../errors.ts'

/** How long a page may be: the `limit` of a list's query. */
export interface PageLength {
  readonly standard: number
  readonly max: number
}

export function queryLimit (what: string, { standard, max }: PageLength) {
  return Type.Optional(Type.String({
    pattern: `^[1-9][0-9]{0,${String(max).length - 1}}$`, description: `${what} in one page: 1 to ${max}, ${standard} if absent`
  }))
}

/** @throws TollgateError `invalid_request` */
export function pageOf (limit: string | undefined, { standard, max }: PageLength): number {
  const page = limit === undefined ? standard : Number(limit)
  if (page > max) throw new TollgateError('invalid_request', `limit must be from 1 to ${max}`, { pointer: '?limit' })
  return page
}

const PAGE: PageLength = { standard: 50, max: 500 }
const CURSOR_LENGTH_MAX = 3_000

/** The members of every list's query; the others stay the same from page to page. */
export const Paging = {
  cursor: Type.Optional(Type.String({
    maxLength: CURSOR_LENGTH_MAX, description: 'The `nextCursor` of the page before, with the same query otherwise'
  })),
  limit: queryLimit('Items', PAGE)
}

/** What a list's query says of the page. */
export function paging ({ cursor, limit }: { cursor?: string, limit?: string }): { cursor: string | undefined, countMax: number } {
  return { cursor, countMax: pageOf(limit, PAGE) }
}

export const NextCursor = Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'null: there is no further page' })
