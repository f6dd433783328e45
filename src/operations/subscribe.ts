import type { Instant } from '../domain/entitlement.ts'
import { type Holding, parseHolding, parseOrg, planText } from '../domain/ids.ts'
import { billingPeriod, resumedAnchor, type StoredPlan } from '../domain/org.ts'
import { mergeInfo, type SentInfo } from '../domain/org-info.ts'
import { type Phase, reschedule } from '../domain/schedule.ts'
import { TollgateError } from '../errors.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import type { LockedOrg } from '../storage/subscriptions.ts'
import { planNamed } from './org.ts'
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
 * @throws TollgateError `TERR1020` for a plan that was not pushed; `invalid_request`, `feature_not_found` for phases
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
  const plans = new Map<string, StoredPlan>()
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
 * @throws TollgateError `TERR1020` for a plan or feature that was not pushed; `invalid_request` for ids
 */
export async function readHoldings (
  stores: Stores, environment: string, features: readonly string[], list: string, plans: Map<string, StoredPlan>
): Promise<Holding[]> {
  const holdings: Holding[] = []
  for (const [i, text] of features.entries()) {
    const pointer = `${list}/${i}`
    const holding = parseHolding(text, pointer)
    const plan = await planNamed(stores, environment, planText(holding.plan), pointer)
    if (holding.feature !== null && !plan.featureKeys.has(holding.feature)) {
      throw new TollgateError('TERR1020', 'feature or plan not found', { pointer })
    }
    plans.set(planText(holding.plan), plan)
    holdings.push(holding)
  }
  return holdings
}

async function replaceSchedule (
  locked: LockedOrg, phases: readonly Phase[], plans: ReadonlyMap<string, StoredPlan>, now: Instant
): Promise<void> {
  const { org } = locked
  const reachesBack = phases.some(({ effectiveAt }) => effectiveAt !== null && effectiveAt <= now)
  const lastUseAt = reachesBack ? await locked.lastUseAt([...plans.values()]) : null
  const planned = reschedule({
    current: org.subscriptions,
    phases,
    now,
    timeZone: org.timeZone,
    periodStart: billingPeriod(org, now)?.start ?? null,
    resumedAnchorAt: resumedAnchor(org, now),
    // Before the first subscription, use was judged by it, counted backwards: a new first one would reshape that past too.
    usedSince: at => lastUseAt !== null && (lastUseAt >= at || at < org.firstStart)
  })
  if (planned.end.length + planned.remove.length + planned.add.length === 0) return
  await locked.reschedule(planned, row => plans.get(planText(row.plan)) as StoredPlan)
}

/** Readers on other replicas see the change before its caller hears of it. */
async function change (
  stores: Stores, environment: string, name: string, now: Instant, work: (locked: LockedOrg) => Promise<void>
): Promise<void> {
  // The clock on the wall, not the environment's.
  const confirmedAt = Date.now()
  const { org } = await available(stores.subscriptions.change(environment, name, now, work))
  const publication = { org: org.key, version: org.version, counters: [], confirmedAt }
  await stores.mirror?.publish([publication], Date.now()).catch(stores.events.publishFailed)
}
