import type { LRUCache } from 'lru-cache'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { TollgateError } from '../errors.ts'
import { type CounterMemory, counterMemory } from './counter-memory.ts'
import { type Database, isStatementError, type Lane, ROLLBACK, sqlState } from './database.ts'
import { commitBatch } from './ledger-batch.ts'
import { commitCorrection } from './ledger-correction.ts'
import { type Answer, type AnswerTo, type Committed, ConnectionLost, type CorrectOp, type LaneOp, type Op, type Outcome, type Recorded } from './ledger-op.ts'
import type { Mirror, Publication } from './mirror.ts'
import { type Busy, orgLanes } from './org-lanes.ts'
import type { Orgs } from './orgs.ts'
import { recent } from './recent.ts'

const BATCH_OPS_MAX = 500
/** A correction may have to read a whole window: the next one has its own transaction. */
const BATCH_CORRECTIONS_MAX = 1
const WAITING_OPS_MAX = 20_000
/** A batch of 500 takes 30 ms or so. */
const BATCH_SLOW_MS = 50
const TOLD_ORGS_MAX = 50_000
/** How long a batch whose outcome is unknown is sent again, with the same ids. */
const OUTCOME_PATIENCE_MS = 10_000
/** How long a batch that has surely not been counted waits for the ledger to come back. */
const OUTAGE_PATIENCE_MS = 1_500
const RETRY_DELAY_MS = 100
/** Deadlock, serialization failure, lock and statement timeouts, a session ended for idling: the same batch may pass next time. */
const RETRIED = new Set(['40P01', '40001', '55P03', '57014', '25P03'])

/** What the ledger tells about itself; numbers for metrics, and failures that no caller hears of. */
export interface LedgerEvents {
  /** @param ahead it was written without reading first */
  batch (ops: number, commitMs: number, ahead: boolean): void
  retry (reason: string): void
  unknownOutcome (): void
  publishFailed (error: unknown): void
}

export interface Ledger {
  /**
   * Resolves when what the op makes is durable, counted, and in the next read everywhere; or when a limit has denied it.
   * @throws TollgateError why it was refused; `outcome_unknown` with the op's id if that could not be found out
   */
  append<Asked extends Op> (op: Asked): Promise<AnswerTo<Asked>>
  waiting (): number
  /** Finishes what was taken on, then refuses. */
  close (): Promise<void>
}

interface Pending {
  readonly op: Op
  readonly since: number
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: TollgateError) => void
}

export interface LedgerStores {
  readonly database: Database
  readonly orgs: Orgs
  readonly mirror: Mirror | undefined
  /** How old a mirror entry may be to be believed. */
  readonly mirrorAgeMaxMs: number
  readonly events: LedgerEvents
}

/**
 * Group commit (design 4.1): a lane that is free takes everything that waits for it, so there is no timer, and batches
 * grow by themselves with the load. All ops of an org that are under way are on one lane, in their order of arrival.
 */
export function ledger (stores: LedgerStores): Ledger {
  let waiting = 0
  let closing = false
  const memory = counterMemory()
  const shared = { stores, memory, told: recent<number, Told>(TOLD_ORGS_MAX) }
  const taken = (ops: number): void => { waiting -= ops }
  const settled = (ops: readonly Pending[]): void => orgs.settled(ops.map(({ op }) => op.org.key))
  const laneOf = (): LaneWorker => laneWorker({ ...shared, commit: commitWith(memory), batchMax: BATCH_OPS_MAX, taken, settled })
  const lanes = [laneOf(), laneOf()] as const
  const orgs = orgLanes<LaneWorker>(lanes)
  const corrections = laneWorker({ ...shared, commit: commitCorrections, batchMax: BATCH_CORRECTIONS_MAX, taken, settled: () => {} })

  return {
    append: <Asked extends Op>(op: Asked) => new Promise<AnswerTo<Asked>>((resolve, reject) => {
      if (closing) return reject(new TollgateError('stopping'))
      if (waiting >= WAITING_OPS_MAX) return reject(new TollgateError('overloaded', undefined, { retryAfterSeconds: 1 }))
      waiting += 1
      const lane = op.kind === 'correct' ? corrections : orgs.laneFor(op.org.key)
      lane.push({ op, since: performance.now(), resolve: resolve as (answer: Answer) => void, reject })
    }),
    waiting: () => waiting,
    close: async () => {
      closing = true
      await Promise.all([...lanes, corrections].map(async lane => await lane.close()))
    }
  }
}

interface LaneWorker extends Busy {
  push (pending: Pending): void
  close (): Promise<void>
}

type Commit = (lane: Lane, ops: readonly Op[], orgs: Orgs, checkIds: boolean) => Promise<Committed>

const commitWith = (memory: CounterMemory): Commit => async (lane, ops, orgs, checkIds) =>
  await commitBatch(lane, ops as readonly LaneOp[], orgs, memory, checkIds)

const commitCorrections: Commit = async (lane, [op], orgs, checkIds) => {
  try {
    return await commitCorrection(lane, op as CorrectOp, orgs, checkIds)
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error
    await lane.run([ROLLBACK])
    return { outcomes: [{ refused: error }], publications: [], ahead: false }
  }
}

/** What an org's version was when the mirror took it, and the confirmation. */
type Told = Pick<Publication, 'version' | 'confirmedAt'>

interface LaneOptions {
  readonly stores: LedgerStores
  readonly commit: Commit
  readonly memory: CounterMemory
  readonly told: LRUCache<number, Told>
  readonly batchMax: number
  /** Told how many do not wait any more. */
  readonly taken: (ops: number) => void
  readonly settled: (ops: readonly Pending[]) => void
}

function laneWorker ({ batchMax, taken, settled, ...options }: LaneOptions): LaneWorker {
  let queue: Pending[] = []
  let working: Promise<void> | undefined
  let begunAt = Infinity
  const state: LaneState = { ...options, connection: undefined, answers: new Set() }

  async function work (): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.splice(0, batchMax)
      taken(batch.length)
      begunAt = performance.now()
      await settle(state, batch, { unknown: false, fresh: new Set(), hoped: new Map() })
      settled(batch)
    }
    begunAt = Infinity
    working = undefined
  }

  return {
    push: pending => {
      queue.push(pending)
      // At the end of this turn of the event loop: what arrives together is committed together.
      working ??= new Promise<void>(resolve => setImmediate(resolve)).then(work)
    },
    waiting: () => queue.length,
    isSlow: () => performance.now() - begunAt > BATCH_SLOW_MS,
    close: async () => {
      await working
      await Promise.all(state.answers)
      queue = []
      await state.connection?.close()
    }
  }
}

interface LaneState extends Pick<LaneOptions, 'stores' | 'commit' | 'memory' | 'told'> {
  connection: Lane | undefined
  /** What is committed and on its way to its callers. */
  readonly answers: Set<Promise<void>>
}

/** What is known of earlier attempts to commit the same ops. */
interface Attempts {
  /** One may have been committed, so every id is looked for. */
  unknown: boolean
  /** Ops that were new to the ledger in an attempt whose answer was lost: finding them now is no duplicate. */
  readonly fresh: Set<Op>
  /** Of an attempt that went ahead: new if what is found is this. */
  readonly hoped: Map<Op, Recorded>
}

/** Brings a batch to its end: every caller in it is answered. */
async function settle (state: LaneState, batch: readonly Pending[], attempts: Attempts): Promise<void> {
  const { stores, answers } = state
  for (;;) {
    const started = performance.now()
    state.connection ??= stores.database.lane()
    try {
      const committed = await state.commit(state.connection, batch.map(({ op }) => op), stores.orgs, attempts.unknown)
      stores.events.batch(batch.length, performance.now() - started, committed.ahead)
      const answered = answer(state, batch, committed, attempts).finally(() => answers.delete(answered))
      answers.add(answered)
      return
    } catch (error) {
      if (error instanceof ConnectionLost) {
        attempts.unknown ||= error.sent
        for (const op of error.fresh) attempts.fresh.add(op)
        for (const [op, recorded] of error.hoped) attempts.hoped.set(op, recorded)
        await drop(state)
      } else {
        await state.connection.run([ROLLBACK]).catch(async () => await drop(state))
        if (!RETRIED.has(sqlState(error) ?? '')) return await oneByOne(state, batch, attempts, error)
      }
      stores.events.retry(error instanceof ConnectionLost ? 'connection' : sqlState(error) ?? 'error')
      const patienceMs = attempts.unknown ? OUTCOME_PATIENCE_MS : OUTAGE_PATIENCE_MS
      const isLate = ({ since }: Pending): boolean => performance.now() - since > patienceMs
      const late = batch.filter(isLate)
      for (const pending of late) giveUp(stores, pending, attempts.unknown, error)
      batch = batch.filter(pending => !late.includes(pending))
      if (batch.length === 0) return
      await sleep(RETRY_DELAY_MS)
    }
  }
}

async function drop (state: LaneState): Promise<void> {
  const { connection } = state
  state.connection = undefined
  state.memory.forget()
  await connection?.close().catch(() => {})
}

/** Something in the batch is at fault; alone, each op meets its own fate. */
async function oneByOne (state: LaneState, batch: readonly Pending[], attempts: Attempts, error: unknown): Promise<void> {
  if (batch.length > 1) {
    for (const pending of batch) await settle(state, [pending], attempts)
    return
  }
  const [pending] = batch as [Pending]
  if (attempts.unknown) return giveUp(state.stores, pending, true, error)
  pending.reject(isStatementError(error) && /^2[23]/.test(sqlState(error) ?? '')
    ? new TollgateError('invalid_request', 'the ledger cannot store this event', { cause: error })
    : new TollgateError('internal_error', undefined, { cause: error }))
}

function giveUp (stores: LedgerStores, { op, reject }: Pending, unknown: boolean, cause: unknown): void {
  if (!unknown) return reject(new TollgateError('ledger_unavailable', undefined, { cause, retryAfterSeconds: 1 }))
  stores.events.unknownOutcome()
  reject(new TollgateError('outcome_unknown', undefined, { cause, members: { id: op.id }, retryAfterSeconds: 1 }))
}

/** Readers on other replicas see a report before its caller hears of it: publish, then answer. */
async function answer (
  state: LaneState, batch: readonly Pending[], { outcomes, publications }: Committed, attempts: Attempts
): Promise<void> {
  if (publications.length > 0) await publish(state, publications)
  for (const [i, pending] of batch.entries()) {
    const { op, resolve, reject } = pending
    const outcome = outcomes[i] as Outcome
    // Sent without a lock that the next attempt would have waited for, it may arrive yet and count what is refused now.
    if (attempts.hoped.has(op) && isRefusal(outcome)) giveUp(state.stores, pending, true, undefined)
    else if ('answer' in outcome) resolve(isNew(op, outcome.answer, attempts) ? { ...outcome.answer, duplicate: false } as Answer : outcome.answer)
    else reject(outcome.refused)
  }
}

function isRefusal (outcome: Outcome): boolean {
  return 'refused' in outcome || 'denied' in outcome.answer
}

/** Was it an earlier attempt of ours that wrote what is found? */
function isNew (op: Op, found: Answer, { fresh, hoped }: Attempts): boolean {
  const recorded = hoped.get(op)
  if (fresh.has(op) || recorded === undefined || !('usedAfter' in found)) return fresh.has(op)
  return !op.idGiven || (found.usedAfter === recorded.usedAfter && found.delta === recorded.delta)
}

/**
 * An org's version seldom changes, and a busy org is published many times before readers ask for a younger confirmation:
 * what was told within half of the age that readers accept is not told again.
 */
async function publish ({ stores, told }: LaneState, publications: readonly Publication[]): Promise<void> {
  const { mirror, mirrorAgeMaxMs, events } = stores
  if (mirror === undefined) return
  const untold = publications.map(publication => {
    const { org, version, counters, confirmedAt } = publication
    const before = told.get(org)
    const known = before?.version === version && confirmedAt - before.confirmedAt < mirrorAgeMaxMs / 2
    return known ? { org, version: null, counters, confirmedAt } : publication
  })
  try {
    await mirror.publish(untold, Date.now())
    for (const { org, version, confirmedAt } of untold) if (version !== null) told.set(org, { version, confirmedAt })
  } catch (error) {
    events.publishFailed(error)
  }
}
