import type { Instant } from '../domain/entitlement.ts'
import { billingPeriod, type Org, presentOf, resumedAnchor, type StoredPlan } from '../domain/org.ts'
import type { ScheduleRequest } from '../domain/schedule.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import type { Changed, LockedOrg } from '../storage/subscriptions.ts'
import type { Present } from './time.ts'

/** Changes an org under its lock, and creates it if it is new. Readers on other replicas see the change before its caller hears of it. */
export async function change<T> (
  stores: Stores, environment: string, name: string, now: Instant, work: (locked: LockedOrg) => Promise<T>
): Promise<Changed<T>> {
  const confirmedAt = Date.now()
  const changed = await available(stores.subscriptions.change(environment, name, now, work))
  await announce(stores, changed.org, confirmedAt)
  return changed
}

/** The same for an org that there is. @returns undefined if there is none */
export async function changeExisting<T> (
  stores: Stores, environment: string, name: string, work: (locked: LockedOrg) => Promise<T>
): Promise<Changed<T> | undefined> {
  const confirmedAt = Date.now()
  const changed = await available(stores.subscriptions.changeExisting(environment, name, work))
  if (changed !== undefined) await announce(stores, changed.org, confirmedAt)
  return changed
}

/**
 * Tells the mirror of an org's new version.
 * @param confirmedAt an instant before the ledger was told, on the wall clock, not the environment's
 */
export async function announce (
  { mirror, events }: Stores, { key, version }: { readonly key: number, readonly version: number }, confirmedAt: Instant
): Promise<void> {
  await mirror?.publish([{ org: key, version, counters: [], confirmedAt }], Date.now()).catch(events.publishFailed)
}

/** When a change of an org takes effect: now, and not before an earlier change that a clock ahead of ours made. */
export function instantOfChange (org: Org, { environment, now }: Present): Instant {
  return environment.fixedNow ?? presentOf(org, now)
}

/**
 * What a change of an org's schedule is judged by.
 * @param plans whose features it touches besides those that the org has held, for a change that reaches back; null: it does not
 */
export async function scheduleNow (
  locked: LockedOrg, now: Instant, plans: readonly StoredPlan[] | null
): Promise<Omit<ScheduleRequest, 'phases'>> {
  const { org } = locked
  const lastUseAt = plans === null ? null : await locked.lastUseAt(plans)
  return {
    current: org.subscriptions,
    now,
    timeZone: org.timeZone,
    periodStart: billingPeriod(org, now)?.start ?? null,
    resumedAnchorAt: resumedAnchor(org, now),
    // Before the first subscription, use was judged by it, counted backwards: a new first one would reshape that past too.
    usedSince: at => lastUseAt !== null && (lastUseAt >= at || at < org.firstStart)
  }
}
