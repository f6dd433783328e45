import fc from 'fast-check'
import { type Amount, WHOLE } from '../../src/domain/amount.ts'
import { eventIds, type Past, reservationIds } from './past.ts'
import { ADDON, FEATURES, PLAN_NAMES, type PlanName } from './plans.ts'
import type { Change, Request } from './request.ts'

/**
 * A step of a sequence, as it is drawn: `which` picks from what there is when its turn comes, so that a sequence stays one
 * when steps are taken out of it.
 */
export type Step =
  | { readonly do: 'report' | 'consume', readonly feature: number, readonly n: Amount, readonly ago: number | null, readonly set: boolean, readonly id: number | null }
  | { readonly do: 'reserve', readonly feature: number, readonly n: Amount, readonly ttlSeconds: number, readonly id: number | null }
  | { readonly do: 'commit', readonly which: number, readonly n: Amount | null }
  | { readonly do: 'release', readonly which: number }
  | { readonly do: 'extend', readonly which: number, readonly ttlSeconds: number }
  | { readonly do: 'amend', readonly which: number, readonly n: Amount }
  | { readonly do: 'void', readonly which: number }
  | { readonly do: 'again', readonly which: number }
  | { readonly do: 'together', readonly steps: readonly Step[] }
  | { readonly do: 'subscribe', readonly plans: readonly PlanName[], readonly ahead: number | null }
  | { readonly do: 'override', readonly feature: number, readonly limit: Amount | null, readonly overage: boolean, readonly forMs: number | null }
  | { readonly do: 'end override', readonly feature: number }
  | { readonly do: 'wait', readonly ms: number }

export interface Sequence {
  readonly plan: PlanName
  readonly steps: readonly Step[]
}

const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000]
const STEPS = { minLength: 5, maxLength: 24 }

const feature = fc.constantFrom(0, 0, 1)
const which = fc.nat(60)
const NOWHERE = 60
const amount = fc.oneof(
  { weight: 6, arbitrary: fc.nat(8).map(n => BigInt(n) * WHOLE) },
  { weight: 2, arbitrary: fc.nat(24).map(n => BigInt(n) * WHOLE / 2n) },
  { weight: 1, arbitrary: fc.constantFrom(1n, WHOLE / 3n) }
)
const positive = amount.map(n => n === 0n ? WHOLE : n)
const anyAmount = fc.oneof({ weight: 6, arbitrary: amount }, { weight: 1, arbitrary: amount.map(n => -n) })
/** Mostly now; also earlier, in former windows, before the first subscription, and a little ahead of the clock. */
const ago = fc.oneof(
  { weight: 4, arbitrary: fc.constant(null) },
  { weight: 3, arbitrary: fc.constantFrom(0, 1, MINUTE, 5 * HOUR, DAY, DAY + 1, 2 * DAY, 9 * DAY) },
  { weight: 1, arbitrary: fc.constantFrom(-MINUTE, -5 * MINUTE, -5 * MINUTE - 1) }
)
const id = fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(2) })
const ttlSeconds = fc.constantFrom(1, 60, 3_600, 86_400, 2 * 86_400)

const use = fc.record({
  do: fc.constantFrom('report' as const, 'report' as const, 'consume' as const, 'consume' as const, 'consume' as const),
  feature,
  n: anyAmount,
  ago,
  set: fc.constant(false),
  id
})
const set = fc.record({ do: fc.constant('report' as const), feature, n: anyAmount, ago, set: fc.constant(true), id })
const reserve = fc.record({ do: fc.constant('reserve' as const), feature, n: fc.oneof({ weight: 9, arbitrary: positive }, anyAmount), ttlSeconds, id })
const commit = fc.record({ do: fc.constant('commit' as const), which, n: fc.oneof(fc.constant(null), amount, anyAmount) })
const release = fc.record({ do: fc.constant('release' as const), which })
const extend = fc.record({ do: fc.constant('extend' as const), which, ttlSeconds })
const amend = fc.record({ do: fc.constant('amend' as const), which, n: anyAmount })
const voided = fc.record({ do: fc.constant('void' as const), which })
const again = fc.record({ do: fc.constant('again' as const), which })
const wait = fc.record({
  do: fc.constant('wait' as const), ms: fc.constantFrom(1, SECOND, SECOND, MINUTE, MINUTE, HOUR, HOUR, 7 * HOUR, DAY - 1, DAY, 2 * DAY)
})
const subscribe = fc.record({
  do: fc.constant('subscribe' as const),
  plans: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...PLAN_NAMES).map(name => [name]) },
    { weight: 2, arbitrary: fc.constantFrom(...PLAN_NAMES).map(name => [name, ADDON]) },
    { weight: 1, arbitrary: fc.constant<PlanName[]>([]) }
  ),
  ahead: fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom(HOUR, DAY, -HOUR, -DAY, -3 * DAY) })
})
const override = fc.record({
  do: fc.constant('override' as const),
  feature,
  limit: fc.option(amount),
  overage: fc.boolean(),
  forMs: fc.option(fc.constantFrom(MINUTE, HOUR, DAY))
})
const endOverride = fc.record({ do: fc.constant('end override' as const), feature })

const counting: Array<{ weight: number, arbitrary: fc.Arbitrary<Step> }> = [
  { weight: 12, arbitrary: use },
  { weight: 2, arbitrary: set },
  { weight: 6, arbitrary: reserve },
  { weight: 6, arbitrary: commit },
  { weight: 2, arbitrary: release },
  { weight: 2, arbitrary: extend },
  { weight: 5, arbitrary: amend },
  { weight: 4, arbitrary: voided },
  { weight: 3, arbitrary: again }
]
/** At the same moment, so that they are committed in one batch, in an order that nobody knows. */
const together = fc.record({
  do: fc.constant('together' as const),
  steps: fc.array(fc.oneof(...counting), { minLength: 2, maxLength: 3 })
})

const step: fc.Arbitrary<Step> = fc.oneof(
  ...counting,
  { weight: 4, arbitrary: together },
  { weight: 8, arbitrary: wait },
  { weight: 3, arbitrary: subscribe },
  { weight: 2, arbitrary: override },
  { weight: 1, arbitrary: endOverride }
)

export const sequences: fc.Arbitrary<Sequence> = fc.record({
  plan: fc.constantFrom(...PLAN_NAMES), steps: fc.array(step, { ...STEPS, size: 'max' })
})

/** What a step asks for, now. @param sent what was asked for before, for what is sent again */
export function requestOf (step: Step, past: Past, sent: readonly Request[], name: string): Request | undefined {
  switch (step.do) {
    case 'report':
    case 'consume': {
      const { do: kind, feature, n, ago, set, id } = step
      return { do: kind, feature: FEATURES[feature] as string, n, at: ago === null ? null : past.now - ago, set, id: id === null ? name : `shared-${id}` }
    }
    case 'reserve': {
      const { feature, n, ttlSeconds, id } = step
      return { do: 'reserve', feature: FEATURES[feature] as string, n, ttlSeconds, id: id === null ? name : `shared-${id}` }
    }
    case 'commit':
    case 'release':
    case 'extend': {
      const { which, ...rest } = step
      const reservation = pick(reservationIds(past), which)
      return reservation === undefined ? undefined : { ...rest, reservation }
    }
    case 'amend':
    case 'void': {
      const { which, ...rest } = step
      const event = pick(eventIds(past), which)
      return event === undefined ? undefined : { ...rest, event, id: name }
    }
    case 'again': return sent.length === 0 ? undefined : sent[step.which % sent.length]
    default: return undefined
  }
}

export function changeOf (step: Step, { now }: Past): Change | undefined {
  switch (step.do) {
    case 'subscribe': return { do: 'subscribe', plans: step.plans, effectiveAt: step.ahead === null ? null : now + step.ahead }
    case 'override': {
      const { feature, limit, overage, forMs } = step
      return { do: 'override', feature: FEATURES[feature] as string, limit, overage, until: forMs === null ? null : now + forMs }
    }
    case 'end override': return { do: 'end override', feature: FEATURES[step.feature] as string }
    case 'wait': return step
    default: return undefined
  }
}

/** Seldom one that there is not; and none where there is nothing to pick from. */
function pick (ids: readonly string[], which: number): string | undefined {
  return which === NOWHERE ? 'nothing' : ids[which % ids.length]
}
