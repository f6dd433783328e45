/** `digits` times 10 to the power of minus `decimals`, which is negative for a number such as 1e21. */
export interface Decimal {
  readonly digits: bigint
  readonly decimals: number
}

/** Every finite number from 0 on as JavaScript prints it: in the shortest text that means it, which is what was sent. */
const NUMBER = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/

/** @param value finite, not negative */
export function decimalOf (value: number): Decimal {
  const [, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(String(value)) ?? []
  return { digits: BigInt(whole + fraction), decimals: fraction.length - Number(exponent) }
}

/** `scaled` times 10^-`decimals` (1 or more) in plain digits, never exponential, no trailing zeros: the text of a JSON number. */
export function decimalText (scaled: bigint, decimals: number): string {
  const negative = scaled < 0n
  const text = (negative ? -scaled : scaled).toString().padStart(decimals + 1, '0')
  const fraction = text.slice(-decimals).replace(/0+$/, '')
  return `${negative ? '-' : ''}${text.slice(0, -decimals)}${fraction === '' ? '' : `.${fraction}`}`
}

/** A number in an answer that is written with these digits, of which a float would not keep all. */
export class ExactNumber {
  readonly text: string

  constructor (text: string) {
    this.text = text
  }
}
