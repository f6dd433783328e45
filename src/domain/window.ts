import { combine, type Grant, type Instant, overridden, type Override, type Term, termsAt } from './entitlement.ts'
import { TIME_BEGIN, type Window, windowOf } from './period.ts'

export type { Window } from './period.ts'

/**
 * One feature of one org through all time: what is granted, and the windows in which usage adds up. The windows
 * partition time: each instant from `TIME_BEGIN` on lies in exactly one. All look-ups are O(log n) in the terms.
 */
export interface Timeline {
  /** Where the first term starts; Infinity without terms. */
  readonly start: Instant
  /** Null in a gap between terms and after the last. Before the first term its grant applies already. */
  grantAt (at: Instant): Grant | null
  /** The end knows the changes that are scheduled. It is when usage is next at 0; null: never. */
  windowAt (at: Instant): Window
  /**
   * The grant by which a window as a whole is judged: the one in force just before its end, or where it ends in a gap
   * the last that was held inside it; null where none was.
   * @param window as `windowAt` gave it
   */
  grantAtEnd (window: Window): Grant | null
  /**
   * Windows, newest first: from the one that contains the instant just before `before`, back to the one that contains
   * `notBefore`, at most `countMax`. Continue a page with the `start` of its last window as `before`.
   */
  windowsBack (before: Instant, countMax: number, notBefore: Instant): Window[]
}

/** From `start` to the start of the next one the same terms are in force. */
interface Stretch {
  readonly start: Instant
  readonly grant: Grant | null
}

/** Windows that share a grid and an aggregate: those of its grant. Where the next era starts, a window is cut. */
interface Era extends Stretch {
  readonly grant: Grant
}

/**
 * @param terms of one feature of one org, in any order; a term that ends where it starts or before says nothing
 * @param overrides of the same, in order; they do not overlap
 */
export function timeline (terms: readonly Term[], overrides: readonly Override[] = []): Timeline {
  return new StretchedTimeline(terms, overrides)
}

/** A class, because a process keeps hundreds of thousands: of closures each would have its own. */
class StretchedTimeline implements Timeline {
  readonly start: Instant
  readonly #stretches: readonly Stretch[]
  readonly #eras: readonly Era[]
  /** Most questions are about now, whose window they share. */
  #known: Window | undefined

  constructor (terms: readonly Term[], overrides: readonly Override[]) {
    const held = stretchesOf(terms)
    // From what is held alone: an override changes figures, never the shape of a window.
    this.#eras = erasOf(held)
    this.#stretches = overrides.length === 0 ? held : withOverrides(held, overrides)
    this.start = held[0]?.start ?? Infinity
  }

  grantAt (at: Instant): Grant | null {
    return this.#stretches[indexAt(this.#stretches, at)]?.grant ?? null
  }

  windowAt (at: Instant): Window {
    const known = this.#known
    if (known !== undefined && at >= known.start && (known.end === null || at < known.end)) return known
    return (this.#known = windowIn(this.#eras, at))
  }

  grantAtEnd (window: Window): Grant | null {
    return grantAtEnd(this.#stretches, window)
  }

  windowsBack (before: Instant, countMax: number, notBefore: Instant): Window[] {
    const windows: Window[] = []
    const floor = Math.max(notBefore, TIME_BEGIN)
    for (let cursor = before; cursor > floor && windows.length < countMax;) {
      const window = this.windowAt(cursor - 1)
      windows.push(window)
      cursor = window.start
    }
    return windows
  }
}

/** A window that something was counted in, as it is now: it starts where it did, and may have been cut short since. */
export function windowNow (timeline: Timeline, then: Window): Window {
  const window = timeline.windowAt(then.start)
  return window.start === then.start ? window : then
}

/** Quadratic in the terms, of which one feature has a handful. Never two stretches without a grant in a row. */
function stretchesOf (terms: readonly Term[]): Stretch[] {
  const held = terms.filter(term => term.end === null || term.end > term.start)
  const breakpoints = new Set(held.flatMap(({ start, end }) => end === null ? [start] : [start, end]))
  return [...breakpoints].sort((a, b) => a - b).map(start => ({
    start,
    grant: combine(termsAt(held, start))
  }))
}

/** Divides what is held where an override starts or ends; it gives nothing where nothing is held. */
function withOverrides (stretches: readonly Stretch[], overrides: readonly Override[]): Stretch[] {
  return stretches.flatMap((stretch, i) => {
    const { start, grant } = stretch
    if (grant === null) return [stretch]
    const end = stretches[i + 1]?.start ?? Infinity
    const parts: Stretch[] = []
    let at = start
    for (const override of overrides) {
      const until = override.end ?? Infinity
      if (override.start >= end || until <= start) continue
      if (override.start > at) parts.push({ start: at, grant })
      parts.push({ start: Math.max(override.start, start), grant: overridden(grant, override) })
      at = until
    }
    return at < end ? [...parts, { start: at, grant }] : parts
  })
}

/**
 * A gap begins no era, and neither does a grant that comes after it with the grid of the one before: who cancels and
 * comes back must not find a fresh allowance.
 */
function erasOf (stretches: readonly Stretch[]): Era[] {
  const eras: Era[] = []
  for (const stretch of stretches) {
    const [{ grant }, era] = [stretch, eras.at(-1)]
    if (grant !== null && (era === undefined || !keeps(era.grant, grant))) eras.push(stretch as Era)
  }
  // What was pushed to has room to grow; a copy has not.
  return [...eras]
}

/** What never resets has no boundaries to count, so a new anchor or zone does not hand out a second lifetime allowance. */
function keeps (before: Grant, grant: Grant): boolean {
  if (before.reset !== grant.reset || before.aggregate !== grant.aggregate) return false
  return before.reset === 'never' || (before.anchor.at === grant.anchor.at && before.anchor.timeZone === grant.anchor.timeZone)
}

/** The window of the grid in force, clipped to its era; the first era reaches back without end. */
function windowIn (eras: readonly Era[], at: Instant): Window {
  const index = indexAt(eras, at)
  const era = eras[index]
  if (era === undefined) return { start: TIME_BEGIN, end: null }
  const { start, end } = windowOf(era.grant, at)
  const nextCut = eras[index + 1]?.start ?? null
  return {
    start: index === 0 ? start : Math.max(start, era.start),
    end: end === null || (nextCut !== null && nextCut < end) ? nextCut : end
  }
}

function grantAtEnd (stretches: readonly Stretch[], { start, end }: Window): Grant | null {
  const index = end === null ? stretches.length - 1 : indexAt(stretches, end - 1)
  const last = stretches[index]
  if (last === undefined || last.grant !== null) return last?.grant ?? null
  return last.start > start ? stretches[index - 1]?.grant ?? null : null
}

/** The last that starts at `at` or before, else the first: what comes first also applies to the time before it. */
function indexAt (list: ReadonlyArray<{ readonly start: Instant }>, at: Instant): number {
  let low = 0
  let high = list.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((list[middle]?.start ?? Infinity) <= at) low = middle
    else high = middle - 1
  }
  return low
}
