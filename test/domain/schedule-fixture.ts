import { type Holding, holdingText, parseHolding } from '../../src/domain/ids.ts'
import {
  inForce, type Phase, phasesOf, reschedule, type ScheduleChange, type Subscription, type SubscriptionStatus
} from '../../src/domain/schedule.ts'
import { TollgateError } from '../../src/errors.ts'

/** Instants are days here: day 0, day 1 and so on. */
export type Given = { features?: string[], effective?: number, trial?: boolean }

function holding (text: string): Holding {
  return parseHolding(text, '/')
}

export function phase ({ features = [], effective, trial = false }: Given): Phase {
  return { effectiveAt: effective ?? null, holdings: features.map(holding), trial }
}

/** An org's rows, and what is done to them day by day. */
export function org (rows: Subscription[] = []) {
  let current = rows
  let nextId = Math.max(0, ...rows.map(row => row.id)) + 1
  return {
    /** @param used the last day with usage */
    subscribe (
      now: number, phases: Given[],
      { used = -Infinity, periodStart = null, resumedAnchorAt = null }:
      { used?: number, periodStart?: number | null, resumedAnchorAt?: number | null } = {}
    ) {
      const usedSince = (at: number) => used >= at
      const request = { current, phases: phases.map(phase), now, timeZone: 'UTC', periodStart, resumedAnchorAt, usedSince }
      const change = reschedule(request)
      current = applied(change)
      return change
    },
    /** `id what status from..to`, then the anchor and the phase where they are not the start. */
    rows: () => current.map(row => {
      const marks = [row.anchorAt !== row.startsAt && `anchor ${row.anchorAt}`, row.phaseAt !== row.startsAt && `phase ${row.phaseAt}`]
      return [`${row.id} ${holdingText(row)} ${row.status} ${row.startsAt}..${row.endsAt ?? ''}`, ...marks.filter(Boolean)].join(', ')
    }),
    phases: (now: number) => phasesOf(current, now).map(({ effectiveAt, endsAt, holdings, trial }) =>
      `${effectiveAt}..${endsAt ?? ''} ${holdings.map(holdingText).join(' + ') || 'nothing'}${trial ? ', trial' : ''}`),
    held: (at: number) => inForce(current, at).map(holdingText),
    current: () => current
  }

  function applied (change: ScheduleChange): Subscription[] {
    const kept = current.filter(row => !change.remove.includes(row.id)).map(row => {
      const end = change.end.find(({ id }) => id === row.id)
      return end === undefined ? row : { ...row, endsAt: end.endsAt }
    })
    return [...kept, ...change.add.map(row => ({ ...row, id: nextId++ }))]
  }
}

export function row (id: number, what: string, startsAt: number, endsAt: number | null, status: SubscriptionStatus = 'active'): Subscription {
  return { id, ...holding(what), startsAt, endsAt, status, anchorAt: startsAt, timeZone: 'UTC', phaseAt: startsAt }
}

export function refusal (phases: Given[], current: Subscription[] = []): unknown {
  try {
    org(current).subscribe(10, phases)
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error
    return { code: error.code, message: error.message, problems: error.problems }
  }
  return null
}
