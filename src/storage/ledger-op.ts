import type { TollgateError } from '../errors.ts'
import type { Amount } from '../domain/amount.ts'
import type { Verdict } from '../domain/counter.ts'
import type { Instant } from '../domain/entitlement.ts'
import type { Org } from '../domain/org.ts'
import type { ReservationState } from '../domain/reservation.ts'
import type { Window } from '../domain/window.ts'
import type { Publication } from './mirror.ts'

/** What every op says. */
interface Asked {
  /** As this process last saw it; read again under its lock if its version has moved on. */
  readonly org: Org
  readonly feature: string
  readonly at: Instant
  /** The environment's frozen time; null: the clock on the wall, as it is when the batch is judged. */
  readonly fixedNow: Instant | null
  /** `at` is the wall clock's now: not before a change of the org that a clock ahead of ours made. */
  readonly atIsNow: boolean
  /** Of the event, or of the reservation, that it makes. */
  readonly id: string
  /** The caller chose the id, so it may be there already. */
  readonly idGiven: boolean
  /** A UUID's worth of the hash of the request as it was sent. */
  readonly fingerprint: string
}

/** `report` counts; `consume` counts if the limit allows. */
export interface CountOp<Kind extends 'report' | 'consume' = 'report' | 'consume'> extends Asked {
  readonly kind: Kind
  readonly mode: 'add' | 'set'
  readonly amount: Amount
  /** JSON text. */
  readonly properties: string | null
}

/** Holds units, if the limit allows. */
export interface HoldOp extends Asked {
  readonly kind: 'hold'
  readonly amount: Amount
  readonly ttlMs: number
}

/** What never changes of the reservation that an op settles; `at` of such an op is that of the hold. */
interface Settling extends Asked {
  readonly reservation: string
  readonly window: Window
}

/** Counts in place of what is held, in its window; `id` is the event's. */
export interface CommitOp extends Settling {
  readonly kind: 'commit'
  /** null: what is held */
  readonly amount: Amount | null
}

export interface ReleaseOp extends Settling {
  readonly kind: 'release'
}

/** Holds from now on for as long again. */
export interface ExtendOp extends Settling {
  readonly kind: 'extend'
  readonly ttlMs: number
}

/** Puts another amount, or nothing, in the place of what an event said. */
export interface CorrectOp extends Omit<Asked, 'feature' | 'at' | 'atIsNow'> {
  readonly kind: 'correct'
  /** The id of the event that is corrected. */
  readonly refersTo: string
  /** null: void it */
  readonly amount: Amount | null
  readonly reason: string | null
  readonly actor: string
}

export type LaneOp = CountOp | HoldOp | CommitOp | ReleaseOp | ExtendOp
export type Op = LaneOp | CorrectOp

/** What was stored of an event: the answer to it, now and whenever it is sent again. */
export interface Recorded {
  readonly usedAfter: Amount
  readonly reservedAfter: Amount
  /** null: unlimited */
  readonly limitAfter: Amount | null
  /** The change of the total. */
  readonly delta: Amount
  readonly window: Window
  /** What a correction, or a commit after its hold had expired, says of itself. */
  readonly reason: string | null
  readonly duplicate: boolean
  /** It was voided since. */
  readonly voided: boolean
}

/** Nothing was counted or held, because of the limit. */
export interface Denied {
  readonly denied: Verdict
  /** Of the counter on which the verdict was passed; 0: nothing was ever counted. */
  readonly version: number
  readonly window: Window | null
  /** A commit whose hold had expired. */
  readonly late: boolean
}

export interface StoredReservation {
  readonly id: string
  readonly feature: number
  readonly at: Instant
  readonly window: Window
  readonly amount: Amount
  readonly expiresAt: Instant
  readonly state: ReservationState
  /** The figures of the first answer. */
  readonly used: Amount
  readonly reserved: Amount
  readonly limit: Amount | null
  readonly fingerprint: string
}

export interface Reserved {
  readonly reservation: StoredReservation
  readonly duplicate: boolean
}

interface Answers {
  readonly report: Recorded
  readonly consume: Recorded | Denied
  readonly hold: Reserved | Denied
  readonly commit: Recorded | Denied
  readonly release: Reserved
  readonly extend: Reserved
  readonly correct: Recorded
}

export type Answer = Answers[keyof Answers]
export type AnswerTo<Asked extends Op> = Answers[Asked['kind']]

export type Outcome = { readonly answer: Answer } | { readonly refused: TollgateError }

export interface Committed {
  /** One per op, in order. */
  readonly outcomes: readonly Outcome[]
  readonly publications: readonly Publication[]
  /** It was written from what was remembered, without reading first. */
  readonly ahead: boolean
}

/** The connection failed. `sent`: the commit was on its way, so whether it happened is not known. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
  readonly sent: boolean
  /** With what was sent: the ops that were new to the ledger then, so that finding them later is no duplicate. */
  readonly fresh: readonly Op[]
  /** The same of a batch that went ahead, which did not look whether they were new: by what they would be answered. */
  readonly hoped: ReadonlyMap<Op, Recorded>
  constructor (sent: boolean, fresh: readonly Op[], cause: unknown, hoped: ReadonlyMap<Op, Recorded> = new Map()) {
    super('the connection to the ledger was lost', { cause })
    this.sent = sent
    this.fresh = fresh
    this.hoped = hoped
  }
}
