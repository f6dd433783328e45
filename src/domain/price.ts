import { type Amount, amountOf, DECIMALS_MAX } from './amount.ts'
import { decimalOf, decimalText } from './decimal.ts'
import { type Divide, type Price, priceDecimalsMax, type Tier } from './plan.ts'

/** Exact: units of 10^-21 of a currency's minor unit. An amount has 9 decimals and a price 12, so their product is one. */
export type Money = bigint

const MONEY_DECIMALS = DECIMALS_MAX + priceDecimalsMax
const MINOR_UNIT: Money = 10n ** BigInt(MONEY_DECIMALS)

/** What one tier adds to a charge. */
export interface TierCharge {
  readonly tier: Tier
  /** Units that are billed at its price. */
  readonly quantity: Amount
  /** How many packs they make, a whole number; null where units are billed one by one. */
  readonly packs: bigint | null
  readonly amount: Money
}

export interface Charge {
  /** Those that were reached, in order; for volume the one that holds the total; none where nothing is metered. */
  readonly tiers: readonly TierCharge[]
  readonly amount: Money
}

/** Units of one tier: the half-open stretch of usage that it prices. */
interface Share {
  readonly tier: Tier
  readonly quantity: Amount
}

/**
 * What a quantity costs, exactly; parts of a unit cost their part. The first tier is reached before anything is used,
 * so its base is what a window costs in any case; each further one by the first part of a unit in it. The last tier also
 * prices what lies beyond its bound: limits do not change prices.
 * @param quantity not negative; without tiers it does not matter
 */
export function charge ({ mode, base, tiers, divide }: Price, quantity: Amount): Charge {
  if (tiers.length === 0) return { tiers: [], amount: moneyOf(base) }
  const shares = mode === 'volume' ? [wholeShare(tiers, quantity)] : sharesOf(tiers, quantity)
  const charges = shares.map(share => tierCharge(share, divide))
  return { tiers: charges, amount: charges.reduce((sum, { amount }) => sum + amount, 0n) }
}

function sharesOf (tiers: readonly Tier[], quantity: Amount): Share[] {
  const shares: Share[] = []
  let below = 0n
  for (const [i, tier] of tiers.entries()) {
    if (i > 0 && quantity <= below) break
    const bound = boundOf(tiers, i)
    const end = bound === null || quantity < bound ? quantity : bound
    shares.push({ tier, quantity: end - below })
    below = end
  }
  return shares
}

/** All units at the price of the tier that holds the total. */
function wholeShare (tiers: readonly Tier[], quantity: Amount): Share {
  const at = tiers.findIndex((_, i) => {
    const bound = boundOf(tiers, i)
    return bound === null || quantity <= bound
  })
  return { tier: tiers[at] as Tier, quantity }
}

/** Null: the tier is the last, and so without end. */
function boundOf (tiers: readonly Tier[], i: number): Amount | null {
  const upto = i === tiers.length - 1 ? null : tiers[i]?.upto ?? null
  return upto === null ? null : amountOf(upto)
}

function tierCharge ({ tier, quantity }: Share, divide: Divide | undefined): TierCharge {
  const packs = divide === undefined ? null : packsIn(quantity, divide)
  const billed = packs === null ? quantity : amountOf(packs)
  return { tier, quantity, packs, amount: billed * priceOf(tier.price) + moneyOf(tier.base) }
}

function packsIn (quantity: Amount, { by, rounding }: Divide): bigint {
  const pack = amountOf(by)
  return rounding === 'up' ? (quantity + pack - 1n) / pack : quantity / pack
}

/** In units of 10^-12 of a minor unit. */
function priceOf (price: number): bigint {
  const { digits, decimals } = decimalOf(price)
  return digits * 10n ** BigInt(priceDecimalsMax - decimals)
}

/** @param minorUnits as a plan has it: not negative, at most 12 decimals */
export function moneyOf (minorUnits: number): Money {
  return priceOf(minorUnits) * 10n ** BigInt(DECIMALS_MAX)
}

/** Plain digits of minor units. */
export function moneyText (money: Money): string {
  return decimalText(money, MONEY_DECIMALS)
}

/** Whole minor units, half a unit up. @param money not negative */
export function minorUnits (money: Money): bigint {
  return (money + MINOR_UNIT / 2n) / MINOR_UNIT
}
