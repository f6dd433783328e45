import type { FeatureType } from '../domain/entitlement.ts'
import { changeFeature, createFeature, listFeatures, readFeature } from '../operations/features.ts'
import type { FeatureLabels, ListedFeature } from '../storage/features.ts'
import { all, type Caller } from './caller.ts'
import { failure, noSuch } from './failures.ts'
import { checked, featureIdOf, looked, sought } from './names.ts'
import { packageOf } from './packages.ts'
import { FEATURE_TYPES, type KanaFeatureType, metadataOf, typeOf } from './values.ts'
import { entitlementOf } from './verdicts.ts'

interface Labels {
  readonly name?: string | null
  readonly unitLabel?: string | null
  readonly unitLabelPlural?: string | null
  readonly metadata?: unknown
}

type NewFeature = Labels & { readonly id: string, readonly type: KanaFeatureType }

export const features = {
  feature: async ({ id }: { id: string }, caller: Caller) => {
    caller.allow('read')
    return shown(await sought(readFeature(caller.stores, caller.environment, looked.feature(id)), noSuch.feature))
  },

  features: async (_none: object, caller: Caller) => {
    caller.allow('read')
    const { stores, environment } = caller
    const found = await all(async (cursor, countMax) => await listFeatures(stores, { environment, plan: undefined, cursor, countMax }))
    return found.map(shown)
  },

  /** Without an input as older documents have it: access or not, which needs no type to be said. */
  createFeature: async ({ input, featureIdentifier, name }: OldOrNew, caller: Caller) => {
    caller.allow('admin')
    const { id, type, ...labels } = input ?? { id: featureIdentifier, type: 'BINARY', name } as NewFeature
    if (typeof id !== 'string') throw failure('Field "createFeature" argument "input" of type "CreateFeatureInput!" is required, but it was not provided.')
    const ours: FeatureType = type === 'BINARY' ? 'boolean' : 'metered'
    return shown(await createFeature(caller.stores, caller.environment, checked.feature(id), ours, labelsOf(labels, ours)))
  },

  updateFeature: async ({ id, input }: { id: string, input: Labels }, caller: Caller) => {
    caller.allow('admin')
    const { stores, environment } = caller
    const known = await sought(readFeature(stores, environment, looked.feature(id)), noSuch.feature)
    return shown(await changeFeature(stores, environment, known.name, labelsOf(input, typeOf(known))))
  }
}

interface OldOrNew {
  readonly input?: NewFeature | null
  readonly featureIdentifier?: string | null
  readonly name?: string | null
}

/** Kana has no unit for access or not. */
function labelsOf ({ name, unitLabel, unitLabelPlural, metadata }: Labels, type: FeatureType): Partial<FeatureLabels> {
  return {
    ...(name !== undefined && { title: name }),
    ...(type === 'metered' && unitLabel !== undefined && { unitLabel }),
    ...(type === 'metered' && unitLabelPlural !== undefined && { unitLabelPlural }),
    ...(metadata !== undefined && { metadata: metadataOf(metadata) })
  }
}

function shown (feature: ListedFeature) {
  const { name, title, unitLabel, unitLabelPlural, metadata } = feature
  const id = featureIdOf(name)
  return {
    id,
    identifier: id,
    name: title || id,
    type: FEATURE_TYPES[typeOf(feature)],
    unitLabel,
    unitLabelPlural,
    metadata,
    packages: async (_none: object, caller: Caller) => (await caller.plansWith.load(name)).map(plan => packageOf(plan)),
    entitlement: async ({ userId }: { userId: string }, caller: Caller) =>
      entitlementOf(await caller.verdict({ org: looked.user(userId), feature: name, n: 1 }))
  }
}
