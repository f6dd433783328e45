import { sql } from 'drizzle-orm'
import { type Amount, amountFromNumeric, amountText } from '../domain/amount.ts'
import type { Instant } from '../domain/entitlement.ts'
import type { Org } from '../domain/org.ts'
import { counterFaults, type DifferenceKind, type StoredCounter } from '../domain/verification.ts'
import { plainArray } from './arrays.ts'
import { readTallies } from './counters.ts'
import { type Database, prepare, type Session } from './database.ts'
import { lockOrgs } from './ledger-statements.ts'
import type { Publication } from './mirror.ts'
import type { Orgs } from './orgs.ts'
import { instantFrom } from './schema.ts'
import { counterOf, foldOf, patiently, type WindowKey } from './verification.ts'
import { instantText, instantTextOrNull } from './instants.ts'

export interface Mended {
  /** Which of its differences are gone. */
  readonly kinds: readonly DifferenceKind[]
  /** For the mirror. */
  readonly publication: Publication
}

export interface CounterRepair {
  /**
   * Under the org's lock, looks again and writes what the events say, where that is certain. It may hold the lock for as
   * long as it takes to add up the window.
   * @param now of the environment
   * @returns undefined if there is nothing that it can mend
   */
  mend (environment: string, key: WindowKey, pruned: boolean, now: Instant): Promise<Mended | undefined>
}

const update = prepare<'org' | 'feature' | 'start' | 'used' | 'reserved' | 'reservedUntil' | 'version'>(sql`
  update counters set used = ${sql.placeholder('used')}::numeric, reserved = ${sql.placeholder('reserved')}::numeric,
    reserved_until = ${sql.placeholder('reservedUntil')}::timestamptz, version = version + 1, based_on = version
  where org = ${sql.placeholder('org')} and feature = ${sql.placeholder('feature')} and window_start = ${sql.placeholder('start')}::timestamptz
    and version = ${sql.placeholder('version')}::bigint`)

const insert = prepare<'org' | 'feature' | 'start' | 'end' | 'used' | 'reserved' | 'version' | 'lastAt' | 'reservedUntil'>(sql`
  insert into counters (org, feature, window_start, window_end, used, reserved, version, based_on, last_at, reserved_until)
  values (${sql.placeholder('org')}::int, ${sql.placeholder('feature')}::int, ${sql.placeholder('start')}::timestamptz,
    ${sql.placeholder('end')}::timestamptz, ${sql.placeholder('used')}::numeric, ${sql.placeholder('reserved')}::numeric,
    ${sql.placeholder('version')}::bigint, 0, ${sql.placeholder('lastAt')}::timestamptz, ${sql.placeholder('reservedUntil')}::timestamptz)`)

const heldNow = prepare<'org' | 'feature' | 'start' | 'now'>(sql`
  select coalesce(sum(amount), 0)::text, min(expires_at) from reservations
  where org = ${sql.placeholder('org')} and feature = ${sql.placeholder('feature')} and window_start = ${sql.placeholder('start')}::timestamptz
    and state = 'held' and expires_at > ${sql.placeholder('now')}::timestamptz`)

export function counterRepair (database: Database, orgs: Orgs): CounterRepair {
  return {
    mend: async (environment, key, pruned, now) => await patiently(database, async session => {
      await session.run([lockOrgs({ orgs: plainArray([key.org]) })])
      const [fold, counter, confirmedAt] = [await foldOf(session, environment, key), await counterOf(session, environment, key), Date.now()]
      const faults = counterFaults({ counter, fold, pruned }, now).filter(({ mendable }) => mendable)
      if (faults.length === 0) return undefined
      const kinds = faults.map(({ kind }) => kind)
      const used = fold.last?.usedAfter ?? 0n
      const tally = counter === null
        ? await addMissing(session, orgs, key, used, now)
        : await correct(session, key, counter, kinds, used, now)
      const { org, feature, start } = key
      return { kinds, publication: { org, version: null, counters: [{ key: { org, feature, start }, tally }], confirmedAt } }
    })
  }
}

type Tally = Awaited<ReturnType<typeof readTallies>>[number]

/**
 * Writes a counter that is not there, under the org's lock.
 * @param used what the last event left it at. Where all of them are kept it is what they add up to; where some are gone,
 *   nothing else tells (docs/adr/0047)
 */
export async function addMissing (
  session: Session, orgs: Orgs, { org, feature, start, end }: WindowKey, used: Amount, now: Instant
): Promise<Tally> {
  const { window, aggregate } = shapeOf((await orgs.loadLocked([org], session)).get(org), feature, { start, end })
  const wanted = { key: { org, feature, start }, text: '', window, aggregate, now }
  const [folded] = await readTallies(session, [wanted]) as [Tally]
  const tally = { ...folded, used }
  const { reserved, version, lastAt, reservedUntil } = tally
  await session.run([insert({
    org,
    feature,
    start: instantText(start),
    end: instantTextOrNull(window.end),
    used: amountText(used),
    reserved: amountText(reserved),
    version,
    lastAt: instantTextOrNull(lastAt),
    reservedUntil: instantTextOrNull(reservedUntil)
  })])
  return tally
}

/** What its timeline says of a window: where it ends by now, and how events add up in it. */
function shapeOf (org: Org | undefined, feature: number, recorded: Pick<WindowKey, 'start' | 'end'>) {
  const timeline = [...org?.features.values() ?? []].find(({ key }) => key === feature)?.timeline
  const known = timeline?.windowAt(recorded.start)
  const window = known?.start === recorded.start ? known : recorded
  return { window, aggregate: timeline?.grantAtEnd(window)?.aggregate ?? 'sum' as const }
}

async function correct (
  session: Session, { org, feature, start }: WindowKey, counter: StoredCounter, kinds: readonly DifferenceKind[], expected: Amount,
  now: Instant
): Promise<Tally> {
  const [result] = await session.run([heldNow({ org, feature, start: instantText(start), now: instantText(now) })])
  const [reserved, until] = (result?.rows[0] ?? []) as [string, string | null]
  const { version, lastAt } = counter
  const used = kinds.includes('counter_differs') ? expected : counter.used
  const held = kinds.includes('held_differs')
  const tally = {
    used,
    reserved: held ? amountFromNumeric(reserved) : counter.reserved,
    version: version + 1,
    lastAt,
    reservedUntil: held ? (until === null ? null : instantFrom(until)) : counter.reservedUntil
  }
  await session.run([update({
    org,
    feature,
    start: instantText(start),
    used: amountText(used),
    reserved: amountText(tally.reserved),
    reservedUntil: instantTextOrNull(tally.reservedUntil),
    version
  })])
  return tally
}
