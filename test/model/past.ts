import { type Amount, WHOLE } from '../../src/domain/amount.ts'
import type { Aggregate, Grant, Instant } from '../../src/domain/entitlement.ts'
import { grantAt, type Org } from '../../src/domain/org.ts'
import type { Window } from '../../src/domain/window.ts'
import type { Answer } from './request.ts'

/** One org, now, and all that ever happened to it, in the order of arrival. Nothing is kept that could be recomputed. */
export interface Past {
  readonly org: Org
  readonly now: Instant
  readonly happened: readonly Happened[]
}

export interface Use {
  readonly what: 'use'
  readonly id: string
  readonly feature: string
  /** Of its window, as it was when it arrived: a window never begins anywhere else later. */
  readonly start: Instant
  readonly aggregate: Aggregate
  readonly mode: 'add' | 'set'
  readonly n: Amount
  readonly at: Instant
  readonly content: string
  readonly answer: Answer
}

export interface Correction {
  readonly what: 'correction'
  readonly id: string
  readonly event: string
  /** null: as if it had never been */
  readonly n: Amount | null
  readonly content: string
  readonly answer: Answer
}

export interface Hold {
  readonly what: 'hold'
  readonly id: string
  readonly feature: string
  readonly start: Instant
  readonly n: Amount
  readonly at: Instant
  readonly until: Instant
  readonly content: string
  readonly answer: Answer
}

export type Happened =
  | Use | Correction | Hold
  | { readonly what: 'extension', readonly reservation: string, readonly until: Instant }
  /** `inTime`: its units were still held. */
  | { readonly what: 'settlement', readonly reservation: string, readonly as: 'committed' | 'released', readonly inTime: boolean }

/** What a window's uses come to, each as it counts now. */
export function used (past: Past, feature: string, start: Instant): Amount {
  const uses = usesOf(past, feature, start)
  return uses[0] === undefined ? 0n : folded(uses[0].aggregate, uses)
}

/** A window has had uses ahead of its time, and then began under a plan that adds up in another way. */
export function hasOtherTerms (past: Past): boolean {
  return past.happened.some(it => {
    if (it.what !== 'use') return false
    const timeline = past.org.features.get(it.feature)?.timeline
    const window = timeline?.windowAt(it.start)
    return window?.start === it.start && timeline?.grantAtEnd(window)?.aggregate !== it.aggregate
  })
}

type Counted = Pick<Use, 'mode' | 'n' | 'at'>

export function usesOf (past: Past, feature: string, start: Instant): Array<Counted & { readonly aggregate: Aggregate }> {
  return past.happened.flatMap(it => {
    if (it.what !== 'use' || it.feature !== feature || it.start !== start) return []
    const correction = past.happened.findLast(later => later.what === 'correction' && later.event === it.id) as Correction | undefined
    const n = correction === undefined ? it.n : correction.n
    return n === null ? [] : [{ mode: it.mode, n, at: it.at, aggregate: it.aggregate }]
  })
}

/** A set forgets what was before it; after that each aggregate has its own way. */
export function folded (aggregate: Aggregate, uses: readonly Counted[]): Amount {
  const lastSet = uses.map(({ mode }) => mode).lastIndexOf('set')
  const [begin, adds] = [uses[lastSet], uses.slice(lastSet + 1)]
  switch (aggregate) {
    case 'sum': return adds.reduce((sum, { n }) => sum + n > 0n ? sum + n : 0n, begin?.n ?? 0n)
    case 'count': return (begin?.n ?? 0n) + BigInt(adds.length) * WHOLE
    case 'max': return adds.reduce((max, { n }) => n > max ? n : max, begin?.n ?? 0n)
    case 'last':
    case 'perpetual': return [...begin === undefined ? [] : [begin], ...adds].sort((a, b) => a.at - b.at).at(-1)?.n ?? 0n
  }
}

export function reserved (past: Past, feature: string, start: Instant): Amount {
  return holdsOf(past, feature, start)
    .filter(hold => settlementOf(past, hold) === undefined && untilOf(past, hold) > past.now)
    .reduce((sum, { n }) => sum + n, 0n)
}

/** One for every event of the window, and one whenever units are held or let go there. */
export function version (past: Past, feature: string, start: Instant): number {
  const uses = past.happened.filter(it => it.what === 'use' && it.feature === feature && it.start === start) as Use[]
  const corrections = past.happened.filter(it => it.what === 'correction' && uses.some(({ id }) => id === it.event))
  const holds = holdsOf(past, feature, start)
  return uses.length + corrections.length + holds.length + holds.filter(hold => settlementOf(past, hold)?.inTime === true).length
}

/** Windows in which something counts, or may yet. */
export function windowsUsed (past: Past): Array<{ readonly feature: string, readonly start: Instant }> {
  return past.happened.flatMap(it => {
    const counts = it.what === 'use' || (it.what === 'hold' && settlementOf(past, it) === undefined)
    return counts ? [{ feature: it.feature, start: it.start }] : []
  })
}

/** Ids of what may be corrected, and of what may not. */
export function eventIds ({ happened }: Past): string[] {
  return happened.flatMap(it => it.what === 'use' || it.what === 'correction' ? [it.id] : [])
}

export function reservationIds ({ happened }: Past): string[] {
  return happened.flatMap(it => it.what === 'hold' ? [it.id] : [])
}

/** Windows and what is granted in them have specifications of their own: here they are believed. */
export function granted ({ org, now }: Past, feature: string, at: Instant): Grant | null {
  const held = org.features.get(feature)
  return held === undefined ? null : grantAt(org, held, at, Math.max(at, now))
}

export function windowAt ({ org }: Past, feature: string, at: Instant): Window {
  return org.features.get(feature)?.timeline.windowAt(at) as Window
}

export function isVoided ({ happened }: Past, event: string): boolean {
  return happened.some(it => it.what === 'correction' && it.event === event && it.n === null)
}

export function holdOf ({ happened }: Past, id: string): Hold | undefined {
  return happened.find(it => it.what === 'hold' && it.id === id) as Hold | undefined
}

function holdsOf ({ happened }: Past, feature: string, start: Instant): Hold[] {
  return happened.filter(it => it.what === 'hold' && it.feature === feature && it.start === start) as Hold[]
}

export function settlementOf ({ happened }: Past, { id }: Hold) {
  const found = happened.find(it => it.what === 'settlement' && it.reservation === id)
  return found?.what === 'settlement' ? found : undefined
}

export function untilOf ({ happened }: Past, { id, until }: Hold): Instant {
  return Math.max(until, ...happened.flatMap(it => it.what === 'extension' && it.reservation === id ? [it.until] : []))
}
