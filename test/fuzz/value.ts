/**
 * What a fuzzed request is made of: plain data, so that it can be shrunk and printed. It becomes text as it is sent.
 */
export type Text = string | Seed | Encoded
/** A value that this service gave out, or was given and took; which, is known as it is sent. */
export interface Seed { readonly seed: string, readonly pick: number }
/** Part of a URL as it goes over the wire, percent signs and all. */
export interface Encoded { readonly encoded: string }

/** JSON, but numbers may be any text, and an object may name a member twice, or `__proto__`. */
export type Json = null | boolean | string | Seed | Raw | Items | Members
export interface Raw { readonly raw: string }
export interface Items { readonly items: readonly Json[] }
export interface Members { readonly members: ReadonlyArray<readonly [name: string, value: Json]> }

export type Lookup = (seed: Seed) => string

export function isSeed (value: Json | Text): value is Seed {
  return typeof value === 'object' && value !== null && 'seed' in value
}

export function jsonOf (value: unknown): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (Array.isArray(value)) return { items: value.map(jsonOf) }
  if (typeof value === 'object') return { members: Object.entries(value).map(([name, member]) => [name, jsonOf(member)]) }
  return { raw: String(value) }
}

export function jsonText (value: Json, lookup: Lookup): string {
  if (isSeed(value)) return JSON.stringify(lookup(value))
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if ('raw' in value) return value.raw
  if ('items' in value) return `[${value.items.map(item => jsonText(item, lookup)).join(',')}]`
  return `{${value.members.map(([name, member]) => `${JSON.stringify(name)}:${jsonText(member, lookup)}`).join(',')}}`
}

/** Percent-encodes; half a surrogate pair becomes the three bytes that no UTF-8 has. */
export function urlText (text: Text, lookup: Lookup): string {
  if (typeof text === 'object' && 'encoded' in text) return text.encoded
  return plainText(text, lookup).replace(/[\ud800-\udbff][\udc00-\udfff]|[^A-Za-z0-9_.~-]/g, character => {
    if (character.length === 2 || character.isWellFormed()) return encodeURIComponent(character)
    const unit = character.charCodeAt(0)
    return [0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)].map(byte => `%${byte.toString(16).toUpperCase()}`).join('')
  })
}

function plainText (text: Text, lookup: Lookup): string {
  if (typeof text === 'string') return text
  return 'encoded' in text ? text.encoded : lookup(text)
}

/** How many places `changed` can change. */
export function placesIn (value: Json): number {
  if (value === null || typeof value !== 'object') return 1
  if ('items' in value) return 1 + value.items.reduce((sum, item) => sum + placesIn(item), 0)
  if ('members' in value) return 1 + value.members.reduce((sum, [, member]) => sum + placesIn(member), 0)
  return 1
}

export interface Change {
  readonly does: 'replace' | 'drop' | 'repeat' | 'rename' | 'add'
  readonly name: string
  readonly value: Json
}

/** The same JSON with a change at one place, counted in the order of writing. */
export function changed (value: Json, at: number, change: Change): Json {
  if (at === 0) return change.does === 'add' ? added(value, change) : change.value
  let left = at - 1
  if (value === null || typeof value !== 'object') return value
  if ('items' in value) {
    return { items: value.items.flatMap(item => replaced(item, next => [next], [], [item, item])) }
  }
  if ('members' in value) {
    return {
      members: value.members.flatMap(([name, member]) => replaced<readonly [string, Json]>(
        member, next => [[name, next]], [[change.name, member]], [[name, member], [name, change.value]]
      ))
    }
  }
  return value

  function replaced<Part> (part: Json, keep: (value: Json) => Part[], renamed: Part[], repeated: Part[]): Part[] {
    const places = placesIn(part)
    const here = left
    left -= places
    if (here < 0 || here >= places) return keep(part)
    if (here > 0 || change.does === 'replace' || change.does === 'add') return keep(changed(part, here, change))
    return change.does === 'drop' ? [] : change.does === 'rename' ? renamed : repeated
  }
}

function added (value: Json, { name, value: member }: Change): Json {
  if (typeof value === 'object' && value !== null && 'items' in value) return { items: [...value.items, member] }
  if (typeof value === 'object' && value !== null && 'members' in value) return { members: [...value.members, [name, member]] }
  return member
}
