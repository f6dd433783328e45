import { floorAmount } from '../domain/amount.ts'
import type { FeatureType } from '../domain/entitlement.ts'
import { type Plan, type PlanFeature, RESETS } from '../domain/plan.ts'
import { TollgateError } from '../errors.ts'
import { featureIdOf, packageIdOf } from './names.ts'
import { FEATURE_TYPES, wholeInt } from './values.ts'

/** What Kana's command line keeps in a file. Lists that are not there say nothing: nothing is ever deleted for that. */
export interface CliFile {
  readonly features: readonly FileFeature[]
  readonly plans: readonly FilePlan[]
}

export interface FileFeature {
  readonly id: string
  readonly name: string | undefined
  readonly type: FeatureType
}

export interface FilePlan {
  readonly id: string
  readonly name: string | undefined
  readonly addon: boolean
  readonly published: boolean
  readonly features: readonly FileEntitlement[]
  /** Of an add-on; undefined: nothing is said of them */
  readonly bases: readonly string[] | undefined
}

export interface FileEntitlement {
  readonly id: string
  readonly limit: number | null
  readonly overage: boolean
  readonly reset: string
}

const ITEMS_MAX = 1_000
const NEVER = 'never'

type Members = Readonly<Record<string, unknown>>

/** @throws TollgateError `invalid_request` for what is no such file */
export function readCliFile (sent: unknown): CliFile {
  const file = membersOf(sent, '')
  return {
    features: listOf(file.features, '/features').map(([feature, at]) => ({
      id: textOf(feature.id, `${at}/id`), name: optionalText(feature.name, `${at}/name`), type: typeOf(feature.type, `${at}/type`)
    })),
    plans: (['packages', 'addons'] as const).flatMap(group => {
      const lists = file[group] === undefined || file[group] === null ? {} : membersOf(file[group], `/${group}`)
      return (['draft', 'published'] as const).flatMap(status => listOf(lists[status], `/${group}/${status}`).map(([plan, at]) => ({
        id: textOf(plan.id, `${at}/id`),
        name: optionalText(plan.name, `${at}/name`),
        addon: group === 'addons',
        published: status === 'published',
        features: listOf(plan.features, `${at}/features`).map(([entitlement, at]) => entitlementOf(entitlement, at)),
        bases: group === 'addons' && Array.isArray(plan.base_packages)
          ? plan.base_packages.map((base, i) => textOf(base, `${at}/base_packages/${i}`))
          : undefined
      })))
    })
  }
}

function entitlementOf ({ id, limit, overage_enabled: overage, reset_period: reset }: Members, at: string): FileEntitlement {
  const amount = limit ?? null
  if (amount !== null && (!Number.isSafeInteger(amount) || (amount as number) < 0)) {
    throw invalid(`${at}/limit`, 'must be a whole number, or null for unlimited')
  }
  const period = reset === undefined || reset === null ? NEVER : textOf(reset, `${at}/reset_period`).toLowerCase()
  if (!(RESETS as readonly string[]).includes(period)) throw invalid(`${at}/reset_period`, 'must be DAY, MONTH, YEAR, or nothing')
  return { id: textOf(id, `${at}/id`), limit: amount as number | null, overage: overage === true, reset: period }
}

function typeOf (sent: unknown, at: string): FeatureType {
  const type = String(sent).toUpperCase()
  if (type === FEATURE_TYPES.boolean) return 'boolean'
  if (type === FEATURE_TYPES.metered) return 'metered'
  throw invalid(at, 'must be BINARY or CONSUMABLE')
}

function listOf (sent: unknown, at: string): Array<readonly [Members, string]> {
  if (sent === undefined || sent === null) return []
  if (!Array.isArray(sent) || sent.length > ITEMS_MAX) throw invalid(at, `must be a list of at most ${ITEMS_MAX}`)
  return sent.map((item, i) => [membersOf(item, `${at}/${i}`), `${at}/${i}`])
}

function membersOf (sent: unknown, at: string): Members {
  if (typeof sent === 'object' && sent !== null && !Array.isArray(sent)) return sent as Members
  throw invalid(at, 'must be an object')
}

function textOf (sent: unknown, at: string): string {
  if (typeof sent === 'string' && sent !== '') return sent
  throw invalid(at, 'must be a text that is not empty')
}

function optionalText (sent: unknown, at: string): string | undefined {
  return sent === undefined || sent === null ? undefined : textOf(sent, at)
}

function invalid (pointer: string, detail: string): TollgateError {
  return new TollgateError('invalid_request', `${pointer === '' ? 'the body' : pointer.slice(1)} ${detail}`, { pointer })
}

/** A plan as the file has it. @param bases of an add-on */
export function shownPlan ({ ref, title, addon, features }: Plan, bases: readonly string[]) {
  return {
    id: packageIdOf(ref),
    name: title,
    features: features.map(shownEntitlement),
    ...(addon && { base_packages: bases })
  }
}

function shownEntitlement ({ feature, type, limit, overage, reset }: PlanFeature) {
  const counted = type === 'metered'
  return {
    id: featureIdOf(feature),
    limit: counted && limit !== null ? wholeInt(floorAmount(limit)) : null,
    overage_enabled: counted && overage,
    reset_period: counted && reset !== NEVER ? reset.toUpperCase() : null
  }
}

/** What the file says of a plan, as a push would. */
export function documentOf ({ name, addon, features }: FilePlan, typeOf: (feature: string) => FeatureType): object {
  return {
    ...(name !== undefined && { title: name }),
    addon,
    features: Object.fromEntries(features.map(({ id, limit, overage, reset }) => {
      if (typeOf(id) === 'boolean') return [`feature:${id}`, { type: 'boolean' }]
      const amount = limit === null ? { type: 'metered' } : limit === 0 ? { limit } : { tiers: [{ upto: limit }] }
      return [`feature:${id}`, { ...amount, reset, overage, combine: 'highest' }]
    }))
  }
}

/** Does the plan say what the file says of its features? */
export function saysTheSame ({ features: sent }: FilePlan, { features }: Plan): boolean {
  const text = (entries: ReadonlyArray<readonly unknown[]>): string => JSON.stringify(entries.map(entry => JSON.stringify(entry)).sort())
  const ours = features.map(shownEntitlement)
    .map(({ id, limit, overage_enabled: overage, reset_period: reset }) => [id, limit, overage, reset])
  const boolean = new Set(features.filter(({ type }) => type === 'boolean').map(({ feature }) => featureIdOf(feature)))
  return text(ours) === text(sent.map(({ id, limit, overage, reset }) =>
    boolean.has(id) ? [id, null, false, null] : [id, limit, overage, reset === NEVER ? null : reset.toUpperCase()]))
}
