import type { EventRow, LedgerRows } from '../e2e/ledger-rows.ts'
import { isCounted, type Work } from './history.ts'

/** How finely instants are told apart. */
export const CLOCK_MS = 2

const ANY_TIME = { from: -Infinity, until: Infinity }
const EMPTY: State = { used: 0n, ...ANY_TIME, readUntil: Infinity }

/** One state of a window's total, and when it can have been the ledger's. */
export interface State {
  readonly used: bigint
  /** It was not there before this instant. */
  readonly from: number
  /** It was not there after this instant. */
  readonly until: number
  /** Something that was counted after it, in the same window, had been answered at this instant: then every read shows that. */
  readonly readUntil: number
}

export interface Timelines {
  /** The states of the window of `feature` that ends at `windowEnd`, in order. */
  statesOf (org: string, feature: string, windowEnd: number | null): readonly State[]
  /** Events that stand in an order in which they cannot have happened, one line each. */
  readonly misplaced: readonly string[]
}

interface Committed {
  readonly event: EventRow
  /** Not before it, or one that stands before it, was sent. */
  from: number
  /** Not after it, or one that stands after it, was answered. */
  until: number
  /** When it was answered itself. */
  readonly answeredAt: number
}

/**
 * When each event of an org was committed, as near as callers can tell: an org's events are committed in the order of
 * `seq`, so each lies between the sending of every earlier one and the answers to every later one.
 */
export function timelinesOf ({ events }: LedgerRows, works: readonly Work[]): Timelines {
  const bounds = new Map(works.map(work => [`${work.org} ${work.call.event}`, boundsOf(work)]))
  const misplaced: string[] = []
  const states = new Map<string, State[]>()
  for (const org of new Set(events.map(event => event.org))) {
    const committed = events.filter(event => event.org === org).map((event): Committed => {
      const bound = bounds.get(`${org} ${event.id}`) ?? ANY_TIME
      return { event, ...bound, answeredAt: bound.until }
    })
    tighten(committed)
    for (const it of committed) {
      if (it.from > it.until + CLOCK_MS) misplaced.push(`${org} event ${it.event.id}: sent after one behind it was answered`)
      addState(states, it)
    }
  }
  for (const ofWindow of states.values()) tightenReads(ofWindow)
  return {
    statesOf: (org, feature, windowEnd) => states.get(`${org} ${feature} ${windowEnd}`) ?? [EMPTY],
    misplaced
  }
}

function boundsOf ({ attempts }: Work): { from: number, until: number } {
  return { from: attempts[0]?.sentAt ?? -Infinity, until: attempts.find(isCounted)?.endedAt ?? Infinity }
}

function tighten (committed: Committed[]): void {
  let latest = -Infinity
  for (const it of committed) it.from = latest = Math.max(latest, it.from)
  let earliest = Infinity
  for (const it of committed.toReversed()) it.until = earliest = Math.min(earliest, it.until)
}

function addState (states: Map<string, State[]>, { event, from, until, answeredAt }: Committed): void {
  const { org, feature, windowEnd, usedAfter } = event
  const key = `${org} ${feature} ${windowEnd}`
  const before = states.get(key) ?? [EMPTY]
  const last = before.at(-1) as State
  states.set(key, before)
  before[before.length - 1] = { ...last, until, readUntil: answeredAt }
  before.push({ used: usedAfter, from, until: Infinity, readUntil: Infinity })
}

/** What stands after it in the same window was written after it, whichever of them was answered first. */
function tightenReads (states: State[]): void {
  let earliest = Infinity
  for (let i = states.length - 1; i >= 0; i -= 1) {
    const state = states[i] as State
    earliest = Math.min(earliest, state.readUntil)
    states[i] = { ...state, readUntil: earliest }
  }
}
