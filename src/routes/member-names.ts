import type { preValidationHookHandler } from 'fastify'

/** What of a schema says which members an object may have; members that are data (a map's keys) are in none. */
interface Names {
  /** By their lower case. */
  readonly folded: ReadonlyMap<string, string>
  /** By their own names: what lies below. */
  readonly members: ReadonlyMap<string, Names>
  /** Of an array. */
  readonly items: Names | undefined
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
}

/**
 * Tier's server, as Go does, finds members whatever the case of their names (`{"ID": "", "Present": ...}`). Before such
 * a body is judged, its members get the names that the schema has; where the right name is there too, that one counts.
 */
export function anyCase (schema: unknown): preValidationHookHandler {
  const names = namesOf(schema as Schema)
  return (request, _reply, done) => {
    rename(request.body, names)
    done()
  }
}

function namesOf (schema: Schema): Names {
  const { properties = {}, items } = schema.anyOf?.[0] ?? schema
  return {
    folded: new Map(Object.keys(properties).map(name => [name.toLowerCase(), name])),
    members: new Map(Object.entries(properties).map(([name, below]) => [name, namesOf(below)])),
    items: items === undefined ? undefined : namesOf(items)
  }
}

function rename (value: unknown, { folded, members, items }: Names): void {
  if (typeof value !== 'object' || value === null || (folded.size === 0 && items === undefined)) return
  if (Array.isArray(value)) {
    if (items !== undefined) for (const item of value) rename(item, items)
    return
  }
  const object = value as Record<string, unknown>
  for (const key of Object.keys(object)) {
    const below = members.get(key)
    if (below !== undefined) {
      rename(object[key], below)
      continue
    }
    const name = folded.get(key.toLowerCase())
    if (name === undefined || Object.hasOwn(object, name)) continue
    object[name] = object[key]
    delete object[key]
    rename(object[name], members.get(name) as Names)
  }
}
