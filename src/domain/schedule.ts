import { TollgateError } from '../errors.ts'
import type { Instant } from './entitlement.ts'
import { type Holding, holdingText, planText, type PlanRef } from './ids.ts'
import type { Properties } from './properties.ts'

export const STATUSES = ['active', 'trialing', 'cancelled', 'past_due', 'unpaid', 'incomplete', 'incomplete_expired'] as const
export type SubscriptionStatus = typeof STATUSES[number]

/** A plan, or one feature of a plan, held by an org for the half-open stretch `[startsAt, endsAt)`, never an empty one. */
export interface Subscription {
  /** Counted per environment: the smaller of two is the older. */
  readonly id: number
  readonly plan: PlanRef
  /** The one feature of the plan that is held (Tier's fragment); null: all of them. */
  readonly feature: string | null
  readonly startsAt: Instant
  /** Null: until it is changed. */
  readonly endsAt: Instant | null
  readonly status: SubscriptionStatus
  /** Where its periods are counted from; it may lie before the start, as a change of plan keeps it. */
  readonly anchorAt: Instant
  /** IANA name: its periods begin and end on this zone's clocks. */
  readonly timeZone: string
  /** What Tier's wire shows as the phase's `effective`; it may lie before the start, as Tier's does after a change. */
  readonly phaseAt: Instant
  /** Its owner's notes; absent: none. */
  readonly metadata?: Properties
}

/** What an org is to hold from one instant on. */
export interface Phase {
  /** Null: at once; for the first phase only. */
  readonly effectiveAt: Instant | null
  /** None: the subscription is cancelled; for the last phase only. */
  readonly holdings: readonly Holding[]
  readonly trial: boolean
}

export interface ScheduleRequest {
  /** All rows of the org, in any order. */
  readonly current: readonly Subscription[]
  readonly phases: readonly Phase[]
  readonly now: Instant
  /** For the new rows; those that stay keep theirs. */
  readonly timeZone: string
  /** Where the billing period that contains `now` began; null if nothing is in force. */
  readonly periodStart: Instant | null
  /** Where periods go on to be counted from if nothing is in force; null: from the start of what is subscribed to. */
  readonly resumedAnchorAt: Instant | null
  /** Is there usage, at or after this instant, of features that the change touches? Asked only of instants up to now. */
  readonly usedSince: (at: Instant) => boolean
}

/** What to do with the rows. A row is in at most one of `end` and `remove`. */
export interface ScheduleChange {
  /** Absent: the status stays as it is. */
  readonly end: ReadonlyArray<{ readonly id: number, readonly endsAt: Instant | null, readonly status?: SubscriptionStatus }>
  readonly remove: readonly number[]
  readonly add: ReadonlyArray<Omit<Subscription, 'id'>>
}

/** A stretch in which an org holds the same things, as Tier shows it; without holdings it is where it was cancelled. */
export interface ShownPhase {
  readonly effectiveAt: Instant
  /** The start of the next phase. */
  readonly endsAt: Instant | null
  /** Each once, in order of their ids. */
  readonly holdings: readonly Holding[]
  readonly trial: boolean
}

/** As Kana had it: whoever wants to give grace while a payment is tried again leaves the subscription active. */
const WITH_ACCESS: ReadonlySet<SubscriptionStatus> = new Set(['active', 'trialing'])

/** Does, or did, this row give access from its start to its end? One that was cancelled did, until it ended. */
export function givesAccess ({ status, endsAt }: Pick<Subscription, 'status' | 'endsAt'>): boolean {
  return WITH_ACCESS.has(status) || (status === 'cancelled' && endsAt !== null)
}

export function isOver (row: Pick<Subscription, 'endsAt'>, now: Instant): boolean {
  return !endsAfter(row, now)
}

/** The rows that grant something at an instant, the oldest first. */
export function inForce (subscriptions: readonly Subscription[], at: Instant): Subscription[] {
  return subscriptions
    .filter(row => givesAccess(row) && row.startsAt <= at && endsAfter(row, at))
    .sort((a, b) => a.id - b.id)
}

/**
 * The current phase, then those that are scheduled, with what is between and after them where it is nothing.
 * Nothing at all where nothing is in force or to come.
 */
export function phasesOf (subscriptions: readonly Subscription[], now: Instant): ShownPhase[] {
  const ahead = subscriptions.filter(row => givesAccess(row) && endsAfter(row, now))
  const changes = ahead.flatMap(row => [row.startsAt, row.endsAt ?? now]).filter(at => at > now).sort((a, b) => a - b)
  const distinct: ShownPhase[] = []
  for (const at of [now, ...changes]) {
    const phase = shownAt(inForce(ahead, at), at, now)
    const before = distinct.at(-1)
    if (before === undefined ? phase.holdings.length > 0 : !isSame(before, phase)) distinct.push(phase)
  }
  return distinct.map((phase, i) => ({ ...phase, endsAt: distinct[i + 1]?.effectiveAt ?? null }))
}

function shownAt (rows: readonly Subscription[], at: Instant, now: Instant): ShownPhase {
  const holdings = new Map(rows.map(({ plan, feature }) => [holdingText({ plan, feature }), { plan, feature }]))
  return {
    effectiveAt: at === now && rows.length > 0 ? Math.max(...rows.map(row => row.phaseAt)) : at,
    endsAt: null,
    holdings: [...holdings.keys()].sort().map(text => holdings.get(text) as Holding),
    trial: rows.length > 0 && rows.every(row => row.status === 'trialing')
  }
}

function isSame (a: ShownPhase, b: ShownPhase): boolean {
  return a.trial === b.trial && a.holdings.map(holdingText).join(' ') === b.holdings.map(holdingText).join(' ')
}

/**
 * Puts a schedule of phases in place of what is scheduled (Tier's subscribe). A first phase without a date takes effect
 * now; one in the future leaves the current phase in front; one in the past reaches back, unless usage lies behind it.
 * What is held already and stays as it is keeps its row. No phases: no change.
 * @throws TollgateError `invalid_request`, or Tier's `feature_not_found` for what is listed twice, naming `/phases/N/...`
 */
export function reschedule (request: ScheduleRequest): ScheduleChange {
  const { current, phases, now } = request
  const [first] = phases
  if (first === undefined) return { end: [], remove: [], add: [] }
  checkPhases(phases, now)
  const takeover = takeoverOf(request, first)
  const wanted = wantedRows(request, takeover)
  const kept = takeover.at > now ? new Map<number, Wanted>() : keptRows(current, wanted, takeover)
  const staying = new Set(kept.values())
  return { ...replaced(request, takeover, kept), add: wanted.filter(row => !staying.has(row)) }
}

type Wanted = Omit<Subscription, 'id'>

/** How a new schedule takes over from the old one. */
export interface Takeover {
  readonly at: Instant
  /** Of all new rows. */
  readonly anchorAt: Instant
  /** Of the first phase. */
  readonly phaseAt: Instant
  /** A date that was given moves the anchor, so a row with another one cannot stay. */
  readonly movesAnchor: boolean
}

export function takeoverOf (
  { current, now, periodStart, resumedAnchorAt, usedSince }: Omit<ScheduleRequest, 'phases'>, { effectiveAt }: Pick<Phase, 'effectiveAt'>
): Takeover {
  const held = inForce(current, now)
  const anchorAt = held[0]?.anchorAt ?? resumedAnchorAt ?? undefined
  if (effectiveAt === null) {
    // A change of plan starts no new billing period, so Tier shows the phase as one that began before it.
    const phaseAt = held.length === 0 ? now : Math.max(...held.map(row => row.phaseAt), periodStart ?? -Infinity)
    return { at: now, anchorAt: anchorAt ?? now, phaseAt, movesAnchor: false }
  }
  if (effectiveAt > now) return { at: effectiveAt, anchorAt: anchorAt ?? effectiveAt, phaseAt: effectiveAt, movesAnchor: false }
  // Usage was granted by what was held then: that stays as it was, and the change waits until now.
  return { at: usedSince(effectiveAt) ? now : effectiveAt, anchorAt: effectiveAt, phaseAt: effectiveAt, movesAnchor: true }
}

/** The rows of all phases; a phase that is over before the takeover has none. */
function wantedRows ({ phases, timeZone }: ScheduleRequest, { at, anchorAt, phaseAt }: Takeover): Wanted[] {
  return phases.flatMap((phase, i) => {
    const startsAt = Math.max(phase.effectiveAt ?? at, at)
    const endsAt = phases[i + 1]?.effectiveAt ?? null
    if (endsAt !== null && endsAt <= startsAt) return []
    const status = phase.trial ? 'trialing' : 'active'
    return phase.holdings.map(({ plan, feature }) =>
      ({ plan, feature, startsAt, endsAt, status, anchorAt, timeZone, phaseAt: phase.effectiveAt ?? phaseAt }) as const)
  })
}

/** Which rows in force at the takeover are what the first phase wants, by their ids. */
function keptRows (current: readonly Subscription[], wanted: readonly Wanted[], { at, movesAnchor }: Takeover): Map<number, Wanted> {
  const held = inForce(current, at)
  const kept = new Map<number, Wanted>()
  for (const want of wanted) {
    if (want.startsAt > at) continue
    const row = held.find(row => row.status === want.status && holdingText(row) === holdingText(want) &&
      (!movesAnchor || (row.anchorAt === want.anchorAt && row.phaseAt === want.phaseAt)))
    if (row !== undefined) kept.set(row.id, want)
  }
  return kept
}

/** What becomes of the rows there are. Those that were over by the takeover stay as they are. */
function replaced ({ current, now }: ScheduleRequest, { at }: Takeover, kept: ReadonlyMap<number, Wanted>): Omit<ScheduleChange, 'add'> {
  const inFront = new Set(at > now ? inForce(current, now) : [])
  const end: Array<{ id: number, endsAt: Instant | null }> = []
  const remove: number[] = []
  for (const row of [...current].sort((a, b) => a.id - b.id)) {
    const endsAt = kept.has(row.id) ? kept.get(row.id)?.endsAt ?? null : at
    if (kept.has(row.id) || inFront.has(row)) {
      if (row.endsAt !== endsAt) end.push({ id: row.id, endsAt })
    } else if (row.startsAt >= at || row.startsAt > now) {
      remove.push(row.id)
    } else if (endsAfter(row, at)) {
      end.push({ id: row.id, endsAt })
    }
  }
  return { end, remove }
}

function endsAfter (row: Pick<Subscription, 'endsAt'>, at: Instant): boolean {
  return row.endsAt === null || row.endsAt > at
}

function checkPhases (phases: readonly Phase[], now: Instant): void {
  let startsAt = -Infinity
  for (const [i, { effectiveAt, holdings }] of phases.entries()) {
    if (effectiveAt === null && i > 0) {
      throw invalid(`/phases/${i}/effective`, `phases[${i}].effective is missing: only the first phase may take effect at once`)
    }
    const at = effectiveAt ?? now
    if (at <= startsAt) throw invalid(`/phases/${i}/effective`, `phases[${i}].effective must be later than the start of the phase before`)
    if (holdings.length === 0 && i < phases.length - 1) {
      throw invalid(`/phases/${i}`, `phases[${i}] has no features, which cancels: only the last phase may`)
    }
    checkHoldings(holdings, `/phases/${i}/features`)
    startsAt = at
  }
}

/**
 * What is listed twice is refused with Tier's odd code and text; the problem says what it is.
 * @throws TollgateError `feature_not_found`
 */
export function checkHoldings (holdings: readonly Holding[], pointer: string): void {
  const whole = new Set<string>()
  const parts = new Set<string>()
  for (const [i, holding] of holdings.entries()) {
    const text = holdingText(holding)
    const plan = planText(holding.plan)
    const twice = whole.has(plan) || parts.has(holding.feature === null ? plan : text)
    if (twice) {
      const problems = [{ pointer: `${pointer}/${i}`, detail: `"${text}" is in this phase already` }]
      throw new TollgateError('feature_not_found', 'feature not found', { problems })
    }
    if (holding.feature === null) whole.add(plan)
    else parts.add(text).add(plan)
  }
}

function invalid (pointer: string, message: string): TollgateError {
  return new TollgateError('invalid_request', message, { pointer })
}
