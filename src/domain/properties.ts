import { TollgateError } from '../errors.ts'

/** What a caller attaches to an event, as JSON. */
export type Properties = Readonly<Record<string, unknown>>

const PROPERTIES_BYTES_MAX = 8_192
const DEPTH_MAX = 8

/**
 * Checks what Postgres would refuse later, and then for the whole batch: NUL and lone surrogates, at any depth.
 * @throws TollgateError `invalid_request`, naming the place
 */
export function checkProperties (properties: Properties, pointer = '/properties'): Properties {
  checkText(properties, pointer, 0)
  if (Buffer.byteLength(JSON.stringify(properties)) > PROPERTIES_BYTES_MAX) {
    throw invalid(pointer, `must be at most ${PROPERTIES_BYTES_MAX} bytes as JSON`)
  }
  return properties
}

function checkText (value: unknown, pointer: string, depth: number): void {
  if (depth > DEPTH_MAX) throw invalid(pointer, `must be nested at most ${DEPTH_MAX} deep`)
  if (typeof value === 'string') return checkStorable(value, pointer)
  if (typeof value !== 'object' || value === null) return
  for (const [key, member] of Object.entries(value)) {
    checkStorable(key, pointer)
    checkText(member, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, depth + 1)
  }
}

/** @throws TollgateError `invalid_request` for text that Postgres cannot store */
export function checkStorable (text: string, pointer: string): void {
  if (text.includes('\0') || !text.isWellFormed()) throw invalid(pointer, 'must not contain NUL or half a surrogate pair')
}

/** Equal for equal values, whatever the order of their keys. */
export function canonicalJson (properties: Properties): string {
  return JSON.stringify(properties, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
  })
}

function invalid (pointer: string, detail: string): TollgateError {
  return new TollgateError('invalid_request', `${pointer.slice(1)} ${detail}`, { pointer })
}
