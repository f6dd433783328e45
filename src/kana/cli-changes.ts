import type { FeatureType } from '../domain/entitlement.ts'
import { createDraft, listPlans, publishPlan, putDraft } from '../operations/drafts.ts'
import { changeFeature, createFeature, listFeatures } from '../operations/features.ts'
import { putAddons, readAddons } from '../operations/plan-sales.ts'
import type { CatalogPlan } from '../storage/catalog.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { all } from './caller.ts'
import { type CliFile, documentOf, type FilePlan, saysTheSame, shownPlan } from './cli-file.ts'
import { checked, featureIdOf, looked, packageIdOf } from './names.ts'
import { FEATURE_TYPES, typeOf } from './values.ts'

/** What publishing a file would do, or why it cannot. */
export interface CliChange {
  readonly kind: 'change' | 'warning' | 'error'
  readonly text: string
  readonly apply?: () => Promise<unknown>
}

interface Known {
  readonly features: ReadonlyMap<string, { readonly type: FeatureType, readonly title: string | null }>
  readonly plans: ReadonlyMap<string, CatalogPlan>
}

/** The configuration as Kana's command line pulls it: no archived packages. */
export async function configuration (stores: Stores, environment: string): Promise<object> {
  const { features, plans } = await known(stores, environment)
  const bases = await basesOf(stores, plans)
  const shown = (addon: boolean, status: CatalogPlan['status']): object[] => [...plans.values()]
    .filter(({ plan, status: own }) => plan.addon === addon && own === status).map(({ plan, key }) => shownPlan(plan, bases.get(key) ?? []))
  return {
    app: environment,
    version: 1,
    features: [...features].map(([id, { type, title }]) => ({ id, name: title || id, type: FEATURE_TYPES[type] })),
    packages: { draft: shown(false, 'draft'), published: shown(false, 'published') },
    addons: { draft: shown(true, 'draft'), published: shown(true, 'published') }
  }
}

/** In the order in which they have to be made. What is already as the file says is no change. */
export async function changesOf (stores: Stores, environment: string, file: CliFile): Promise<CliChange[]> {
  const { features, plans } = await known(stores, environment)
  const types = new Map([...features].map(([id, { type }]) => [id, type]))
  for (const { id, type } of file.features) if (!types.has(id)) types.set(id, type)
  const ofFeatures = file.features.map(({ id, name, type }) => judged(() => {
    const feature = checked.feature(id)
    const stored = features.get(id)
    if (stored === undefined) {
      return change(`Feature "${id}" will be created.`, async () => await createFeature(stores, environment, feature, type, { title: name ?? null }))
    }
    if (stored.type !== type) return error(`Feature "${id}" is ${FEATURE_TYPES[stored.type]}: its type cannot change.`)
    if (name === undefined || name === (stored.title || id)) return undefined
    return change(`Feature "${id}" will be called "${name}".`, async () => await changeFeature(stores, environment, feature, { title: name }))
  }))
  const ofPlans = file.plans.map(plan => judged(() => {
    const text = checked.package(plan.id)
    const unknown = plan.features.find(({ id }) => !types.has(id))
    if (unknown !== undefined) return error(`Package "${plan.id}" has the feature "${unknown.id}", which there is not.`)
    if (new Set(plan.features.map(({ id }) => id)).size < plan.features.length) return error(`Package "${plan.id}" has a feature twice.`)
    if (plan.features.length === 0) return error(`Package "${plan.id}" has no features.`)
    return planChange(stores, environment, text, plan, plans.get(plan.id), id => types.get(id) ?? 'metered')
  }))
  const ofBases = await Promise.all(file.plans.flatMap(({ id, bases = [] }) =>
    bases.map(async base => await baseChange(stores, environment, id, base, plans, file))))
  return [...ofFeatures, ...ofPlans, ...ofBases].filter(change => change !== undefined)
}

function planChange (
  stores: Stores, environment: string, text: string, plan: FilePlan, stored: CatalogPlan | undefined,
  typeOf: (feature: string) => FeatureType
): CliChange | undefined {
  const { id, published, addon, name } = plan
  const document = documentOf(plan, typeOf)
  const publish = async (): Promise<unknown> => published ? await publishPlan(stores, environment, text) : undefined
  if (stored === undefined) {
    return change(`Package "${id}" will be ${published ? 'created and published' : 'created as a draft'}.`, async () => {
      await createDraft(stores, environment, { plans: { [text]: document } })
      await publish()
    })
  }
  if (stored.status === 'archived') return error(`Package "${id}" is archived.`)
  if (stored.plan.addon !== addon) return error(`Package "${id}" is ${addon ? 'no' : 'an'} add-on: that cannot change.`)
  const same = saysTheSame(plan, stored.plan)
  if (stored.status === 'published') {
    if (!published) return error(`Package "${id}" is published: it cannot become a draft again.`)
    if (!same) return error(`Package "${id}" is published, and never changes: give the new one another id.`)
    if (name === undefined || name === stored.plan.title) return undefined
    return warning(`Package "${id}" is published, and keeps its name "${stored.plan.title}".`)
  }
  const changed = !same || (name !== undefined && name !== stored.plan.title)
  if (!changed && !published) return undefined
  const what = [...(changed ? ['changed'] : []), ...(published ? ['published'] : [])].join(' and ')
  return change(`Package "${id}" will be ${what}.`, async () => {
    if (changed) await putDraft(stores, environment, text, document)
    await publish()
  })
}

async function baseChange (
  stores: Stores, environment: string, addon: string, base: string, plans: Known['plans'], file: CliFile
): Promise<CliChange | undefined> {
  const stored = plans.get(base)
  const isBase = stored === undefined ? file.plans.some(({ id, addon }) => id === base && !addon) : !stored.plan.addon
  if (!isBase) return error(`Add-on "${addon}" is for "${base}", and there is no such package.`)
  // What is no id was said of the package itself.
  const texts = { base: looked.package(base), addon: looked.package(addon) }
  const named = stored === undefined ? [] : await readAddons(stores, environment, texts.base)
  if (named.includes(texts.addon)) return undefined
  return change(`Package "${addon}" may be taken on top of "${base}".`, async () =>
    await putAddons(stores, environment, texts.base, [...new Set([...await readAddons(stores, environment, texts.base), texts.addon])]))
}

async function known (stores: Stores, environment: string): Promise<Known> {
  const features = await all(async (cursor, countMax) => await listFeatures(stores, { environment, plan: undefined, cursor, countMax }))
  const plans = await all(async (cursor, countMax) => await listPlans(stores, {
    environment, status: undefined, name: undefined, feature: undefined, addon: undefined, cursor, countMax
  }))
  return {
    features: new Map(features.map(feature => [featureIdOf(feature.name), { type: typeOf(feature), title: feature.title }])),
    plans: new Map(plans.map(plan => [packageIdOf(plan.plan.ref), plan]))
  }
}

/** By the key of an add-on: the packages that name it. */
async function basesOf ({ planSales }: Stores, plans: Known['plans']): Promise<Map<number, string[]>> {
  const ids = new Map([...plans].map(([id, { key }]) => [key, id]))
  const addons = [...plans.values()].filter(({ plan }) => plan.addon).map(({ key }) => key)
  const found = await available(planSales.basesOf(addons))
  return new Map([...found].map(([addon, bases]) => [addon, bases.flatMap(base => ids.get(base) ?? []).sort()]))
}

/** An id that cannot be one is a line of its own. */
function judged (judge: () => CliChange | undefined): CliChange | undefined {
  try {
    return judge()
  } catch (thrown) {
    return error((thrown as Error).message)
  }
}

const change = (text: string, apply: () => Promise<unknown>): CliChange => ({ kind: 'change', text, apply })
const warning = (text: string): CliChange => ({ kind: 'warning', text })
const error = (text: string): CliChange => ({ kind: 'error', text })
