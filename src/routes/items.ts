import type { FastifyRequest, FastifySchemaValidationError } from 'fastify'
import { tooManyDigits } from '../domain/amount.ts'
import type { TollgateError } from '../errors.ts'
import { invalidRequest } from './problems.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its body is a list of items, of which a bad one is answered in its place: see `refusedItems`. */
    itemised?: true
  }
}

/**
 * What a schema found wrong with items of a list in the body, by their places. For routes with `attachValidation`, whose
 * items are answered one by one.
 * @param list the member that holds them
 * @throws TollgateError for what is wrong with the request as a whole
 */
export function refusedItems (request: FastifyRequest, list: string): ReadonlyMap<number, TollgateError> {
  const { validationError } = request
  if (validationError === undefined) return new Map()
  const { validation, validationContext } = validationError as { validation: FastifySchemaValidationError[], validationContext: string }
  const item = new RegExp(`^/${list}/(\\d+)(?:/|$)`)
  const byPlace = new Map<number, FastifySchemaValidationError[]>()
  const whole: FastifySchemaValidationError[] = []
  for (const found of validation) {
    const place = validationContext === 'body' ? item.exec(found.instancePath)?.[1] : undefined
    const others = place === undefined ? whole : byPlace.get(Number(place)) ?? []
    others.push(found)
    if (place !== undefined) byPlace.set(Number(place), others)
  }
  if (whole.length > 0) throw invalidRequest(whole, validationContext)
  const items = (request.body as Readonly<Record<string, readonly unknown[]>>)[list] ?? []
  return new Map([...byPlace].map(([place, found]) => [place, longAmount(items[place], `/${list}/${place}`) ?? invalidRequest(found, undefined)]))
}

/** A number with more digits than can be read has become infinite (plugins/json-body.ts), which no schema takes. */
function longAmount (item: unknown, pointer: string): TollgateError | undefined {
  const members = Object.entries(typeof item === 'object' && item !== null ? item : {})
  const infinite = members.find(([, value]) => typeof value === 'number' && !Number.isFinite(value))
  return infinite && tooManyDigits(`${pointer}/${infinite[0]}`)
}
