import { parseTextCursor } from '../domain/cursor.ts'
import { parseFeature, parsePlanRef } from '../domain/ids.ts'
import { TollgateError } from '../errors.ts'
import type { ListedFeature } from '../storage/features.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { type Listed, listed, type ListRequest } from './listed.ts'

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
  if (feature === undefined) throw new TollgateError('not_found', `there is no ${name}`, { pointer: '?feature' })
  return feature
}
