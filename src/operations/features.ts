import { parseTextCursor } from '../domain/cursor.ts'
import type { FeatureType, OutagePolicy } from '../domain/entitlement.ts'
import { parseFeature, parsePlanRef } from '../domain/ids.ts'
import { checkProperties, checkStorable } from '../domain/properties.ts'
import { TollgateError } from '../errors.ts'
import type { FeatureLabels, ListedFeature } from '../storage/features.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { type Listed, listed, type ListRequest } from './listed.ts'
import { present } from './time.ts'

const LIST = 'features'
const TEXT_MAX = 240
const TEXTS = ['title', 'unitLabel', 'unitLabelPlural'] as const

export interface FeatureList extends ListRequest {
  /** `plan:pro@1`: only what this plan has; undefined: all */
  readonly plan: string | undefined
}

/** Every feature that was made by itself, or that a plan ever named, by name. */
export async function listFeatures (
  { features }: Stores, { environment, plan, cursor, countMax }: FeatureList
): Promise<Listed<ListedFeature>> {
  const of = plan === undefined ? undefined : parsePlanRef(plan, '?plan')
  const [after = null] = cursor === undefined ? [] : parseTextCursor(cursor, LIST, 1)
  return listed(LIST, await available(features.list(environment, of, after, countMax)))
}

/** @throws TollgateError `not_found` */
export async function readFeature ({ features }: Stores, environment: string, text: string): Promise<ListedFeature> {
  const name = parseFeature(text, '?feature')
  const feature = await available(features.find(environment, name))
  if (feature === undefined) throw featureNotFound(name)
  return feature
}

/**
 * Says what is answered of a feature while the ledger cannot be asked: here at once, in other replicas at most 5 s later. A
 * test clock has its parent's features, so there it is said for both.
 * @throws TollgateError `not_found`
 */
export async function putOutagePolicy (stores: Stores, environment: string, text: string, onOutage: OutagePolicy): Promise<ListedFeature> {
  const name = parseFeature(text, '?feature')
  if (!await available(stores.features.putOutagePolicy(environment, name, onOutage))) throw featureNotFound(name)
  const { parent } = (await present(stores, environment)).environment
  await available(stores.environments.renew(parent ?? environment))
  return await readFeature(stores, environment, text)
}

function featureNotFound (name: string): TollgateError {
  return new TollgateError('not_found', `there is no ${name}`, { pointer: '?feature' })
}

/** What people see of those that there are, by name. */
export async function labelsOf (
  { features }: Stores, environment: string, names: readonly string[]
): Promise<ReadonlyMap<string, FeatureLabels>> {
  return await available(features.labels(environment, names))
}

/**
 * Makes a feature that no plan names as yet.
 * @throws TollgateError `invalid_request`; `feature_conflict` if there is one of that id
 */
export async function createFeature (
  stores: Stores, environment: string, text: string, type: FeatureType, labels: Partial<FeatureLabels>
): Promise<ListedFeature> {
  const name = parseFeature(text)
  const checked = { title: null, unitLabel: null, unitLabelPlural: null, metadata: {}, ...checkedLabels(labels, type) }
  if (!await available(stores.features.add(environment, { name, type, ...checked }))) {
    throw new TollgateError('feature_conflict', `there is ${name} already`, { pointer: '/feature' })
  }
  return await readFeature(stores, environment, name)
}

/**
 * Changes how a feature is shown; undefined leaves what there is. Plans that name it, published or not, show it so at once.
 * @throws TollgateError `not_found`, `invalid_request`
 */
export async function changeFeature (
  stores: Stores, environment: string, text: string, labels: Partial<FeatureLabels>
): Promise<ListedFeature> {
  const { name, type } = await readFeature(stores, environment, text)
  const checked = checkedLabels(labels, type)
  if (Object.keys(checked).length > 0) await available(stores.features.change(environment, name, checked))
  return await readFeature(stores, environment, name)
}

function checkedLabels (labels: Partial<FeatureLabels>, type: FeatureType | null): Partial<FeatureLabels> {
  for (const member of TEXTS) {
    const text = labels[member] ?? ''
    checkStorable(text, `/${member}`)
    if (text.length > TEXT_MAX) throw new TollgateError('invalid_request', `${member} must be at most ${TEXT_MAX} characters`, { pointer: `/${member}` })
  }
  if (type === 'boolean' && (labels.unitLabel || labels.unitLabelPlural)) {
    throw new TollgateError('invalid_request', 'unit labels are for features with amounts', { pointer: '/unitLabel' })
  }
  if (labels.metadata !== undefined) checkProperties(labels.metadata, '/metadata')
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== undefined))
}
