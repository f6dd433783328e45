import { floorAmount } from '../domain/amount.ts'
import type { Reset } from '../domain/entitlement.ts'
import { planText } from '../domain/ids.ts'
import type { PlanFeature, PlanStatus } from '../domain/plan.ts'
import type { PlanPrice } from '../domain/plan-price.ts'
import { TollgateError } from '../errors.ts'
import { createDraft, listPlans, readPlan } from '../operations/drafts.ts'
import { readFeature } from '../operations/features.ts'
import { putPlanMetadata } from '../operations/plan-sales.ts'
import type { CatalogPlan } from '../storage/catalog.ts'
import { all, type Caller } from './caller.ts'
import { failure, noSuch } from './failures.ts'
import { checked, featureIdOf, looked, packageIdOf, sought } from './names.ts'
import { FEATURE_TYPES, metadataOf, typeOf, wholeInt } from './values.ts'

type KanaStatus = 'ARCHIVED' | 'DRAFT' | 'PUBLISHED'
type KanaReset = 'YEAR' | 'MONTH' | 'DAY'

const STATUSES: Readonly<Record<PlanStatus, KanaStatus>> = { archived: 'ARCHIVED', draft: 'DRAFT', published: 'PUBLISHED' }
const WANTED: ReadonlyMap<string, PlanStatus | undefined> =
  new Map([['ALL', undefined], ['ARCHIVED', 'archived'], ['DRAFT', 'draft'], ['PUBLISHED', 'published']])
const RESETS: { readonly [Ours in Reset]?: KanaReset } = { year: 'YEAR', month: 'MONTH', day: 'DAY' }
const OUR_RESETS = { YEAR: 'year', MONTH: 'month', DAY: 'day' } as const
const FEATURES_MAX = 500

interface NewPackage {
  readonly id: string
  readonly name?: string | null
  readonly isAddon?: boolean | null
  readonly features: readonly NewPackageFeature[]
  readonly metadata?: unknown
}

interface NewPackageFeature {
  readonly id: string
  readonly entitlement?: SentEntitlement | null
}

interface SentEntitlement {
  readonly limit?: number | null
  readonly resetPeriod: KanaReset
  readonly overageEnabled?: boolean | null
}

export const packages = {
  package: async ({ id }: { id: string }, caller: Caller) => {
    caller.allow('read')
    return packageOf(await sought(caller.plan.load(looked.package(id)), noSuch.package))
  },

  packages: async ({ status }: { status?: string | null }, caller: Caller) => {
    caller.allow('read')
    return await listed(status ?? 'PUBLISHED', caller)
  },

  plans: async (_none: object, caller: Caller) => {
    caller.allow('read')
    return await listed('PUBLISHED', caller)
  },

  /** Always a draft: publishing is the dashboard's. */
  createPackage: async ({ input }: { input: NewPackage }, caller: Caller) => {
    caller.allow('admin')
    const { stores, environment } = caller
    const id = checked.package(input.id)
    const document = { plans: { [id]: await documentOf(input, caller) } }
    try {
      return packageOf(await createDraft(stores, environment, document, metadataOf(input.metadata)))
    } catch (error) {
      throw error instanceof TollgateError && error.code === 'plan_conflict' ? failure('Package Id already exists for app') : error
    }
  },

  updatePackage: async ({ id, input: { metadata } }: { id: string, input: { metadata?: unknown } }, caller: Caller) => {
    caller.allow('admin')
    const { stores, environment } = caller
    const known = await sought(readPlan(stores, environment, looked.package(id)), noSuch.package)
    if (metadata === undefined) return packageOf(known)
    return packageOf(await putPlanMetadata(stores, environment, planText(known.plan.ref), metadataOf(metadata)))
  }
}

async function listed (status: string, { stores, environment }: Caller) {
  if (!WANTED.has(status)) throw failure(`status must be one of ${[...WANTED.keys()].join(', ')}`)
  const plans = await all(async (cursor, countMax) => await listPlans(stores, {
    environment, status: WANTED.get(status), name: undefined, feature: undefined, addon: undefined, cursor, countMax
  }))
  return plans.map(packageOf)
}

/** As it would be pushed. The highest limit wins, of add-ons as well: Kana does not add up. */
async function documentOf ({ name, isAddon, features }: NewPackage, caller: Caller): Promise<object> {
  if (features.length === 0) throw failure('A package must have at least one feature.')
  if (features.length > FEATURES_MAX) throw failure(`A package may have at most ${FEATURES_MAX} features.`)
  const ids = features.map(({ id }) => id)
  const twice = ids.find((id, i) => ids.indexOf(id) !== i)
  if (twice !== undefined) throw failure(`The feature ${twice} is listed twice.`)
  const entries = await Promise.all(features.map(async ({ id, entitlement }) => {
    const known = await sought(readFeature(caller.stores, caller.environment, looked.feature(id)), noSuch.feature)
    return [known.name, typeOf(known) === 'boolean' ? { type: 'boolean' } : metered(id, entitlement ?? {})] as const
  }))
  return { ...(name && { title: name }), addon: isAddon ?? false, features: Object.fromEntries(entries) }
}

function metered (id: string, { limit = null, resetPeriod = 'MONTH', overageEnabled }: Partial<SentEntitlement>): object {
  if (limit !== null && limit < 0) throw failure(`The limit of ${id} must not be negative.`)
  const amount = limit === null ? { type: 'metered' } : limit === 0 ? { limit } : { tiers: [{ upto: limit }] }
  return { ...amount, reset: OUR_RESETS[resetPeriod], overage: overageEnabled ?? false, combine: 'highest' }
}

export function packageOf ({ plan, status, metadata, prices, updatedAt }: CatalogPlan) {
  return {
    id: packageIdOf(plan.ref),
    name: plan.title,
    isAddon: plan.addon,
    status: STATUSES[status],
    updatedAt: new Date(updatedAt).toISOString(),
    metadata,
    features: plan.features.map(packageFeature),
    prices: prices.map(shownPrice)
  }
}

/** Its name and labels are the feature's, and change with it. */
function packageFeature ({ feature, type, limit, reset, overage }: PlanFeature) {
  const id = featureIdOf(feature)
  const counted = type === 'metered'
  return {
    id,
    name: async (_none: object, { labels }: Caller) => (await labels.load(feature))?.title || id,
    type: FEATURE_TYPES[type],
    limit: counted && limit !== null ? String(wholeInt(floorAmount(limit))) : null,
    unitLabel: async (_none: object, { labels }: Caller) => counted ? (await labels.load(feature))?.unitLabel : null,
    unitLabelPlural: async (_none: object, { labels }: Caller) => counted ? (await labels.load(feature))?.unitLabelPlural : null,
    metadata: async (_none: object, { labels }: Caller) => (await labels.load(feature))?.metadata ?? {},
    resetPeriod: counted ? RESETS[reset] ?? null : null,
    overageEnabled: counted ? overage : null
  }
}

function shownPrice ({ provider, id, amount, currency, interval }: PlanPrice) {
  const decimals = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
  return { id, provider, amount, displayAmount: (amount / 10 ** decimals).toFixed(decimals), currency, interval }
}
