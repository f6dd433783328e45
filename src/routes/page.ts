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
