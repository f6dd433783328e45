import { TollgateError } from '../errors.ts'
import { decimalText } from './decimal.ts'

/** An exact decimal: units of 10^-9, as a bigint. `1` is `1_000_000_000n`. In Postgres it is `numeric(38,9)`. */
export type Amount = bigint

export const DECIMALS_MAX = 9
const SCALE = 10n ** 9n
/** Totals stay below 10^28, which leaves room in `numeric(38,9)`: one bad total would fail a whole batch there. */
export const AMOUNT_LIMIT = 10n ** 28n * SCALE

export const NUMBER_DIGITS_MAX = 15
const STRING_DIGITS_MAX = 28
const STRING_LENGTH_MAX = 40
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/
/** `String(1e-7)` is exponential; this is the form of every finite number in JavaScript. */
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/

export const WHOLE: Amount = SCALE

export function amountOf (whole: number | bigint): Amount {
  return BigInt(whole) * SCALE
}

/**
 * Reads what a caller sent: a JSON number of at most 15 significant digits, so that it means the same in every
 * language, or a decimal string of at most 28 digits; both with at most 9 decimals.
 * @throws TollgateError `invalid_amount`, naming `pointer`
 */
export function parseAmount (input: number | string, pointer: string): Amount {
  const amount = typeof input === 'number' ? fromNumber(input, pointer) : fromString(input, pointer)
  if (amount >= AMOUNT_LIMIT || amount <= -AMOUNT_LIMIT) throw invalid(pointer, 'must be less than 10^28')
  return amount
}

function fromNumber (input: number, pointer: string): Amount {
  if (Number.isSafeInteger(input) && Math.abs(input) < 1e15) return BigInt(input) * SCALE
  const match = NUMBER.exec(String(input))
  if (match === null) throw invalid(pointer, 'must be a finite number')
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const digits = (whole + fraction).replace(/^0+/, '')
  if (digits.replace(/0+$/, '').length > NUMBER_DIGITS_MAX) {
    throw tooManyDigits(pointer)
  }
  const decimals = fraction.length - Number(exponent)
  return scaled(sign, digits, decimals, pointer)
}

/** Also for what a number was before it was read: then it is too late to see how many digits it had. */
export function tooManyDigits (pointer: string): TollgateError {
  return invalid(pointer, `must have at most ${NUMBER_DIGITS_MAX} significant digits as a number; send more as a string`)
}

function fromString (input: string, pointer: string): Amount {
  const match = input.length <= STRING_LENGTH_MAX ? DECIMAL.exec(input) : null
  if (match === null) throw invalid(pointer, 'must be a number or a decimal string such as "12.5"')
  const [, sign = '', whole = '', fraction = ''] = match
  const digits = (whole + fraction).replace(/^0+/, '')
  if (digits.length > STRING_DIGITS_MAX) throw invalid(pointer, `must have at most ${STRING_DIGITS_MAX} digits`)
  return scaled(sign, digits, fraction.length, pointer)
}

/** `digits` times 10 to the power of minus `decimals`. */
function scaled (sign: string, digits: string, decimals: number, pointer: string): Amount {
  const significant = digits.replace(/0+$/, '')
  const zeros = digits.length - significant.length
  if (significant === '') return 0n
  const exponent = DECIMALS_MAX - decimals + zeros
  if (exponent < 0) throw invalid(pointer, `must have at most ${DECIMALS_MAX} decimals`)
  if (exponent > 2 * STRING_DIGITS_MAX) throw invalid(pointer, 'must be less than 10^28')
  const magnitude = BigInt(significant) * 10n ** BigInt(exponent)
  return sign === '-' ? -magnitude : magnitude
}

function invalid (pointer: string, detail: string): TollgateError {
  const field = pointer.replace(/^[/?]/, '')
  return new TollgateError('invalid_amount', `${field} ${detail}`, { pointer })
}

/** Plain digits, never exponential, no trailing zeros: the text of a JSON number, and what Postgres takes. */
export function amountText (amount: Amount): string {
  return amount % SCALE === 0n ? (amount / SCALE).toString() : decimalText(amount, DECIMALS_MAX)
}

/** Reads a `numeric` as Postgres prints it. */
export function amountFromNumeric (text: string): Amount {
  const dot = text.indexOf('.')
  if (dot < 0) return BigInt(text) * SCALE
  return BigInt(text.slice(0, dot) + text.slice(dot + 1).padEnd(DECIMALS_MAX, '0').slice(0, DECIMALS_MAX))
}

/** The next whole amount above: how `used` is shown where the wire has no fractions. */
export function ceilAmount (amount: Amount): Amount {
  return -floorAmount(-amount)
}

/** The next whole amount below: how a limit is shown where the wire has no fractions. */
export function floorAmount (amount: Amount): Amount {
  const rest = ((amount % SCALE) + SCALE) % SCALE
  return amount - rest
}
