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
  for (const name of Object.keys(members)) {
    const value = (members as Record<string, unknown>)[name]
    if (value === undefined) continue
    const { first, next } = named(name)
    text += (text.length === 1 ? first : next) + toJson(value)
  }
  return text + '}'
}

/** What goes before a member's value. */
interface Named {
  readonly first: string
  readonly next: string
}

/** Our own members are few, and always the same; what callers name, as in metadata, is not remembered beyond a bound. */
const NAMES_MAX = 500
const names = new Map<string, Named>()

function named (name: string): Named {
  const known = names.get(name)
  if (known !== undefined) return known
  const first = `${JSON.stringify(name)}:`
  const made = { first, next: `,${first}` }
  if (names.size < NAMES_MAX) names.set(name, made)
  return made
}
