import { type Amount, amountFromNumeric } from '../domain/amount.ts'
import type { Instant } from '../domain/entitlement.ts'
import { type Fold, type FoundWindow, NOTHING_FOLDED, readUntil, type StoredCounter } from '../domain/verification.ts'
import { instantArray, plainArray } from './arrays.ts'
import { type Database, type Session, sqlState, type Statement } from './database.ts'
import { lockOrgs } from './ledger-statements.ts'
import { instantFrom } from './schema.ts'
import {
  countersOf, gapsOf, lastOf, orgRange, pinned, usedFeatures, wholeWindow, windowPage, windowsFrom
} from './verification-statements.ts'
import { instantOrNull, instantText } from './instants.ts'

/** Events that one statement reads at most. */
const STRETCH_EVENTS_MAX = 20_000
const STRETCH_COUNTERS_MAX = 1_000
const GAPS_MAX = 10
/** To sort a window that is known to be wrong, or to add it up under its org's lock. */
const WHOLE_WINDOW_TIMEOUT_MS = 20_000

/** One feature of an org, by their keys; `name` for people. An org that has used nothing has no feature. */
export interface UsedFeature {
  readonly org: number
  readonly orgName: string
  readonly feature: number | null
  readonly featureName: string
}

export type FeatureKey = Pick<UsedFeature, 'org'> & { readonly feature: number }

export interface WindowKey extends FeatureKey {
  readonly start: Instant
  /** null: never */
  readonly end: Instant | null
}

export interface Stretch {
  readonly windows: readonly FoundWindow[]
  /** What happened before it has been read; null: everything. */
  readonly reach: Instant | null
}

/** Something between two events that is not there. */
export interface Gap {
  readonly missing: Amount
  /** null: before the first */
  readonly after: EventName | null
  readonly before: EventName
}

export interface EventName {
  readonly id: string
  readonly seq: number
}

/** A counter as it was when every event up to `horizon`, and none above it, had been counted. */
export interface Pin {
  readonly horizon: number
  readonly counter: StoredCounter | null
  readonly pruned: boolean
}

export interface WindowPage {
  readonly fold: Fold
  /** Where the next page begins; null: there is none. */
  readonly next: Instant | null
}

/** Reads counters and events side by side; nothing here writes. Another environment's org has nothing. */
export interface Verification {
  /** In the order of keys, from `org` and its `feature` on. @param only of this org, by its key */
  usedFeatures (environment: string, only: number | null, from: FeatureKey, countMax: number): Promise<UsedFeature[]>
  /** The first and the last key of the environment's orgs; undefined: it has none. */
  orgRange (environment: string): Promise<readonly [number, number] | undefined>
  /** Windows that start at `from` or later, as of one moment. */
  windows (environment: string, key: FeatureKey, from: Instant): Promise<Stretch>
  /** For a window with more events than one statement reads: what they have to come to. It takes the org's lock for a moment. */
  pin (environment: string, key: WindowKey): Promise<Pin>
  /** Of a window's events, those that happened at `from` or later, and arrived up to `horizon`. */
  page (environment: string, key: WindowKey, horizon: number, from: Instant): Promise<WindowPage>
  /** In order of arrival, the first ones. undefined: there are too many events to look between all of them. */
  gaps (environment: string, key: WindowKey): Promise<Gap[] | undefined>
  /** The last event to arrive in a window. */
  last (environment: string, key: WindowKey): Promise<EventName | undefined>
  /** By the start of their windows. */
  counters (environment: string, key: FeatureKey, starts: readonly Instant[]): Promise<ReadonlyMap<Instant, StoredCounter>>
}

export function verification (database: Database): Verification {
  async function rows (statement: Statement, session: Session = database): Promise<ReadonlyArray<readonly unknown[]>> {
    const [result] = await session.run([statement])
    return result?.rows ?? []
  }

  return {
    usedFeatures: async (environment, only, { org, feature }, countMax) => {
      const found = await rows(usedFeatures({ environment, only, org, feature, count: countMax }))
      return (found as Array<[number, string, number | null, string | null]>).map(([org, orgName, feature, name]) => ({ org, orgName, feature, featureName: name ?? `feature #${feature}` }))
    },
    orgRange: async environment => {
      const [[first = null, last = null] = []] = await rows(orgRange({ environment })) as Array<[number | null, number | null]>
      return first === null || last === null ? undefined : [first, last]
    },
    windows: async (environment, { org, feature }, from) => stretchFrom(await rows(windowsFrom({
      environment, org, feature, from: instantText(from), eventCount: STRETCH_EVENTS_MAX + 1, counterCount: STRETCH_COUNTERS_MAX + 1
    }))),
    pin: async (environment, { org, feature, start }) => await database.transaction(async session => {
      await session.run([lockOrgs({ orgs: plainArray([org]) })])
      const [[last, pruned, ...counter] = []] = await rows(pinned({ environment, org, feature, start: instantText(start) }), session)
      return { horizon: Number(last ?? 0), pruned: pruned === true, counter: counterFrom(counter) }
    }),
    page: async (environment, { org, feature, start, end }, horizon, from) => {
      const [[last, ...fold] = []] = await rows(windowPage({
        environment,
        org,
        feature,
        start: instantText(start),
        from: instantText(from),
        until: untilText(end),
        horizon,
        count: STRETCH_EVENTS_MAX
      }))
      return { fold: foldFrom(fold), next: typeof last === 'string' ? instantFrom(last) + 1 : null }
    },
    gaps: async (environment, { org, feature, start, end }) => {
      const statement = gapsOf({ environment, org, feature, start: instantText(start), until: untilText(end), count: GAPS_MAX })
      try {
        return (await patiently(database, async session => await rows(statement, session))).map(gapFrom)
      } catch (error) {
        if (sqlState(error) === QUERY_CANCELED) return undefined
        throw error
      }
    },
    last: async (environment, { org, feature, start, end }) => {
      const statement = lastOf({ environment, org, feature, start: instantText(start), until: untilText(end) })
      const [[id, seq] = []] = await patiently(database, async session => await rows(statement, session))
      return id === undefined ? undefined : { id: id as string, seq: Number(seq) }
    },
    counters: async (environment, { org, feature }, starts) => {
      const found = await rows(countersOf({ environment, org, feature, starts: instantArray(starts) }))
      return new Map(found.map(([start, ...counter]) => [instantFrom(start as string), counterFrom(counter) as StoredCounter]))
    }
  }
}

const QUERY_CANCELED = '57014'

/** For as much as one window may have. */
export async function patiently<T> (database: Database, work: (session: Session) => Promise<T>): Promise<T> {
  return await database.transaction(work, WHOLE_WINDOW_TIMEOUT_MS)
}

/** What all events of a window come to, as the session sees it. */
export async function foldOf (session: Session, environment: string, { org, feature, start, end }: WindowKey): Promise<Fold> {
  const [result] = await session.run([wholeWindow({ environment, org, feature, start: instantText(start), until: untilText(end) })])
  return foldFrom(result?.rows[0] ?? [])
}

export async function counterOf (session: Session, environment: string, { org, feature, start }: WindowKey): Promise<StoredCounter | null> {
  const [result] = await session.run([countersOf({ environment, org, feature, starts: instantArray([start]) })])
  const [, ...counter] = result?.rows[0] ?? []
  return counterFrom(counter)
}

function stretchFrom (rows: ReadonlyArray<readonly unknown[]>): Stretch {
  const windows = rows.map(([start, pruned, , , , , foldEnd, events, sum, chain, last, ...counter]): FoundWindow => {
    const fold = events === null ? NOTHING_FOLDED : foldFrom([events, sum, chain, last])
    const stored = counterFrom(counter)
    const ends = [...(events === null ? [] : [foldEnd]), ...(stored === null ? [] : [counter[0]])] as Array<string | null>
    return { start: instantFrom(start as string), end: latest(ends), counter: stored, fold, pruned: pruned === true }
  })
  const [, , events = 0, lastAt, counters = 0, lastStart] = rows[0] ?? []
  const reaches = [
    ...((events as number) > STRETCH_EVENTS_MAX ? [instantFrom(lastAt as string)] : []),
    ...((counters as number) > STRETCH_COUNTERS_MAX ? [instantFrom(lastStart as string)] : [])
  ]
  return { windows, reach: reaches.length === 0 ? null : Math.min(...reaches) }
}

function latest (ends: ReadonlyArray<string | null>): Instant | null {
  return ends.includes(null) ? null : Math.max(...ends.map(end => instantFrom(end as string)))
}

function counterFrom (row: readonly unknown[]): StoredCounter | null {
  const [, used, reserved, version, lastAt, reservedUntil, held] = row as Array<string | null | undefined>
  if (typeof used !== 'string') return null
  return {
    used: amountFromNumeric(used),
    reserved: amountFromNumeric(reserved as string),
    version: Number(version),
    lastAt: instantOrNull(lastAt),
    reservedUntil: instantOrNull(reservedUntil),
    held: amountFromNumeric(held as string)
  }
}

function foldFrom ([events = 0, sum = '0', chain = '0', last = null]: readonly unknown[]): Fold {
  const figures = { sum: amountFromNumeric(sum as string), chain: BigInt(chain as string) }
  return { events: events as number, ...figures, last: lastFrom(last as string | null) }
}

/** An array of numerics, as Postgres prints it. */
function lastFrom (text: string | null): Fold['last'] {
  const [seq, usedAfter, hash] = text?.slice(1, -1).split(',') ?? []
  if (seq === undefined || usedAfter === undefined || hash === undefined) return null
  return { seq: Number(seq), usedAfter: amountFromNumeric(usedAfter), hash: BigInt(hash) }
}

function gapFrom ([missing, afterId, afterSeq, id, seq]: readonly unknown[]): Gap {
  return {
    missing: amountFromNumeric(missing as string),
    after: afterId === null ? null : { id: afterId as string, seq: Number(afterSeq) },
    before: { id: id as string, seq: Number(seq) }
  }
}

function untilText (end: Instant | null): string {
  const until = readUntil(end)
  return until === Infinity ? 'infinity' : instantText(until)
}
