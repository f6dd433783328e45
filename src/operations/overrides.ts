import type { Amount } from '../domain/amount.ts'
import { parseCursor } from '../domain/cursor.ts'
import type { Instant } from '../domain/entitlement.ts'
import { parseFeature, parseOrg } from '../domain/ids.ts'
import { grantAt, overrideAt } from '../domain/org.ts'
import { parseReason } from '../domain/reason.ts'
import { TollgateError } from '../errors.ts'
import { available } from '../storage/ledger-reader.ts'
import type { LoggedOverride } from '../storage/overrides.ts'
import type { Stores } from '../storage/stores.ts'
import { changeExisting, instantOfChange } from './change.ts'
import { type Listed, listed, type ListRequest } from './listed.ts'
import { existing, orgNamed } from './orgs.ts'
import { present } from './time.ts'

const LIST = 'overrides'
/** Of one feature of one org, past ones included: an org is read with all of them. */
const OVERRIDES_MAX = 1_000

export interface OverrideList extends ListRequest {
  readonly org: string
  /** undefined: of all */
  readonly feature: string | undefined
}

/** Past ones and those in force, of each feature the newest first. @throws TollgateError `not_found` */
export async function listOverrides (
  stores: Stores, { environment, org, feature, cursor, countMax }: OverrideList
): Promise<Listed<LoggedOverride>> {
  const named = feature === undefined ? undefined : parseFeature(feature, '?feature')
  const [key, start] = cursor === undefined ? [] : parseCursor(cursor, LIST, 2)
  const { key: of } = await orgNamed(stores, environment, org)
  const after = key === undefined || start === undefined ? null : [key, start] as const
  return listed(LIST, await available(stores.overrides.list(of, named, after, countMax)))
}

export interface NewOverride {
  readonly environment: string
  readonly org: string
  readonly feature: string
  /** null: unlimited */
  readonly limit: Amount | null
  /** undefined: as the plan has it */
  readonly overage: boolean | undefined
  /** null: until it is ended */
  readonly until: Instant | null
  readonly reason: string
}

/**
 * From now on the org is granted this limit of the feature, whatever its plans say. The former override ends; windows stay.
 * @throws TollgateError `not_found`; `feature_not_found` for a feature that the org does not hold now; `invalid_request`,
 *   also for a boolean feature; `invalid_amount`
 */
export async function putOverride (stores: Stores, sent: NewOverride): Promise<LoggedOverride> {
  const { environment, limit, overage = null, until, reason } = sent
  const name = parseOrg(sent.org, '?org')
  const feature = parseFeature(sent.feature, '?feature')
  if (limit !== null && limit < 0n) throw new TollgateError('invalid_amount', 'limit must not be negative', { pointer: '/limit' })
  parseReason(reason)
  const at = await present(stores, environment)
  const changed = await changeExisting(stores, environment, name, async locked => {
    const { org } = locked
    const now = instantOfChange(org, at)
    const held = org.features.get(feature)
    const grant = held === undefined ? null : grantAt(org, held, now, now)
    if (held === undefined || grant === null) throw new TollgateError('feature_not_found', 'feature not found', { pointer: '?feature' })
    if (grant.type === 'boolean') throw invalid('?feature', `${feature} is held or not: it has no limit`)
    if (until !== null && until <= now) throw invalid('/until', `until must be after ${new Date(now).toISOString()}`)
    if ((org.overrides.get(feature)?.list.length ?? 0) >= OVERRIDES_MAX) {
      throw invalid('?feature', `${feature} was overridden ${OVERRIDES_MAX} times, as often as it may be: sell a plan instead`)
    }
    await locked.putOverride(held.key, now, { endsAt: until, limit, overage, reason })
    return now
  })
  const { value: startsAt } = existing(name, changed)
  return { feature, startsAt, endsAt: until, limit, overage, reason }
}

/** From now on the plans say again. @throws TollgateError `not_found` for an org that there is not, and where nothing is overridden */
export async function endOverride (stores: Stores, environment: string, org: string, text: string): Promise<void> {
  const name = parseOrg(org, '?org')
  const feature = parseFeature(text, '?feature')
  const at = await present(stores, environment)
  const changed = await changeExisting(stores, environment, name, async locked => {
    const { org } = locked
    const now = instantOfChange(org, at)
    const known = org.overrides.get(feature)
    if (known === undefined || overrideAt(org, feature, now) === undefined) {
      throw new TollgateError('not_found', `no override of ${feature} is in force`, { pointer: '?feature' })
    }
    await locked.putOverride(known.key, now, null)
  })
  existing(name, changed)
}

function invalid (pointer: string, message: string): TollgateError {
  return new TollgateError('invalid_request', message, { pointer })
}
