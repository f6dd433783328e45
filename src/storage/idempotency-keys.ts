import { and, eq, isNull, sql } from 'drizzle-orm'
import type { Instant } from '../domain/entitlement.ts'
import { type Database, type Orm, orm } from './database.ts'
import { idempotencyKeys } from './schema.ts'
import { instantText } from './instants.ts'

const SWEPT_ROWS_MAX = 1_000
/** What somebody else has given up between our two questions is asked for again. */
const CLAIM_ATTEMPTS_MAX = 3

/** One request that is carried out under an `Idempotency-Key`. */
export interface IdempotentRun {
  readonly environment: string
  readonly key: string
  /** 128 bits of SHA-256 over the request, as a UUID */
  readonly fingerprint: string
  /** The clock on the wall. With the key it names this run. */
  readonly startedAt: Instant
}

export interface KeptAnswer {
  readonly status: number
  /** null: it was too long to be kept */
  readonly body: string | null
}

/** What is known of a key that somebody else had first. */
export interface EarlierRun {
  readonly fingerprint: string
  /** null: it has not ended */
  readonly answer: KeptAnswer | null
}

/** What counts no more, as if it were not there. */
export interface ClaimTerms {
  /** Keys that are older are forgotten. */
  readonly keptSince: Instant
  /** Of runs that began before and have not ended, the process is gone: whoever sends the same takes its place. */
  readonly runningSince: Instant
}

export interface IdempotencyKeys {
  /**
   * However many ask, on however many replicas, one is told `mine`.
   * @returns undefined if it cannot be said at the moment, as others come and go
   */
  claim (run: IdempotentRun, terms: ClaimTerms): Promise<'mine' | EarlierRun | undefined>
  /** Unless somebody else has taken its place by now. */
  keep (run: IdempotentRun, answer: KeptAnswer): Promise<void>
  /** It came to nothing: whoever sends it again is the first. */
  release (run: IdempotentRun): Promise<void>
  /** Deletes a page of keys that are older. @returns whether there may be more */
  sweep (keptSince: Instant): Promise<boolean>
}

const { environment, key, fingerprint, startedAt, status, body } = idempotencyKeys

export function idempotencyKeyStore (database: Database): IdempotencyKeys {
  const db = orm(database)
  return {
    claim: async (run, terms) => {
      for (let attempt = 0; attempt < CLAIM_ATTEMPTS_MAX; attempt += 1) {
        if (await insert(db, run, terms)) return 'mine'
        const [earlier] = await db.select({ fingerprint, status, body }).from(idempotencyKeys)
          .where(and(eq(environment, run.environment), eq(key, run.key)))
        if (earlier === undefined) continue
        return {
          fingerprint: earlier.fingerprint,
          answer: earlier.status === null ? null : { status: earlier.status, body: earlier.body }
        }
      }
      return undefined
    },
    keep: async (run, answer) => { await db.update(idempotencyKeys).set(answer).where(isRun(run)) },
    release: async run => { await db.delete(idempotencyKeys).where(isRun(run)) },
    sweep: async keptSince => {
      const [swept] = await db.execute<{ count: number }>(sql`
        with swept as (
          delete from idempotency_keys where ctid = any (array(
            select ctid from idempotency_keys where started_at < ${instantText(keptSince)}::timestamptz limit ${SWEPT_ROWS_MAX} for update skip locked
          )) returning 1
        ) select count(*)::int as count from swept`)
      return swept?.count === SWEPT_ROWS_MAX
    }
  }
}

async function insert (db: Orm, run: IdempotentRun, { keptSince, runningSince }: ClaimTerms): Promise<boolean> {
  const claimed = await db.insert(idempotencyKeys).values(run).onConflictDoUpdate({
    target: [environment, key],
    set: { fingerprint: run.fingerprint, startedAt: run.startedAt, status: null, body: null },
    setWhere: sql`${startedAt} < ${instantText(keptSince)}::timestamptz
      or (${status} is null and ${startedAt} < ${instantText(runningSince)}::timestamptz and ${fingerprint} = excluded.fingerprint)`
  }).returning({ key })
  return claimed.length > 0
}

function isRun (run: IdempotentRun) {
  return and(eq(environment, run.environment), eq(key, run.key), eq(startedAt, run.startedAt), isNull(status))
}
