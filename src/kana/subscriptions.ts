import type { Instant } from '../domain/entitlement.ts'
import { planText } from '../domain/ids.ts'
import { isOver, type Subscription, type SubscriptionStatus } from '../domain/schedule.ts'
import { CLOCK_SKEW_MAX_MS } from '../domain/time.ts'
import { listOrgs, orgNamed } from '../operations/orgs.ts'
import { type OwnedSubscription, readSubscription } from '../operations/subscriptions.ts'
import { takePlans } from '../operations/take-plans.ts'
import type { Present } from '../operations/time.ts'
import { all, type Caller } from './caller.ts'
import { failure, noSuch } from './failures.ts'
import { looked, sought, userIdOf } from './names.ts'
import { packageOf } from './packages.ts'

type KanaStatus = Uppercase<SubscriptionStatus>

const ID = /^[1-9]\d{0,14}$/

interface SentSubscribe {
  readonly packageIds?: readonly string[] | null
  readonly planIds?: readonly number[] | null
  readonly userId: string
}

export const subscriptions = {
  subscription: async ({ id }: { id: string }, caller: Caller) => {
    caller.allow('read')
    const { stores, environment } = caller
    const owned = ID.test(id) ? await sought(readSubscription(stores, environment, Number(id)), noSuch.subscription) : undefined
    const now = await caller.now()
    if (owned === undefined || !hasBegun(owned.subscription, now)) throw noSuch.subscription()
    return shown(owned, now)
  },

  subscriptions: async ({ userId }: { userId?: string | null }, caller: Caller) => {
    caller.allow('read')
    const rows = typeof userId === 'string' ? await ofUser(userId, caller) : await ofAll(caller)
    const now = await caller.now()
    return rows.filter(({ subscription }) => hasBegun(subscription, now)).sort((a, b) => a.subscription.id - b.subscription.id)
      .map(owned => shown(owned, now))
  },

  /** `planIds` is what older documents call them, when they were numbers. */
  subscribe: async ({ packageIds, planIds, userId }: SentSubscribe, caller: Caller) => {
    caller.allow('write')
    const ids = packageIds ?? planIds?.map(String)
    if (ids === undefined) throw failure('Field "subscribe" argument "packageIds" of type "[String!]!" is required, but it was not provided.')
    const { stores, environment } = caller
    const taken = await takePlans(stores, { environment, org: looked.user(userId), plans: ids.map(looked.package), create: false })
    const now = await caller.now()
    return taken.map(owned => shown(owned, now))
  }
}

async function ofUser (userId: string, { stores, environment }: Caller): Promise<OwnedSubscription[]> {
  const { name, subscriptions } = await sought(orgNamed(stores, environment, looked.user(userId)), noSuch.user)
  return subscriptions.map(subscription => ({ org: name, subscription }))
}

async function ofAll ({ stores, environment }: Caller): Promise<OwnedSubscription[]> {
  const views = await all(async (cursor, countMax) => await listOrgs(stores, {
    environment, prefix: undefined, plan: undefined, feature: undefined, cursor, countMax
  }))
  return views.flatMap(({ org: { name, subscriptions } }) => subscriptions.map(subscription => ({ org: name, subscription })))
}

/** Kana has none that are only planned. What another replica began a moment ago, by a clock ahead of ours, has begun. */
function hasBegun ({ startsAt }: Subscription, { environment, now }: Present): boolean {
  return startsAt <= (environment.fixedNow ?? now + CLOCK_SKEW_MAX_MS)
}

function shown ({ org, subscription }: OwnedSubscription, { now }: Present) {
  const { id, plan, metadata = {} } = subscription
  const held = async (_none: object, caller: Caller) => packageOf(await caller.plan.load(planText(plan)))
  return { id: String(id), userId: userIdOf(org), status: statusOf(subscription, now), package: held, plan: held, metadata }
}

/** What has ended is cancelled, and what will end is not, as yet. */
function statusOf (row: Subscription, now: Instant): KanaStatus {
  const over = isOver(row, now) || (row.status === 'cancelled' && row.endsAt === null)
  if (over) return row.status === 'incomplete_expired' ? 'INCOMPLETE_EXPIRED' : 'CANCELLED'
  return row.status === 'cancelled' ? 'ACTIVE' : row.status.toUpperCase() as KanaStatus
}
