import { Type } from 'typebox'
import { TollgateError } from '../errors.ts'

/** How many there may be in one page, as queries say it. */
export interface PageLimits {
  readonly standard: number
  readonly max: number
}

export function PageLimit (what: string, { standard, max }: PageLimits) {
  return Type.String({ pattern: '^[1-9][0-9]{0,2}$', description: `${what} in one page: 1 to ${max}, ${standard} if absent` })
}

/** @throws TollgateError `invalid_request` */
export function pageOf (limit: string | undefined, { standard, max }: PageLimits): number {
  const page = limit === undefined ? standard : Number(limit)
  if (page > max) throw new TollgateError('invalid_request', `limit must be from 1 to ${max}`, { pointer: '?limit' })
  return page
}
