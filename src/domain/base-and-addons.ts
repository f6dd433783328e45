import { TollgateError } from '../errors.ts'
import type { Instant } from './entitlement.ts'
import { planText } from './ids.ts'
import type { Org, StoredPlan } from './org.ts'
import { inForce, type Subscription } from './schedule.ts'

/** What taking plans comes to. */
export interface Taken {
  /** In the order asked for, each once. */
  readonly add: readonly StoredPlan[]
  /** Add-ons that are held already, by `plan:boost@1`: whoever asks again has what they asked for. */
  readonly held: ReadonlyMap<string, Subscription>
}

/**
 * An org has at most one base plan, and add-ons on top of it, as Kana has it; the messages are Kana's. All of `wanted` can be
 * taken, or nothing is.
 * @param bases the keys of the base plans that name an add-on; one that none names goes with any
 * @throws TollgateError `subscription_conflict`
 */
export function takePlans (
  org: Org, wanted: readonly StoredPlan[], bases: (addon: StoredPlan) => readonly number[], now: Instant
): Taken {
  const live = inForce(org.subscriptions, now).filter(({ feature }) => feature === null)
  const liveBase = live.map(row => org.plans.get(planText(row.plan)) as StoredPlan).find(({ plan }) => !plan.addon)
  const newBases = wanted.filter(({ plan }) => !plan.addon)
  if (newBases.length + (liveBase === undefined ? 0 : 1) > 1) throw conflict('Cannot subscribe to multiple tiers')
  const base = liveBase ?? newBases[0]
  const held = new Map<string, Subscription>()
  const add = new Set<StoredPlan>()
  for (const stored of wanted) {
    const text = planText(stored.plan.ref)
    if (!stored.plan.addon) {
      add.add(stored)
      continue
    }
    if (base === undefined) throw conflict('Cannot subscribe to addon. Missing live tier subscription.')
    const row = live.find(({ plan }) => planText(plan) === text)
    if (row !== undefined) {
      held.set(text, row)
      continue
    }
    const named = bases(stored)
    if (named.length > 0 && !named.includes(base.key)) throw conflict('Cannot subscribe to addon. Not available for the live tier.')
    if (![...add].some(({ key }) => key === stored.key)) add.add(stored)
  }
  return { add: [...add], held }
}

function conflict (message: string): TollgateError {
  return new TollgateError('subscription_conflict', message, { pointer: '/plans' })
}
