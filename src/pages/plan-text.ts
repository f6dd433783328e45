import { type Amount, amountText } from '../domain/amount.ts'
import { resetOf, type Interval, type PlanFeature, type Price, type Tier } from '../domain/plan.ts'

/** What a plan says, in English: shown to people, never computed with. */

const LOCALE = 'en'
/** A tier's price has up to 12 decimals in minor units. */
const PRICE_DECIMALS_MAX = 12
const count = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 9 })
const formats = new Map<string, { readonly format: Intl.NumberFormat, readonly minorDigits: number }>()

/** @param minor in minor units: cents, where the currency has any @param currency three letters, of which there are not many */
export function moneyText (minor: number, currency: string): string {
  const { format, minorDigits } = formats.get(currency) ?? formatOf(currency)
  return format.format(minor / 10 ** minorDigits)
}

function formatOf (currency: string): { readonly format: Intl.NumberFormat, readonly minorDigits: number } {
  const style = { style: 'currency', currency } as const
  const minorDigits = new Intl.NumberFormat(LOCALE, style).resolvedOptions().maximumFractionDigits ?? 2
  const format = new Intl.NumberFormat(LOCALE, {
    ...style, maximumFractionDigits: minorDigits + PRICE_DECIMALS_MAX, trailingZeroDisplay: 'stripIfInteger'
  })
  formats.set(currency, { format, minorDigits })
  return { format, minorDigits }
}

export function amountWords (amount: Amount): string {
  return count.format(amountText(amount) as Intl.StringNumericLiteral)
}

/** `1,000 per month`, `Unlimited`; a boolean feature has no limit to speak of. */
export function limitText ({ type, limit, reset, overage }: PlanFeature): string {
  if (type === 'boolean') return 'Included'
  if (limit === null) return 'Unlimited'
  return `${overage ? '' : 'Up to '}${amountWords(limit)}${reset === 'never' ? '' : ` per ${reset}`}${overage ? ', then more' : ''}`
}

export function intervalText (interval: Interval): string {
  return `per ${resetOf[interval]}`
}

/** What is due whatever is used: the sum of what each feature costs per interval. */
export function fixedPrice (features: readonly PlanFeature[]): number {
  return features.reduce((sum, { price }) => sum + price.base, 0)
}

export function hasUsagePrice (features: readonly PlanFeature[]): boolean {
  return features.some(({ price: { tiers } }) => tiers.some(isCharged))
}

function isCharged ({ price, base }: Tier): boolean {
  return price > 0 || base > 0
}

/** `€0.02 each`; null where nothing is charged, or it takes a table to say what. */
export function rateText ({ tiers, divide }: Price, currency: string): string | null {
  const [tier] = tiers
  if (tier === undefined || tiers.length > 1 || !isCharged(tier)) return null
  const unit = divide === undefined ? 'each' : `per ${count.format(divide.by)}`
  const rate = tier.price > 0 ? [`${moneyText(tier.price, currency)} ${unit}`] : []
  return [...rate, ...(tier.base > 0 ? [`${moneyText(tier.base, currency)} once used`] : [])].join(' and ')
}

export interface TierRow {
  /** `1,001 to 5,000` */
  readonly units: string
  readonly price: string
  /** Charged once the tier is reached; null: none. */
  readonly base: string | null
}

/** None where nothing is charged, or `rateText` says it all. */
export function tierRows ({ tiers }: Price, currency: string): TierRow[] {
  if (tiers.length < 2 || !tiers.some(isCharged)) return []
  return tiers.map(({ upto, price, base }, i) => {
    const from = count.format((tiers[i - 1]?.upto ?? 0) + 1)
    return {
      units: upto === null ? `${from} and more` : `${from} to ${count.format(upto)}`,
      price: price > 0 ? moneyText(price, currency) : 'free',
      base: base > 0 ? moneyText(base, currency) : null
    }
  })
}

/** How the rows of tiers are meant. */
export function tierNote ({ mode, divide }: Price): string {
  const meant = mode === 'volume' ? 'All units are charged at the price of the tier that is reached.' : 'Each unit is charged at the price of its own tier.'
  if (divide === undefined) return meant
  return `${meant} Sold by ${count.format(divide.by)}; a part of that is ${divide.rounding === 'up' ? 'charged as a whole' : 'free'}.`
}
