import { Type } from 'typebox'
import type { Aggregate, Combine, FeatureType, Reset } from '../domain/entitlement.ts'
import { ROLES, type Role } from '../domain/explanation.ts'
import type { ExplainedAnswer } from '../operations/explain.ts'
import type { Sample } from '../storage/evidence.ts'
import { Figure, FigureOrUnlimited, Time, TimeOrNull, timeText, timeTextOrNull, Window } from './schemas.ts'

const Count = {
  count: Type.Integer({ description: 'Up to 1,000' }),
  more: Type.Boolean({ description: 'There are more than were counted' })
}

/** What made a verdict, for whoever asks why. */
export const Explanation = Type.Object({
  at: Time,
  entitlements: Type.Array(Type.Object({
    role: Type.Unsafe<Role>({
      type: 'string',
      enum: ROLES,
      description: '`decides`: its limit, overage, reset and anchor count. `adds`: its limit is added. `outranked`: another one\'s limit is ' +
        'higher. `ignored`: it gives access only, where another one has amounts'
    }),
    subscription: Type.Integer(),
    plan: Type.String(),
    type: Type.Unsafe<FeatureType>(Type.String()),
    combine: Type.Unsafe<Combine>(Type.String()),
    limit: FigureOrUnlimited,
    overage: Type.Boolean(),
    startsAt: Time,
    endsAt: TimeOrNull
  }), { description: 'Those in force now. None: the feature is not held' }),
  override: Type.Union([Type.Object({
    limit: FigureOrUnlimited,
    overage: Type.Unsafe<boolean | null>({ type: ['boolean', 'null'], description: 'null: as the plan has it' }),
    startsAt: Time,
    endsAt: TimeOrNull,
    reason: Type.String()
  }), Type.Null()], { description: 'Its limit takes the place of theirs' }),
  aggregate: Type.Unsafe<Aggregate | null>({ type: ['string', 'null'], description: 'How events add up; null: nothing is counted' }),
  reset: Type.Unsafe<Reset | null>({ type: ['string', 'null'], description: 'How long a window is; null: nothing is counted' }),
  anchor: Type.Union([Type.Object({
    at: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time', description: 'null: the calendar' }),
    timeZone: Type.String()
  }), Type.Null()], { description: 'Where windows are counted from; null: nothing is counted' }),
  window: Type.Union([Window, Type.Null()]),
  events: Type.Object({
    ...Count,
    latest: Type.Array(Type.Object({
      id: Type.String(),
      at: Time,
      mode: Type.String(),
      n: Figure,
      delta: Type.Unsafe<bigint>({ type: 'number', description: 'The change it made' }),
      usedAfter: Figure
    }))
  }, { description: 'Of this window, and the ten with the latest instants of use' }),
  reservations: Type.Object({
    ...Count,
    live: Type.Array(Type.Object({ id: Type.String(), at: Time, n: Figure, expiresAt: Time }))
  }, { description: 'Those that count, and the ten that expire first' })
})

const NONE: Sample<never> = { items: [], count: 0, more: false }

export function explanationAnswer ({ answer: { at, window }, explanation: { grant, terms, override }, reason, counter }: ExplainedAnswer) {
  const { events = NONE, reservations = NONE } = counter ?? {}
  const counts = grant !== null && window !== null
  return {
    at: timeText(at),
    entitlements: terms.map(({ role, plan, term: { subscription, start, end, entitlement: { type, combine, limit, overage } } }) =>
      ({ role, subscription, plan, type, combine, limit, overage, startsAt: timeText(start), endsAt: timeTextOrNull(end) })),
    override: override === null
      ? null
      : {
          limit: override.limit,
          overage: override.overage,
          startsAt: timeText(override.start),
          endsAt: timeTextOrNull(override.end),
          reason: reason ?? ''
        },
    aggregate: counts ? grant.aggregate : null,
    reset: counts ? grant.reset : null,
    anchor: counts ? { at: timeTextOrNull(grant.anchor.at), timeZone: grant.anchor.timeZone } : null,
    window: window === null ? null : { start: timeText(window.start), end: timeTextOrNull(window.end) },
    events: {
      count: events.count,
      more: events.more,
      latest: events.items.map(({ at, amount: n, ...event }) => ({ ...event, at: timeText(at), n }))
    },
    reservations: {
      count: reservations.count,
      more: reservations.more,
      live: reservations.items.map(({ id, at, amount: n, expiresAt }) => ({ id, at: timeText(at), n, expiresAt: timeText(expiresAt) }))
    }
  }
}
