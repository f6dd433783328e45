import { type Amount, amountOf, WHOLE } from './amount.ts'
import { decimalOf } from './decimal.ts'
import {
  child, choose, type Cursor, isGiven, readCount, readDocument, readFlag, readList, readMap, readMoney, readString, readTitle,
  recognise, report
} from './document.ts'
import type { Aggregate, Combine, Entitlement, FeatureType, Reset } from './entitlement.ts'
import { holdingText, parseFeature, parsePlanRef, planText, type PlanRef } from './ids.ts'

/** `@quarterly` is in Tier's documents, though not in its code. */
export type Interval = '@daily' | '@weekly' | '@monthly' | '@quarterly' | '@yearly'
export type PriceMode = 'graduated' | 'volume'

/** Money is in minor units of the plan's currency, as JSON numbers, as sent: it is shown and billed, never counted. */
export interface Tier {
  /** A whole number of units from 1 to 10^15-1; null in a last tier without end. */
  readonly upto: number | null
  /** Per unit; at most 12 decimals, as Stripe takes it. */
  readonly price: number
  /** A whole number, charged once the tier is reached. */
  readonly base: number
}

export interface Price {
  /** `graduated` also where there is nothing to choose: no tiers, or one without a base. */
  readonly mode: PriceMode
  /** Per interval, in advance; at most 12 decimals; 0 with tiers. */
  readonly base: number
  readonly tiers: readonly Tier[]
  readonly divide?: Divide
}

/** The units of a tier are billed in packs of `by`, a whole number from 1; a pack that is not full is free unless `rounding` is up. */
export interface Divide {
  readonly by: number
  readonly rounding?: 'up' | 'down'
}

export interface PlanFeature extends Entitlement {
  readonly title: string
  readonly price: Price
}

/** A draft may be changed, and is held by nobody. A published plan never changes; archived, it takes no new subscription. */
export type PlanStatus = 'draft' | 'published' | 'archived'

export interface Plan {
  readonly ref: PlanRef
  readonly title: string
  /** An ISO 4217 code in lower case. */
  readonly currency: string
  readonly interval: Interval
  readonly addon: boolean
  readonly anchor: 'subscription' | 'calendar'
  /** At least one, each name once, in order of their names. */
  readonly features: readonly PlanFeature[]
}

export type ParsedPlan =
  | { readonly ref: PlanRef, readonly ok: true, readonly plan: Plan }
  /** Well formed, but not a plan that can be: Tier reports `reason` once for each of `features`, in a 200. */
  | { readonly ref: PlanRef, readonly ok: false, readonly features: readonly string[], readonly reason: string }

/** In the order of the document. */
export type ParsedPlans = readonly ParsedPlan[]

export const plansMax = 1000
export const featuresMax = 500
export const tiersMax = 100
const titleMax = 240
const uptoMax = 1e15 - 1
export const priceDecimalsMax = 12
const CURRENCY = /^[a-z]{3}$/

/** How long an interval is, as windows have it. */
export const resetOf = { '@daily': 'day', '@weekly': 'week', '@monthly': 'month', '@quarterly': 'quarter', '@yearly': 'year' } as const
const intervals = Object.keys(resetOf) as Interval[]
export const RESETS: readonly Reset[] = ['hour', 'day', 'week', 'month', 'quarter', 'year', 'never']
const aggregates: readonly Aggregate[] = ['sum', 'count', 'max', 'last', 'perpetual']
const modes: readonly PriceMode[] = ['graduated', 'volume']
const tierMembers = ['upto', 'price', 'base']
const planMembers = ['title', 'currency', 'interval', 'features', 'addon', 'anchor']
const featureMembers = ['title', 'base', 'tiers', 'limit', 'mode', 'aggregate', 'divide', 'type', 'reset', 'overage', 'combine']

/**
 * Reads the body of a push: whatever is malformed refuses the whole, in Tier's words where Tier has some.
 * @throws TollgateError `invalid_request` with up to 100 problems
 */
export function parsePlans (document: unknown): ParsedPlans {
  return readDocument(document, ['plans'], top => readMap(child(top, 'plans'), plansMax, parsePlanRef, planMembers, readPlan))
}

/** The same of what a document says of one plan. */
export function parsePlan (ref: PlanRef, document: unknown): ParsedPlan {
  return readDocument(document, planMembers, top => readPlan(top, ref))
}

function readPlan (at: Cursor, ref: PlanRef): ParsedPlan {
  const map = child(at, 'features')
  const head = {
    ref,
    title: readTitle(at, titleMax, planText(ref)),
    currency: readCurrency(at),
    interval: recognise(at, 'interval', intervals, '@monthly'),
    addon: readFlag(at, 'addon'),
    anchor: choose(at, 'anchor', ['subscription', 'calendar'], 'subscription')
  } as const
  if (Object.keys(map.members).length === 0) report(at, 'features', 'plans must have at least one feature')
  const features = readMap(map, featuresMax, parseFeature, featureMembers, (at, name) => readFeature(at, name, head)).sort(byFeature)
  const [reason] = at.refusals
  if (reason === undefined) return { ref, ok: true, plan: { ...head, features } }
  return { ref, ok: false, features: features.map(({ feature }) => feature), reason }
}

function readCurrency (at: Cursor): string {
  const currency = readString(at, 'currency') || 'usd'
  if (!CURRENCY.test(currency)) report(at, 'currency', 'currency must be an ISO 4217 code in lower case')
  return currency
}

function readFeature (at: Cursor, feature: string, plan: Omit<Plan, 'features'>): PlanFeature {
  const tiers = readTiers(at)
  const last = tiers.at(-1)
  const type = readType(at, last === undefined && !isGiven(at, 'limit') ? 'boolean' : 'metered')
  const aggregate = recognise(at, 'aggregate', aggregates, 'sum')
  return {
    feature,
    title: readTitle(at, titleMax, holdingText({ plan: plan.ref, feature })),
    type,
    limit: readLimit(at, last),
    overage: readFlag(at, 'overage'),
    reset: readReset(at, type, aggregate, plan.interval),
    aggregate,
    combine: choose(at, 'combine', ['highest', 'sum'], combineDefault(plan)),
    price: readPrice(at, tiers)
  }
}

/** Tier has limits as the ends of tiers only, of which none ends at 0. */
function readLimit (at: Cursor, last: Tier | undefined): Amount | null {
  const limit = at.members.limit === 0 ? 0 : readCount(at, 'limit', uptoMax)
  if (limit !== null && last !== undefined) report(at, 'limit', 'limit is for features without tiers; the last upto is the limit')
  const whole = last === undefined ? limit : last.upto
  return whole === null ? null : amountOf(whole)
}

function readType (at: Cursor, standard: FeatureType): FeatureType {
  const type = choose(at, 'type', ['metered', 'boolean'], standard)
  if (type === 'metered') return type
  if (standard === 'metered') report(at, 'type', 'a boolean feature must not have tiers')
  for (const member of ['reset', 'aggregate', 'overage']) {
    if (isGiven(at, member)) report(at, member, `${member} is for metered features, which have tiers, a limit or "type": "metered"`)
  }
  return type
}

function readReset (at: Cursor, type: FeatureType, aggregate: Aggregate, interval: Interval): Reset {
  const reset = choose(at, 'reset', RESETS, resetDefault(type, aggregate, interval))
  if (aggregate === 'perpetual' && reset !== 'never') report(at, 'reset', 'reset must be never with aggregate perpetual')
  return reset
}

/** Access, and what is counted for ever, never starts anew. */
function resetDefault (type: FeatureType, aggregate: Aggregate, interval: Interval): Reset {
  return type === 'boolean' || aggregate === 'perpetual' ? 'never' : resetOf[interval]
}

function combineDefault (plan: Pick<Plan, 'addon'>): Combine {
  return plan.addon ? 'sum' : 'highest'
}

function readPrice (at: Cursor, tiers: readonly Tier[]): Price {
  const base = readBase(at)
  if (base > 0 && tiers.length > 0) report(at, 'base', 'base must be zero with tiers')
  const mode = recognise(at, 'mode', modes, 'graduated')
  const divide = readDivide(child(at, 'divide', ['by', 'rounding']))
  return { mode: hasOneRate(tiers) ? 'graduated' : mode, base, tiers, ...(divide !== null && { divide }) }
}

/** Stripe, which Tier leaves this to, takes no more decimals here than in tiers. */
function readBase (at: Cursor): number {
  const base = readMoney(at, 'base')
  if (decimalOf(base).decimals > priceDecimalsMax) {
    at.refusals.push(`invalid base: ${base}; base must not exceed ${priceDecimalsMax} decimal places`)
  }
  return base
}

/** Then the mode changes nothing, and Tier does not keep it. */
function hasOneRate (tiers: readonly Tier[]): boolean {
  return tiers.length === 0 || (tiers.length === 1 && tiers[0]?.base === 0)
}

function readDivide (at: Cursor): Divide | null {
  const rounding = choose(at, 'rounding', ['down', 'up'], 'down')
  const by = readCount(at, 'by', Number.MAX_SAFE_INTEGER)
  if (isGiven(at, 'rounding') && !isGiven(at, 'by')) report(at, 'by', 'by must be greater than zero')
  return by === null ? null : { by, ...(rounding === 'up' && { rounding }) }
}

/** That bounds rise, and that only the last may be open, is Stripe's rule: Tier leaves it to Stripe. */
function readTiers (at: Cursor): Tier[] {
  let before = 0
  return readList(at, 'tiers', tiersMax, tierMembers, (tier, last) => {
    const upto = readCount(tier, 'upto', uptoMax)
    if (!last && !isGiven(tier, 'upto')) report(tier, 'upto', 'upto may be omitted in the last tier only')
    if (upto !== null && upto <= before) report(tier, 'upto', 'upto must be greater than in the tier before')
    before = upto ?? before
    return { upto, price: readTierPrice(tier), base: readTierBase(tier) }
  })
}

function readTierPrice (at: Cursor): number {
  const price = readMoney(at, 'price')
  if (decimalOf(price).decimals > priceDecimalsMax) {
    at.refusals.push(`invalid price: ${price.toFixed(priceDecimalsMax + 1)}; tier prices must not exceed ${priceDecimalsMax} decimal places`)
  }
  return price
}

function readTierBase (at: Cursor): number {
  const base = readMoney(at, 'base')
  if (!Number.isInteger(base)) report(at, 'base', 'base must be a whole number')
  return base
}

export type PlansDocument = ReturnType<typeof planDocument>

/** The canonical document, as pull shows it: keys in order, and nothing said that goes without saying. */
export function planDocument (plans: readonly Plan[]) {
  const shown = plans.map(plan => [planText(plan.ref), documentOf(plan)] as const)
  return { plans: Object.fromEntries(shown.sort(([a], [b]) => compare(a, b))) }
}

export function documentOf (plan: Plan) {
  const { title, currency, interval, addon, anchor } = plan
  return {
    title,
    ...(currency !== 'usd' && { currency }),
    ...(interval !== '@monthly' && { interval }),
    ...(addon && { addon }),
    ...(anchor !== 'subscription' && { anchor }),
    features: Object.fromEntries([...plan.features].sort(byFeature).map(item => [item.feature, featureDocument(plan, item)]))
  }
}

function featureDocument (plan: Plan, item: PlanFeature) {
  const { feature, title, type, limit, reset, aggregate, overage, combine, price: { base, mode, tiers, divide } } = item
  return {
    ...(title !== holdingText({ plan: plan.ref, feature }) && { title }),
    ...(base !== 0 && { base }),
    ...(mode !== 'graduated' && { mode }),
    ...(aggregate !== 'sum' && { aggregate }),
    ...(tiers.length > 0 && { tiers: tiers.map(tierDocument) }),
    ...(divide !== undefined && { divide: { by: divide.by, ...(divide.rounding === 'up' && { rounding: divide.rounding }) } }),
    ...(type === 'metered' && tiers.length === 0 && (limit === null ? { type } : { limit: Number(limit / WHOLE) })),
    ...(reset !== resetDefault(type, aggregate, plan.interval) && { reset }),
    ...(overage && { overage }),
    ...(combine !== combineDefault(plan) && { combine })
  }
}

function tierDocument ({ upto, price, base }: Tier) {
  return { ...(upto !== null && { upto }), ...(price !== 0 && { price }), ...(base !== 0 && { base }) }
}

function byFeature (a: PlanFeature, b: PlanFeature): number {
  return compare(a.feature, b.feature)
}

function compare (a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
