import { amountText } from '../domain/amount.ts'
import { ExactNumber } from '../domain/decimal.ts'

/**
 * The one serializer of answers. Amounts are bigints and become plain JSON numbers, written digit by digit: nothing
 * else in the process may turn one into a float. Members that are undefined are left out.
 */
export function toJson (value: unknown): string {
  switch (typeof value) {
    case 'string': return JSON.stringify(value)
    case 'bigint': return amountText(value)
    case 'number': return Number.isFinite(value) ? String(value) : 'null'
    case 'boolean': return value ? 'true' : 'false'
    case 'object': return value === null ? 'null' : Array.isArray(value) ? arrayJson(value) : value instanceof ExactNumber ? value.text : objectJson(value)
    default: return 'null'
  }
}

function arrayJson (items: readonly unknown[]): string {
  let text = '['
  for (let i = 0; i < items.length; i += 1) text += (i === 0 ? '' : ',') + toJson(items[i])
  return text + ']'
}

function objectJson (members: object): string {
  let text = '{'
  let separator = ''
  for (const name of Object.keys(members)) {
    const value = (members as Record<string, unknown>)[name]
    if (value === undefined) continue
    text += `${separator}${quoted(name)}:${toJson(value)}`
    separator = ','
  }
  return text + '}'
}

/** Our own members are few, and always the same; what callers name, as in metadata, is not remembered beyond a bound. */
const QUOTED_MAX = 500
const quotedNames = new Map<string, string>()

function quoted (name: string): string {
  const known = quotedNames.get(name)
  if (known !== undefined) return known
  const text = JSON.stringify(name)
  if (quotedNames.size < QUOTED_MAX) quotedNames.set(name, text)
  return text
}
