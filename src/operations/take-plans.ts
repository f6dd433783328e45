import { takePlans as judge } from '../domain/base-and-addons.ts'
import { parseOrg, planText } from '../domain/ids.ts'
import type { Org, StoredPlan } from '../domain/org.ts'
import type { ScheduleChange, Subscription } from '../domain/schedule.ts'
import { added } from '../domain/subscription-change.ts'
import { TollgateError } from '../errors.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import type { LockedOrg } from '../storage/subscriptions.ts'
import { change, changeExisting, instantOfChange, scheduleNow } from './change.ts'
import { orgNotFound, planNamed } from './org.ts'
import type { OwnedSubscription } from './subscriptions.ts'
import { present } from './time.ts'

const PLANS_MAX = 100

export interface PlansToTake {
  readonly environment: string
  readonly org: string
  /** `plan:pro@1` */
  readonly plans: readonly string[]
  /** Make the org, if there is none. */
  readonly create: boolean
  /** Asked under the org's lock, in the transaction that subscribes it; false: everything stays as it is. */
  readonly admit?: (locked: LockedOrg) => Promise<boolean>
}

/**
 * Subscribes an org to plans, from now on: all of them or none. It holds at most one base plan, and add-ons on top of it. What is
 * subscribed to brings its own anchor. An add-on that is held already is not taken twice.
 * @returns the subscription to each, in the order asked for; none where `admit` said no
 * @throws TollgateError `org_not_found`; `TERR1020`, `plan_unavailable` for a plan; `subscription_conflict`
 */
export async function takePlans (
  stores: Stores, { environment, org: text, plans: texts, create, admit }: PlansToTake
): Promise<OwnedSubscription[]> {
  const name = parseOrg(text)
  if (texts.length > PLANS_MAX) throw new TollgateError('invalid_request', `plans must be at most ${PLANS_MAX}`, { pointer: '/plans' })
  const wanted: StoredPlan[] = []
  for (const [i, text] of texts.entries()) wanted.push(await planNamed(stores, environment, text, `/plans/${i}`))
  const bases = await available(stores.planSales.basesOf(wanted.filter(({ plan }) => plan.addon).map(({ key }) => key)))
  const at = await present(stores, environment)
  const work = async (locked: LockedOrg): Promise<{ admitted: boolean, held: ReadonlyMap<string, Subscription> }> => {
    if (admit !== undefined && !await admit(locked)) return { admitted: false, held: new Map() }
    const now = instantOfChange(locked.org, at)
    const { add, held } = judge(locked.org, wanted, ({ key }) => bases.get(key) ?? [], now)
    if (add.length > 0) await locked.reschedule(await rowsOf(locked, add, now), row => planAmong(add, row))
    return { admitted: true, held }
  }
  const changed = create
    ? await change(stores, environment, name, at.now, work)
    : await changeExisting(stores, environment, name, work)
  if (changed === undefined) throw orgNotFound('/org')
  const { org, value: { admitted, held } } = changed
  return admitted ? texts.map(text => ({ org: name, subscription: held.get(text) ?? newest(org, text) })) : []
}

async function rowsOf (locked: LockedOrg, plans: readonly StoredPlan[], now: number): Promise<ScheduleChange> {
  const request = await scheduleNow(locked, now, null)
  const rows = plans.flatMap(({ plan: { ref } }) => added(request, {
    holding: { plan: ref, feature: null }, startsAt: null, endsAt: null, status: 'active', anchorAt: now
  }).add)
  return { end: [], remove: [], add: rows }
}

function planAmong (plans: readonly StoredPlan[], row: Omit<Subscription, 'id'>): StoredPlan {
  return plans.find(({ plan: { ref } }) => planText(ref) === planText(row.plan)) as StoredPlan
}

/** Ids only grow. It may have been removed by somebody else right after the change. */
function newest ({ subscriptions }: Org, plan: string): Subscription {
  const own = subscriptions.filter(row => row.feature === null && planText(row.plan) === plan).sort((a, b) => b.id - a.id)[0]
  if (own === undefined) throw new TollgateError('not_found', 'the subscription is gone again')
  return own
}
