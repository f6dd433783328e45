import { parseCursor } from '../domain/cursor.ts'
import type { Instant } from '../domain/entitlement.ts'
import { parseFeature, parseOrg, planText } from '../domain/ids.ts'
import type { Org, StoredPlan } from '../domain/org.ts'
import { checkProperties, type Properties } from '../domain/properties.ts'
import type { ScheduleChange, Subscription, SubscriptionStatus } from '../domain/schedule.ts'
import { added, type Alteration, altered, ended } from '../domain/subscription-change.ts'
import { TollgateError } from '../errors.ts'
import { available } from '../storage/ledger-reader.ts'
import { pageOf } from '../storage/page.ts'
import type { Stores } from '../storage/stores.ts'
import type { LockedOrg } from '../storage/subscriptions.ts'
import { changeExisting, instantOfChange, scheduleNow } from './change.ts'
import { type Listed, listed, type ListRequest } from './listed.ts'
import { planNamed } from './org.ts'
import { existing, orgNamed } from './orgs.ts'
import { present } from './time.ts'

const LIST = 'subscriptions'

/** A subscription, and the org that has it. */
export interface OwnedSubscription {
  readonly org: string
  readonly subscription: Subscription
}

/** All that the org has or had, oldest first. @throws TollgateError `not_found` */
export async function listSubscriptions (
  stores: Stores, org: string, { environment, cursor, countMax }: ListRequest
): Promise<Listed<OwnedSubscription>> {
  const [after = 0] = cursor === undefined ? [] : parseCursor(cursor, LIST, 1)
  const { name, subscriptions } = await orgNamed(stores, environment, org)
  const ahead = subscriptions.filter(({ id }) => id > after).sort((a, b) => a.id - b.id)
  return listed(LIST, pageOf(ahead.map(subscription => ({ org: name, subscription })), countMax, ({ subscription: { id } }) => [id]))
}

/** One more subscription, as it was sent. */
export interface NewSubscription {
  readonly environment: string
  readonly org: string
  /** `plan:pro@1` */
  readonly plan: string
  /** undefined: all of the plan */
  readonly feature: string | undefined
  /** null: now */
  readonly startsAt: Instant | null
  /** null: without end */
  readonly endsAt: Instant | null
  readonly status: SubscriptionStatus
  /** null: as a change of plan has it */
  readonly anchorAt: Instant | null
}

/**
 * Adds a plan, or one feature of a plan, to what an org holds. Nothing else ends.
 * @throws TollgateError `not_found`; `TERR1020`, `plan_unavailable` for the plan; `subscription_conflict`, `invalid_request`
 */
export async function addSubscription (stores: Stores, sent: NewSubscription): Promise<OwnedSubscription> {
  const { environment, startsAt, endsAt, status, anchorAt } = sent
  const name = parseOrg(sent.org, '?org')
  const plan = await planNamed(stores, environment, sent.plan)
  const feature = sent.feature === undefined ? null : parseFeature(sent.feature)
  if (feature !== null && !plan.featureKeys.has(feature)) {
    throw new TollgateError('TERR1020', 'feature or plan not found', { pointer: '/feature' })
  }
  const at = await present(stores, environment)
  const changed = await changeExisting(stores, environment, name, async locked => {
    const now = instantOfChange(locked.org, at)
    const request = await scheduleNow(locked, now, startsAt !== null && startsAt <= now ? [plan] : null)
    const holding = { plan: plan.plan.ref, feature }
    await locked.reschedule(added(request, { holding, startsAt, endsAt, status, anchorAt }), () => plan)
    return lastId(locked.org)
  })
  const { org, value } = existing(name, changed)
  return owned(org, org.subscriptions.find(({ id }) => id > value))
}

/** @throws TollgateError `not_found` */
export async function readSubscription (stores: Stores, environment: string, id: number): Promise<OwnedSubscription> {
  const org = await orgNamed(stores, environment, await ownerNamed(stores, environment, id))
  return owned(org, org.subscriptions.find(row => row.id === id), id)
}

/**
 * Changes status or end from now on, and the owner's notes. Where that gives or takes access the subscription ends now and another
 * one goes on,
 * which is the one that is returned: access in the past stays as it was.
 * @throws TollgateError `not_found`, `subscription_conflict`, `invalid_request`
 */
export async function alterSubscription (
  stores: Stores, environment: string, id: number, alteration: Alteration, metadata?: Properties
): Promise<OwnedSubscription> {
  const isAltered = alteration.status !== undefined || alteration.endsAt !== undefined
  if (!isAltered && metadata === undefined) {
    throw new TollgateError('invalid_request', 'there is nothing to change: send status, endsAt or metadata', { pointer: '' })
  }
  if (metadata !== undefined) checkProperties(metadata, '/metadata')
  const { org, value: { before, wentOn } } = await changeOne(stores, environment, id, (org, row, now) =>
    isAltered ? altered(org.subscriptions, row, alteration, now) : { end: [], remove: [], add: [] }, metadata)
  return owned(org, org.subscriptions.find(row => wentOn ? row.id > before : row.id === id), id)
}

/** Ends it now; one that has not begun goes. @throws TollgateError `not_found`, `subscription_conflict` */
export async function endSubscription (stores: Stores, environment: string, id: number): Promise<void> {
  await changeOne(stores, environment, id, (_org, row, now) => ended(row, now))
}

type PlanChange = (org: Org, row: Subscription, now: Instant) => ScheduleChange

async function changeOne (
  stores: Stores, environment: string, id: number, plan: PlanChange, metadata?: Properties
): Promise<{ org: Org, value: { before: number, wentOn: boolean } }> {
  const name = await ownerNamed(stores, environment, id)
  const at = await present(stores, environment)
  const changed = await changeExisting(stores, environment, name, async (locked: LockedOrg) => {
    const { org } = locked
    const row = org.subscriptions.find(row => row.id === id)
    if (row === undefined) throw notFound(id)
    if (metadata !== undefined) await locked.putSubscriptionMetadata(id, metadata)
    // What goes on in its place has them, too.
    const change = plan(org, metadata === undefined ? row : { ...row, metadata }, instantOfChange(org, at))
    await locked.reschedule(change, row => org.plans.get(planText(row.plan)) as StoredPlan)
    return { before: lastId(org), wentOn: change.add.length > 0 }
  })
  if (changed === undefined) throw notFound(id)
  return changed
}

/** Ids only grow, so what a change adds comes after it. */
function lastId ({ subscriptions }: Org): number {
  return Math.max(0, ...subscriptions.map(({ id }) => id))
}

async function ownerNamed ({ subscriptions }: Stores, environment: string, id: number): Promise<string> {
  const name = await available(subscriptions.orgOf(environment, id))
  if (name === undefined) throw notFound(id)
  return name
}

/** It may have been removed by somebody else right after the change. */
function owned ({ name }: Org, subscription: Subscription | undefined, id?: number): OwnedSubscription {
  if (subscription === undefined) throw notFound(id)
  return { org: name, subscription }
}

function notFound (id: number | undefined): TollgateError {
  return new TollgateError('not_found', id === undefined ? 'the subscription is gone again' : `there is no subscription ${id}`, { pointer: '?id' })
}
