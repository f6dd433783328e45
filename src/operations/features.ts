import { parseTextCursor } from '../domain/cursor.ts'
import type { OutagePolicy } from '../domain/entitlement.ts'
import { parseFeature, parsePlanRef } from '../domain/ids.ts'
import { TollgateError } from '../errors.ts'
import type { ListedFeature } from '../storage/features.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { type Listed, listed, type ListRequest } from './listed.ts'
import { present } from './time.ts'

const LIST = 'features'

export interface FeatureList extends ListRequest {
  /** `plan:pro@1`: only what this plan has; undefined: all */
  readonly plan: string | undefined
}

/** Every feature that a plan ever named, by name. */
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
