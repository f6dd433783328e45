/** Rational numbers, to compute prices a second time, in another way than the product does. */
export class Fraction {
  readonly over: bigint
  readonly under: bigint

  /** @param under positive */
  constructor (over: bigint, under = 1n) {
    this.over = over
    this.under = under
  }

  plus (other: Fraction): Fraction {
    return new Fraction(this.over * other.under + other.over * this.under, this.under * other.under)
  }

  minus (other: Fraction): Fraction {
    return this.plus(new Fraction(-other.over, other.under))
  }

  times (other: Fraction): Fraction {
    return new Fraction(this.over * other.over, this.under * other.under)
  }

  exceeds (other: Fraction): boolean {
    return this.over * other.under > other.over * this.under
  }

  equals (other: Fraction): boolean {
    return this.over * other.under === other.over * this.under
  }

  /** The whole number at or below; of one that is not negative. */
  get whole (): Fraction {
    return new Fraction(this.over / this.under)
  }

  /** Reads plain digits, as `12.5`. */
  static read (text: string): Fraction {
    const [whole = '', fraction = ''] = text.split('.')
    return new Fraction(BigInt(whole + fraction), 10n ** BigInt(fraction.length))
  }
}

export const NOTHING = new Fraction(0n)
export const ONE = new Fraction(1n)
