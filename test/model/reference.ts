import { type Amount, amountText, WHOLE } from '../../src/domain/amount.ts'
import type { Aggregate, Grant, Instant } from '../../src/domain/entitlement.ts'
import type { Window } from '../../src/domain/window.ts'
import {
  type Correction, folded, granted, type Happened, type Hold, holdOf, isVoided, type Past, reserved, settlementOf, untilOf, type Use, used,
  usesOf, version, windowAt
} from './past.ts'
import type { Answer, Asked, Request } from './request.ts'

const AHEAD_MAX_MS = 300_000

class Refusal extends Error {}

/** What the service should say, and what has happened then. */
export function answered (past: Past, request: Request): { readonly answer: Answer, readonly past: Past } {
  try {
    const { answer, happened = [] } = judged(past, request)
    return { answer, past: { ...past, happened: [...past.happened, ...happened] } }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { answer: { refused: error.message }, past }
  }
}

interface Judged {
  readonly answer: Answer
  readonly happened?: readonly Happened[]
}

function judged (past: Past, request: Request): Judged {
  switch (request.do) {
    case 'report':
    case 'consume': return count(past, request)
    case 'reserve': return reserve(past, request)
    case 'commit': return commit(past, request)
    case 'release': return release(past, request)
    case 'extend': return extend(past, request)
    case 'amend':
    case 'void': return correct(past, request)
  }
}

function count (past: Past, request: Asked<'report' | 'consume'>): Judged {
  const { feature, n, set, id } = request
  const at = request.at ?? past.now
  if (at > past.now + AHEAD_MAX_MS) throw new Refusal('invalid_request')
  const content = contentOf(request)
  const again = replayed(past, id, content)
  if (again !== undefined) return { answer: again }
  const mode = set ? 'set' : 'add'
  const grant = granted(past, feature, at)
  if (request.do === 'consume') {
    const verdict = verdictOf(past, feature, grant, { mode, n, at }, at)
    if (verdict.ok === false) return { answer: { ...verdict, duplicate: false, voided: false } }
  }
  if (grant === null) throw new Refusal('feature_not_found')
  if (grant.type === 'boolean') throw new Refusal('invalid_request')
  return counted(past, { feature, grant, mode, n, at, id, content, window: windowAt(past, feature, at) })
}

interface Counting {
  readonly feature: string
  readonly grant: Grant
  readonly mode: 'add' | 'set'
  readonly n: Amount
  readonly at: Instant
  readonly id: string
  readonly content: string
  readonly window: Window
}

function counted (past: Past, { feature, grant, mode, n, at, id, content, window }: Counting): Judged & { answer: Answer } {
  checkAmount(grant.aggregate, mode, n)
  const { start } = window
  const before = used(past, feature, start)
  const use = { what: 'use', id, feature, start, aggregate: grant.aggregate, mode, n, at, content } as const
  const then = { ...past, happened: [...past.happened, { ...use, answer: {} }] }
  const after = used(then, feature, start)
  const held = reserved(past, feature, start)
  const { limit } = grant
  const reason = limit === null ? 'unlimited' : after + held <= limit ? 'within_limit' : after > before ? 'overage' : 'no_increase'
  const answer = {
    ok: true, reason, ...figures(limit, after, held), window: windowText(window), version: null, duplicate: false, voided: false
  }
  return { answer, happened: [{ ...use, answer }] }
}

function reserve (past: Past, request: Asked<'reserve'>): Judged {
  const { feature, id, ttlSeconds } = request
  const { now } = past
  if (request.n <= 0n) throw new Refusal('invalid_amount')
  const content = contentOf(request)
  const before = holdOf(past, id)
  if (before !== undefined) {
    if (before.content !== content) throw new Refusal('event_conflict')
    return { answer: { ok: true, ...shown(past, before), duplicate: true } }
  }
  const grant = granted(past, feature, now)
  if (grant?.type === 'boolean') throw new Refusal('invalid_request')
  if (grant !== null && grant.aggregate !== 'sum' && grant.aggregate !== 'count') throw new Refusal('invalid_request')
  const verdict = verdictOf(past, feature, grant, { mode: 'add', n: request.n, at: now }, now)
  if (grant === null || verdict.ok === false) return { answer: { ...verdict, late: false } }
  const n = grant.aggregate === 'count' ? WHOLE : request.n
  const window = windowAt(past, feature, now)
  const { start } = window
  const { overage: _, ...rest } = figures(grant.limit, used(past, feature, start), reserved(past, feature, start) + n)
  const hold = { what: 'hold', id, feature, start, n, at: now, until: now + ttlSeconds * 1_000, content } as const
  const answer = { n: amountText(n), at: now, window: windowText(window), ...rest }
  const made = { ...hold, answer }
  return { answer: { ok: true, ...shown({ ...past, happened: [...past.happened, made] }, made), duplicate: false }, happened: [made] }
}

function commit (past: Past, request: Asked<'commit'>): Judged {
  if (request.n !== null && request.n < 0n) throw new Refusal('invalid_amount')
  const hold = existing(past, request.reservation)
  const id = `${hold.id}/commit`
  const content = contentOf(request)
  const again = replayed(past, id, content)
  if (again !== undefined) return { answer: again }
  if (settlementOf(past, hold) !== undefined) throw new Refusal('reservation_conflict')
  const { feature, at } = hold
  const grant = granted(past, feature, at)
  if (grant === null) throw new Refusal('feature_not_found')
  const n = request.n ?? hold.n
  checkAmount(grant.aggregate, 'add', n)
  const inTime = untilOf(past, hold) > past.now
  const settlement = { what: 'settlement', reservation: hold.id, as: 'committed', inTime } as const
  const without = { ...past, happened: [...past.happened, settlement] }
  const verdict = verdictOf(without, feature, grant, { mode: 'add', n, at }, at)
  const takesNoMore = (grant.aggregate === 'count' ? WHOLE : n) <= hold.n
  const counts = verdict.ok === true || (inTime && takesNoMore)
  if (!counts) return { answer: { ...verdict, version: version(past, feature, hold.start), late: !inTime } }
  const { answer, happened = [] } = counted(without, { feature, grant, mode: 'add', n, at, id, content, window: windowAt(past, feature, at) })
  const said = { ...answer, late: !inTime }
  return { answer: said, happened: [settlement, ...happened.map(it => ({ ...it, answer: said }) as Use)] }
}

function release (past: Past, { reservation }: Asked<'release'>): Judged {
  const hold = existing(past, reservation)
  if (settlementOf(past, hold) !== undefined) return { answer: shown(past, hold) }
  const settlement = { what: 'settlement', reservation, as: 'released', inTime: untilOf(past, hold) > past.now } as const
  return { answer: shown({ ...past, happened: [...past.happened, settlement] }, hold), happened: [settlement] }
}

function extend (past: Past, { reservation, ttlSeconds }: Asked<'extend'>): Judged {
  const hold = existing(past, reservation)
  if (settlementOf(past, hold) !== undefined || untilOf(past, hold) <= past.now) throw new Refusal('reservation_conflict')
  const extension = { what: 'extension', reservation, until: Math.max(untilOf(past, hold), past.now + ttlSeconds * 1_000) } as const
  return { answer: shown({ ...past, happened: [...past.happened, extension] }, hold), happened: [extension] }
}

function correct (past: Past, request: Asked<'amend' | 'void'>): Judged {
  const { event, id } = request
  const n = request.do === 'void' ? null : request.n
  const content = contentOf(request)
  const again = replayed(past, id, content)
  if (again !== undefined) return { answer: again }
  const original = past.happened.find(it => (it.what === 'use' || it.what === 'correction') && it.id === event)
  if (original === undefined) throw new Refusal('event_not_found')
  if (original.what !== 'use' || isVoided(past, event)) throw new Refusal('correction_conflict')
  const { feature, start, at, aggregate, mode } = original
  if (n !== null) checkAmount(aggregate, mode, n)
  const correction = { what: 'correction', id, event, n, content } as const
  const then = { ...past, happened: [...past.happened, { ...correction, answer: {} }] }
  const grant = granted(past, feature, at)
  const { overage: _, ...rest } = figures(grant === null ? 0n : grant.limit, used(then, feature, start), reserved(past, feature, start))
  const answer = { ...rest, window: windowText(windowAt(past, feature, start)), duplicate: false }
  return { answer, happened: [{ ...correction, answer }] }
}

/** Of a new use of so much, in the window that contains `within`. */
export function verdictOf (
  past: Past, feature: string, grant: Grant | null, use: { readonly mode: 'add' | 'set', readonly n: Amount, readonly at: Instant }, within: Instant
): Answer {
  if (grant === null) {
    return { ok: false, reason: 'feature_not_found', ...figures(0n, 0n, 0n), window: null, version: 0 }
  }
  if (grant.type === 'boolean') throw new Refusal('invalid_request')
  checkAmount(grant.aggregate, use.mode, use.n)
  const window = windowAt(past, feature, within)
  const { start } = window
  const before = used(past, feature, start)
  const after = folded(grant.aggregate, [...usesOf(past, feature, start), use])
  const held = reserved(past, feature, start)
  const { limit, overage } = grant
  const reason = limit === null
    ? 'unlimited'
    : after + held <= limit ? 'within_limit' : after <= before ? 'no_increase' : overage ? 'overage' : 'limit_reached'
  return {
    ok: reason !== 'limit_reached',
    reason,
    ...figures(limit, before, held),
    window: windowText(window),
    version: version(past, feature, start)
  }
}

/** By id, the latest first. */
export function reservations (past: Past): Answer[] {
  return past.happened.flatMap(it => it.what === 'hold' ? [shown(past, it)] : [])
}

export function figures (limit: Amount | null, used: Amount, reserved: Amount): Answer {
  const left = limit === null ? null : limit - used - reserved
  return {
    used: amountText(used),
    reserved: amountText(reserved),
    limit: limit === null ? null : amountText(limit),
    remaining: left === null ? null : amountText(left > 0n ? left : 0n),
    overage: amountText(limit !== null && used > limit ? used - limit : 0n)
  }
}

export function windowText ({ start, end }: Window): string {
  return `${new Date(start).toISOString()}/${end === null ? '' : new Date(end).toISOString()}`
}

function shown (past: Past, hold: Hold): Answer {
  const settlement = settlementOf(past, hold)
  const until = untilOf(past, hold)
  const state = settlement?.as ?? (until <= past.now ? 'expired' : 'held')
  return { id: hold.id, state, expiresAt: until, event: state === 'committed' ? `${hold.id}/commit` : null, ...hold.answer }
}

function replayed (past: Past, id: string, content: string): Answer | undefined {
  const known = past.happened.find(it => (it.what === 'use' || it.what === 'correction') && it.id === id) as Use | Correction | undefined
  if (known === undefined) return undefined
  if (known.content !== content) throw new Refusal('event_conflict')
  return { ...known.answer, duplicate: true, ...(known.what === 'use' && { voided: isVoided(past, id) }) }
}

function existing (past: Past, id: string): Hold {
  const hold = holdOf(past, id)
  if (hold === undefined) throw new Refusal('reservation_not_found')
  return hold
}

function checkAmount (aggregate: Aggregate, mode: 'add' | 'set', n: Amount): void {
  if (n < 0n && (mode === 'set' || aggregate !== 'sum')) throw new Refusal('invalid_amount')
}

/** All of it but its own name. */
function contentOf ({ do: kind, ...request }: Request): string {
  const { id: _, ...rest } = request as typeof request & { id?: string }
  return JSON.stringify([kind, rest], (_key, value) => typeof value === 'bigint' ? amountText(value) : value)
}
