import fc from 'fast-check'
import type { Body } from '../fixtures/api.ts'
import { hostileName, hostileNumber, hostileText, longText, usefulText, usefulTime } from './hostile.ts'
import { type Json, jsonOf, type Text } from './value.ts'

const ITEMS_MAX = 3
const PICKS = 40

/** What a schema asks for, mostly; at its bounds now and then. */
export function valueOf (schema: Body, name: string): fc.Arbitrary<Json> {
  const variants: Array<fc.WeightedArbitrary<Json>> = []
  const examples = [schema.example, ...schema.examples ?? []].filter(example => example !== undefined)
  if (examples.length > 0) variants.push({ weight: 2, arbitrary: fc.constantFrom(...examples.map(jsonOf)) })
  if (schema.enum !== undefined) variants.push({ weight: 6, arbitrary: fc.constantFrom(...(schema.enum as unknown[]).map(jsonOf)) })
  for (const either of schema.anyOf ?? schema.oneOf ?? []) variants.push({ weight: 2, arbitrary: valueOf(either, name) })
  for (const type of [schema.type ?? []].flat() as string[]) variants.push({ weight: type === 'null' ? 1 : 6, arbitrary: ofType(type, schema, name) })
  return variants.length === 0 ? textOf(schema, name) as fc.Arbitrary<Json> : fc.oneof(...variants)
}

function ofType (type: string, schema: Body, name: string): fc.Arbitrary<Json> {
  switch (type) {
    case 'object': return objectOf(schema)
    case 'array': return fc.array(valueOf(schema.items ?? {}, name), { maxLength: ITEMS_MAX }).map(items => ({ items }))
    case 'boolean': return fc.boolean()
    case 'null': return fc.constant(null)
    case 'string': return textOf(schema, name) as fc.Arbitrary<Json>
    default: return fc.oneof(fc.nat(5).map(jsonOf), hostileNumber)
  }
}

/** Members that must be there, some that may, and where any are allowed, any. */
function objectOf ({ properties = {}, required = [], additionalProperties }: Body): fc.Arbitrary<Json> {
  const known = Object.entries(properties as Record<string, Body>).map(([name, schema]) => {
    const member = valueOf(schema, name).map(value => [[name, value] as const])
    return (required as string[]).includes(name) ? member : fc.oneof(member, fc.constant([]))
  })
  const free = Object.keys(properties).length === 0 || (additionalProperties !== undefined && additionalProperties !== false)
  const value = typeof additionalProperties === 'object' ? valueOf(additionalProperties, '') : fc.oneof(textOf({}, '') as fc.Arbitrary<Json>, hostileNumber)
  const others = free ? fc.array(fc.tuple(hostileName, value), { maxLength: ITEMS_MAX }) : fc.constant([])
  return fc.tuple(fc.tuple(...known), others).map(([members, more]) => ({ members: [...members.flat(), ...more] }))
}

/** Near the present or the ends of time, or anywhere. */
const time = fc.oneof(
  fc.integer({ min: -400, max: 400 }).map(days => new Date(Date.now() + days * 86_400_000).toISOString()),
  fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }).map(date => date.toISOString()),
  usefulTime
)

/** Most texts are ids: so mostly one that this service knows under that name. */
export function textOf (schema: Body, name: string): fc.Arbitrary<Exclude<Text, { encoded: string }>> {
  const own = schema.pattern !== undefined
    ? [{ weight: 60, arbitrary: fc.stringMatching(new RegExp(schema.pattern)) }]
    : schema.format === 'date-time' || /RFC 3339/.test(schema.description ?? '') ? [{ weight: 60, arbitrary: time }] : []
  return fc.oneof(
    { weight: 20, arbitrary: fc.nat(PICKS).map(pick => ({ seed: name, pick })) },
    { weight: 5, arbitrary: usefulText },
    { weight: 1, arbitrary: longText },
    { weight: 1, arbitrary: hostileText },
    ...own
  )
}
