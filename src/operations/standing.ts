import { type Counter, EMPTY } from '../domain/counter.ts'
import type { Grant, Instant } from '../domain/entitlement.ts'
import { grantAt, presentOf, type HeldFeature, type Org } from '../domain/org.ts'
import type { Tally } from '../domain/reservation.ts'
import type { Window } from '../domain/window.ts'
import { TollgateError } from '../errors.ts'
import { type WantedCounter, wantedCounter } from '../storage/counters.ts'
import type { LedgerReading } from '../storage/ledger-reader.ts'
import { ENTRY_KEPT_MS, isYoung, type MirrorReading } from '../storage/mirror.ts'
import type { Stores } from '../storage/stores.ts'
import { isOutage, orgFromLedger, orgToAsk, UNSEEN } from './org.ts'
import { type Present, present } from './time.ts'

/** Where an org stands with one feature now: what it is granted, in which window, and what it has used there. */
export interface Standing {
  readonly feature: string
  readonly held: HeldFeature | undefined
  readonly grant: Grant | null
  readonly window: Window | null
  readonly counter: Counter
  /** Neither store could say: the counter says nothing, nor does the grant. */
  readonly unknown: boolean
}

export interface Standings {
  readonly org: Org
  readonly now: Instant
  readonly standings: readonly Standing[]
  /** Why the ledger could not be asked: what is known is up to 15 minutes old. null: it is as the stores have it now. */
  readonly outage: TollgateError | null
}

/** An org may change while it is asked for; after this many changes in a row the ledger's last answer is taken. */
const ATTEMPTS_MAX = 4

export type Unread = Omit<Standing, 'counter' | 'unknown'>

/**
 * All figures, or none.
 * @param choose names of the features to ask for, given the org
 * @throws TollgateError `org_not_found`; `ledger_unavailable` if neither store can answer
 */
export async function standings (
  stores: Stores, environment: string, name: string, choose: (org: Org) => readonly string[]
): Promise<Standings> {
  const at = await present(stores, environment)
  const found = await standingsOf(stores, at, await orgToAsk(stores, at, name), choose)
  if (found.outage !== null) {
    if (found.standings.some(({ unknown }) => unknown)) throw found.outage
    stores.events.degraded('lastKnown')
  }
  return found
}

/**
 * One round trip: the mirror, if what it has was confirmed a moment ago and belongs to the org as this process knows
 * it; else, or at once while the mirror hardly ever has it, the ledger, which then confirms the mirror. If the ledger is
 * away, what the mirror has had since it was there.
 * @param known the org as this process last saw it
 * @throws TollgateError `org_not_found` if it is gone
 */
export async function standingsOf (
  stores: Stores, at: Present, known: Org, choose: (org: Org) => readonly string[]
): Promise<Standings> {
  let org = known
  for (let attempt = 1; ; attempt += 1) {
    const now = at.environment.fixedNow ?? presentOf(org, at.now)
    const unread = choose(org).map(feature => placed(org, feature, now))
    if (org.key === UNSEEN) return complete(org, now, unread, [])
    const wanted = wantedOf(org, unread, now)
    const skips = attempt >= ATTEMPTS_MAX || !stores.mirrorYield.pays()
    const mirrored = skips ? undefined : await readMirror(stores, org, wanted)
    const fresh = freshTallies(mirrored, org, now, stores.mirrorAgeMaxMs)
    if (fresh !== undefined && fresh !== 'moved') {
      stores.events.mirrorRead('hit')
      stores.mirrorYield.note(true)
      return complete(org, now, unread, fresh)
    }
    try {
      if (fresh === undefined) {
        if (stores.mirror !== undefined) stores.events.mirrorRead(skips ? 'skipped' : mirrored === undefined ? 'failed' : 'stale')
        const reading = await readLedger(stores, org, unread, wanted, skips)
        if (mirrored !== undefined) stores.mirrorYield.note(false)
        if (reading.version === org.version || attempt >= ATTEMPTS_MAX) return complete(org, now, unread, reading.tallies)
      }
      org = await orgFromLedger(stores, at, org.name)
    } catch (error) {
      if (!isOutage(error)) throw error
      if (!skips) return lastKnown(org, now, unread, mirrored, error)
      const known = await readMirror(stores, org, wanted)
      // Another replica may still reach the ledger.
      const late = freshTallies(known, org, now, stores.mirrorAgeMaxMs)
      return late === undefined || late === 'moved' ? lastKnown(org, now, unread, known, error) : complete(org, now, unread, late)
    }
  }
}

/** Without its figures. */
export function placed (org: Org, feature: string, now: Instant): Unread {
  const held = org.features.get(feature)
  const grant = held === undefined ? null : grantAt(org, held, now, now)
  const metered = grant !== null && grant.type === 'metered'
  return { feature, held, grant, window: metered && held !== undefined ? held.timeline.windowAt(now) : null }
}

/** Features that have a counter: metered, and granted now. */
function wantedOf (org: Org, unread: readonly Unread[], now: Instant): WantedCounter[] {
  const wanted: WantedCounter[] = []
  for (const { held, grant, window } of unread) {
    if (held !== undefined && grant !== null && window !== null) wanted.push(wantedCounter(org.key, held.key, window, grant.aggregate, now))
  }
  return wanted
}

/** @param tallies of those that were wanted, in order */
function complete (org: Org, now: Instant, unread: readonly Unread[], tallies: readonly Tally[]): Standings {
  let next = 0
  const standings = unread.map(({ feature, held, grant, window }) =>
    ({ feature, held, grant, window, counter: window === null ? EMPTY : tallies[next++] ?? EMPTY, unknown: false }))
  return { org, now, standings, outage: null }
}

/** What the mirror had when the ledger was last there, as far as it belongs to the org as this process knows it. */
function lastKnown (
  org: Org, now: Instant, unread: readonly Unread[], mirrored: MirrorReading | undefined, outage: TollgateError
): Standings {
  const readAt = Date.now()
  const version = mirrored?.version
  const current = version !== undefined && version.value === org.version && isYoung(version.confirmedAt, readAt, ENTRY_KEPT_MS)
  let next = 0
  const standings = unread.map(place => {
    const entry = place.window === null ? undefined : mirrored?.counters[next++]
    const believed = place.window === null || (entry !== undefined && isYoung(entry.confirmedAt, readAt, ENTRY_KEPT_MS))
    return { ...place, counter: entry?.value ?? EMPTY, unknown: !current || !believed }
  })
  return { org, now, standings, outage }
}

async function readMirror ({ mirror }: Stores, org: Org, wanted: readonly WantedCounter[]): Promise<MirrorReading | undefined> {
  try {
    return await mirror?.read(org.key, wanted.map(({ key }) => key))
  } catch {
    return undefined
  }
}

/**
 * What the mirror has, if all of it may be believed; `moved` if it knows a later version of the org. A mirror that
 * knows only an earlier one has gone back in time, and is not believed.
 */
function freshTallies (
  mirrored: MirrorReading | undefined, org: Org, now: Instant, ageMaxMs: number
): readonly Tally[] | 'moved' | undefined {
  if (mirrored === undefined) return undefined
  const { version, counters } = mirrored
  // Ages go by the clock on the wall, everything else by the environment's.
  const readAt = Date.now()
  if (version === undefined || !isYoung(version.confirmedAt, readAt, ageMaxMs)) return undefined
  if (version.value > org.version) return 'moved'
  if (version.value < org.version) return undefined
  const tallies: Tally[] = []
  for (const entry of counters) {
    if (entry === undefined || !isYoung(entry.confirmedAt, readAt, ageMaxMs)) return undefined
    const { reservedUntil } = entry.value
    if (reservedUntil !== null && reservedUntil <= now) return undefined
    tallies.push(entry.value)
  }
  return tallies
}

async function readLedger (
  stores: Stores, org: Org, unread: readonly Unread[], wanted: readonly WantedCounter[], skips: boolean
): Promise<LedgerReading> {
  stores.events.ledgerRead()
  const reading = await stores.reader.read(org.key, wanted)
  const { version, tallies, confirmedAt } = reading
  if (version !== undefined && (!skips || version !== org.version || isDue(stores, unread, reading))) {
    stores.confirm({ org: org.key, version, counters: wanted.map(({ key }, i) => ({ key, tally: tallies[i] as Tally })), confirmedAt })
  }
  return reading
}

/** Whether the mirror, which was not read, has to be told of any of these, or there is no counter to go by. */
function isDue ({ mirrorYield }: Stores, unread: readonly Unread[], { tallies, confirmedAt }: LedgerReading): boolean {
  if (tallies.length === 0) return true
  let next = 0
  let due = false
  for (const { held, window } of unread) {
    if (held === undefined || window === null) continue
    if (mirrorYield.isDue(held, window.start, tallies[next++] as Tally, confirmedAt)) due = true
  }
  return due
}
