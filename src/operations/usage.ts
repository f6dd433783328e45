import type { Amount } from '../domain/amount.ts'
import { type Counter, over, remaining } from '../domain/counter.ts'
import type { Grant, Instant } from '../domain/entitlement.ts'
import { parseFeature, parseOrg } from '../domain/ids.ts'
import type { Org } from '../domain/org.ts'
import type { Window } from '../domain/window.ts'
import { TollgateError } from '../errors.ts'
import { wantedCounter } from '../storage/counters.ts'
import type { Stores } from '../storage/stores.ts'
import { UNSEEN } from './org.ts'
import { type Standing, standings } from './standing.ts'

/** Windows in one answer, over all its features. */
const WINDOWS_MAX = 1_000

export interface UsageQuestion {
  readonly environment: string
  readonly org: string
  /** undefined: every metered feature that the org holds or has held */
  readonly feature: string | undefined
  /** Past windows that overlap `[from, to)`. */
  readonly from: Instant | null
  readonly to: Instant | null
  /** Continue before the window that starts here. */
  readonly cursor: Instant | null
  /** Past windows per feature in this answer. */
  readonly pageMax: number
}

/** Usage of one window, and the limit at its end. null: unlimited. */
export interface WindowUsage extends Window {
  readonly used: Amount
  readonly reserved: Amount
  readonly limit: Amount | null
  readonly remaining: Amount | null
  readonly overage: Amount
  /** Whether usage beyond that limit is, or was, permitted. */
  readonly permitsOverage: boolean
}

export interface FeatureUsage {
  readonly feature: string
  /** null: the feature is not held now, or is not metered. */
  readonly current: WindowUsage | null
  /** The start of the subscription that decides the limit now; null without a current window. */
  readonly decidedSince: Instant | null
  /** Newest first; windows without usage are there too. */
  readonly past: readonly WindowUsage[]
  /** Where the next page begins; null: this was the last. */
  readonly cursor: Instant | null
}

/** @throws TollgateError `org_not_found`; `feature_not_found` for a feature that the org never held */
export async function usage (stores: Stores, question: UsageQuestion): Promise<{ org: string, features: FeatureUsage[] }> {
  const name = parseOrg(question.org, '?org')
  const only = question.feature === undefined ? undefined : parseFeature(question.feature, '?feature')
  const found = await standings(stores, question.environment, name, org => only === undefined ? [...org.features.keys()] : [only])
  const shown = found.standings.filter(({ held, grant }) =>
    held !== undefined && held.timeline.start <= found.now && (only !== undefined || grant?.type !== 'boolean'))
  if (only !== undefined && shown.length === 0) {
    throw new TollgateError('feature_not_found', 'feature not found', { pointer: '?feature' })
  }
  const pages = await pastPages(stores, question, found.org, found.now, shown)
  const features = shown.map(({ feature, grant, window, counter }, i) => ({
    feature,
    current: window === null ? null : windowUsage(window, counter, grant),
    decidedSince: window === null ? null : found.org.subscriptions.find(({ id }) => id === grant?.subscriptions[0])?.startsAt ?? null,
    ...pages[i] as Pick<FeatureUsage, 'past' | 'cursor'>
  }))
  return { org: name, features }
}

async function pastPages (
  stores: Stores, { from, to, cursor, pageMax }: UsageQuestion, org: Org, now: Instant, shown: readonly Standing[]
): Promise<Array<Pick<FeatureUsage, 'past' | 'cursor'>>> {
  if (org.key === UNSEEN) return shown.map(() => ({ past: [], cursor: null }))
  const countMax = Math.max(1, Math.min(pageMax, Math.floor(WINDOWS_MAX / Math.max(1, shown.length))))
  const firstUse = await stores.reader.earliestWindows(org.key, shown.map(({ held }) => held?.key as number))
  const pages = shown.map(({ held, grant, window }) => {
    if (grant?.type === 'boolean') return { held, windows: [], cursor: null }
    // Windows before the org's first subscription are there from the first use on.
    const heldSince = held?.timeline.start ?? org.firstStart
    const begun = Math.min(heldSince, firstUse.get(held?.key as number) ?? heldSince)
    const notBefore = Math.max(begun, from ?? begun)
    const before = Math.min(window?.start ?? now, cursor ?? Infinity, to ?? Infinity)
    const windows = held?.timeline.windowsBack(before, countMax, notBefore) ?? []
    const last = windows.at(-1)
    return { held, windows, cursor: last !== undefined && last.start > notBefore ? last.start : null }
  })
  const wanted = pages.flatMap(({ held, windows }) => held === undefined
    ? []
    : windows.map(window => wantedCounter(org.key, held.key, window, held.timeline.grantAtEnd(window)?.aggregate ?? 'sum', now)))
  const { tallies } = wanted.length === 0 ? { tallies: [] } : await stores.reader.read(org.key, wanted)
  let next = 0
  return pages.map(({ held, windows, cursor }) => ({
    past: windows.map(window => windowUsage(window, tallies[next++] as Counter, held?.timeline.grantAtEnd(window) ?? null)),
    cursor
  }))
}

function windowUsage ({ start, end }: Window, { used, reserved }: Counter, grant: Grant | null): WindowUsage {
  const limit = grant === null ? 0n : grant.limit
  const left = remaining(limit, used + reserved)
  return { start, end, used, reserved, limit, remaining: left, overage: over(limit, used), permitsOverage: grant?.overage ?? false }
}
