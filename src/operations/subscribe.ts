import type { Instant } from '../domain/entitlement.ts'
import { type Holding, parseHolding, parseOrg, planText } from '../domain/ids.ts'
import type { Org } from '../domain/org.ts'
import { mergeInfo, type SentInfo } from '../domain/org-info.ts'
import { givesAccess, isOver, type Phase, reschedule } from '../domain/schedule.ts'
import { TollgateError } from '../errors.ts'
import type { CatalogPlan } from '../storage/catalog.ts'
import type { Stores } from '../storage/stores.ts'
import type { LockedOrg } from '../storage/subscriptions.ts'
import { change, scheduleNow } from './change.ts'
import { archived, planPublished } from './org.ts'
import { present } from './time.ts'

const PHASES_MAX = 100

export interface SentPhase {
  /** null: now; for the first phase only */
  readonly effectiveAt: Instant | null
  /** `plan:pro@1`, `feature:x@plan:pro@1` */
  readonly features: readonly string[]
  readonly trial: boolean
}

export interface Subscribe {
  readonly environment: string
  readonly org: string
  readonly phases: readonly SentPhase[]
  readonly info: SentInfo | undefined
  /** Kept with the schedule, for a payment provider; undefined: as it was. */
  readonly automaticTax?: boolean | undefined
  /** Asked under the org's lock, in the transaction that replaces its schedule; false: everything stays as it is. */
  readonly admit?: (locked: LockedOrg) => Promise<boolean>
}

/**
 * Tier's subscribe: puts a schedule of phases in place of what is scheduled, and keeps what is known of the org. Info
 * is stored first, also where the phases are then refused. Without either nothing happens, not even a new org.
 * @throws TollgateError `TERR1020`, `plan_unavailable` for a plan that cannot be had; `invalid_request`, `feature_not_found` for phases
 */
export async function subscribe (stores: Stores, request: Subscribe): Promise<void> {
  const { environment, org, phases: sent, info, automaticTax, admit } = request
  const name = parseOrg(org)
  const { now } = await present(stores, environment)
  if (info !== undefined) {
    await change(stores, environment, name, now, async locked => await locked.putInfo({ ...mergeInfo(locked.info, info) }))
  }
  if (sent.length === 0) return
  if (sent.length > PHASES_MAX) throw new TollgateError('invalid_request', `phases must be at most ${PHASES_MAX}`, { pointer: '/phases' })
  const plans = new Map<string, CatalogPlan>()
  const phases: Phase[] = []
  for (const [i, { features, effectiveAt, trial }] of sent.entries()) {
    const holdings = await readHoldings(stores, environment, features, `/phases/${i}/features`, plans)
    phases.push({ effectiveAt, holdings, trial })
  }
  await change(stores, environment, name, now, async locked => {
    if (admit !== undefined && !await admit(locked)) return
    await replaceSchedule(locked, phases, plans, now)
    if (automaticTax !== undefined) await locked.putInfo({ ...locked.info, automaticTax })
  })
}

/**
 * What an org is to hold, and in `plans` the plans of it.
 * An archived plan is among them: who may have it, `checkAvailable` knows.
 * @throws TollgateError `TERR1020` for a plan or feature that was not pushed; `plan_unavailable` for a draft; `invalid_request` for ids
 */
export async function readHoldings (
  stores: Stores, environment: string, features: readonly string[], list: string, plans: Map<string, CatalogPlan>
): Promise<Holding[]> {
  const holdings: Holding[] = []
  for (const [i, text] of features.entries()) {
    const pointer = `${list}/${i}`
    const holding = parseHolding(text, pointer)
    const plan = await planPublished(stores, environment, planText(holding.plan), pointer)
    if (holding.feature !== null && !plan.featureKeys.has(holding.feature)) {
      throw new TollgateError('TERR1020', 'feature or plan not found', { pointer })
    }
    plans.set(planText(holding.plan), plan)
    holdings.push(holding)
  }
  return holdings
}

async function replaceSchedule (
  locked: LockedOrg, phases: readonly Phase[], plans: ReadonlyMap<string, CatalogPlan>, now: Instant
): Promise<void> {
  const { org } = locked
  for (const [i, { holdings }] of phases.entries()) checkAvailable(org, holdings, plans, now, `/phases/${i}/features`)
  const reachesBack = phases.some(({ effectiveAt }) => effectiveAt !== null && effectiveAt <= now)
  const planned = reschedule({ phases, ...await scheduleNow(locked, now, reachesBack ? [...plans.values()] : null) })
  if (planned.end.length + planned.remove.length + planned.add.length === 0) return
  await locked.reschedule(planned, row => plans.get(planText(row.plan)) as CatalogPlan)
}

/**
 * An archived plan goes on for who holds it, or is to hold it; nobody else gets it.
 * @throws TollgateError `plan_unavailable`
 */
export function checkAvailable (
  org: Org, holdings: readonly Holding[], plans: ReadonlyMap<string, CatalogPlan>, now: Instant, list: string
): void {
  const kept = new Set(org.subscriptions.filter(row => givesAccess(row) && !isOver(row, now)).map(({ plan }) => planText(plan)))
  for (const [i, holding] of holdings.entries()) {
    const plan = plans.get(planText(holding.plan))
    if (plan?.status === 'archived' && !kept.has(planText(holding.plan))) throw archived(plan, `${list}/${i}`)
  }
}
