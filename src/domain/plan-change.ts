import type { PlanRef } from './ids.ts'
import { type Plan, planDocument, type PlanFeature } from './plan.ts'

/** One thing that two versions of a plan say differently; undefined: one of them does not say it. */
export interface TermChange {
  readonly term: string
  readonly before: unknown
  readonly after: unknown
}

export interface FeatureChange {
  readonly feature: string
  readonly change: 'added' | 'removed' | 'changed'
  readonly terms: readonly TermChange[]
}

export interface PlanChange {
  readonly terms: readonly TermChange[]
  /** By name. */
  readonly features: readonly FeatureChange[]
}

const WHOLE_NUMBER = /^\d+$/

/** The order of versions, as Tier's `pullLatest` has it: 10 comes after 9; what is no number is ordered as words are. */
export function compareVersions (a: string, b: string): number {
  if (!WHOLE_NUMBER.test(a) || !WHOLE_NUMBER.test(b)) return a.localeCompare(b, 'en')
  const [left, right] = [BigInt(a), BigInt(b)]
  return left < right ? -1 : Number(left > right)
}

/** Of all versions of a plan, the newest that is older than `ref`. */
export function newestEarlier (ref: PlanRef, plans: readonly Plan[]): Plan | undefined {
  return plans
    .filter(plan => plan.ref.name === ref.name && compareVersions(plan.ref.version, ref.version) < 0)
    .sort((a, b) => compareVersions(b.ref.version, a.ref.version))[0]
}

/** Would both be pulled as the same text? */
export function isSamePlan (a: Plan, b: Plan): boolean {
  return JSON.stringify(planDocument([a])) === JSON.stringify(planDocument([b]))
}

/** What it means for an org to hold `after` in place of `before`. Titles do not count. */
export function planChange (before: Plan, after: Plan): PlanChange {
  const names = new Set([...before.features, ...after.features].map(({ feature }) => feature))
  const named = ({ features }: Plan, name: string): PlanFeature | undefined => features.find(({ feature }) => feature === name)
  return {
    terms: differences(planTerms(before), planTerms(after)),
    features: [...names].sort().flatMap(name => featureChange(name, named(before, name), named(after, name)))
  }
}

function featureChange (feature: string, before: PlanFeature | undefined, after: PlanFeature | undefined): FeatureChange[] {
  const terms = differences(before && featureTerms(before), after && featureTerms(after))
  if (terms.length === 0) return []
  return [{ feature, change: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed', terms }]
}

type Terms = Readonly<Record<string, unknown>>

function planTerms ({ currency, interval, addon, anchor }: Plan): Terms {
  return { currency, interval, addon, anchor }
}

/** The last `upto` is the limit, so it is not said twice. Of a boolean feature most goes without saying. */
function featureTerms ({ type, limit, reset, overage, aggregate, combine, price }: PlanFeature): Terms {
  const { base, mode, tiers, divide } = price
  const rates = tiers.map(({ upto, price, base }, i) => ({
    ...(upto !== null && i < tiers.length - 1 && { upto }), ...(price !== 0 && { price }), ...(base !== 0 && { base })
  }))
  return {
    type,
    ...(type === 'metered' && { limit, reset, overage, aggregate, combine }),
    ...(base !== 0 && { base }),
    ...(rates.some(rate => Object.keys(rate).length > 0) && { tiers: rates, mode }),
    ...(divide !== undefined && { divide: { by: divide.by, rounding: divide.rounding ?? 'down' } })
  }
}

function differences (before: Terms = {}, after: Terms = {}): TermChange[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter(term => textOf(before[term]) !== textOf(after[term]))
    .map(term => ({ term, before: before[term], after: after[term] }))
}

/** Equal for equal terms: limits are bigints, prices objects with their members in one order. */
function textOf (value: unknown): string {
  return typeof value === 'bigint' ? `${value}n` : JSON.stringify(value) ?? ''
}
