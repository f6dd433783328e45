import { type Counter, EMPTY } from '../domain/counter.ts'
import type { Grant, Instant } from '../domain/entitlement.ts'
import { grantAt, presentOf, type HeldFeature, type Org } from '../domain/org.ts'
import type { Tally } from '../domain/reservation.ts'
import type { Window } from '../domain/window.ts'
import { TollgateError } from '../errors.ts'
import { type WantedCounter, wantedCounter } from '../storage/counters.ts'
import type { LedgerReading } from '../storage/ledger-reader.ts'
import { isYoung, type MirrorReading } from '../storage/mirror.ts'
import type { Stores } from '../storage/stores.ts'
import { orgFromLedger, orgToAsk, UNSEEN } from './org.ts'
import { present } from './time.ts'

/** Where an org stands with one feature now: what it is granted, in which window, and what it has used there. */
export interface Standing {
  readonly feature: string
  readonly held: HeldFeature | undefined
  readonly grant: Grant | null
  readonly window: Window | null
  readonly counter: Counter
}

export interface Standings {
  readonly org: Org
  readonly now: Instant
  readonly standings: readonly Standing[]
  /** The ledger could not be asked: the figures are up to 15 minutes old. */
  readonly degraded: boolean
}

/** An org may change while it is asked for; after this many changes in a row the ledger's last answer is taken. */
const ATTEMPTS_MAX = 4

type Unread = Omit<Standing, 'counter'>

/**
 * One round trip: the mirror, if what it has was confirmed a moment ago and belongs to the org as this process knows
 * it; else the ledger, which then confirms the mirror.
 * @param choose names of the features to ask for, given the org
 * @throws TollgateError `org_not_found`; `ledger_unavailable` if neither store can answer
 */
export async function standings (
  stores: Stores, environment: string, name: string, choose: (org: Org) => readonly string[]
): Promise<Standings> {
  const at = await present(stores, environment)
  let org = await orgToAsk(stores, at, name)
  for (let attempt = 1; ; attempt += 1) {
    const now = at.environment.fixedNow ?? presentOf(org, at.now)
    const unread = choose(org).map(feature => placed(org, feature, now))
    if (org.key === UNSEEN) return complete(org, now, unread, unread.map(() => EMPTY))
    const wanted = wantedOf(org, unread, now)
    const mirrored = attempt < ATTEMPTS_MAX ? await readMirror(stores, org, wanted) : undefined
    const fresh = mirrored === undefined ? undefined : freshTallies(mirrored, org, now, stores.mirrorAgeMaxMs)
    if (fresh === 'moved') {
      org = await orgFromLedger(stores, at, name)
      continue
    }
    if (stores.mirror !== undefined) stores.events.mirrorRead(mirrored === undefined ? 'failed' : fresh === undefined ? 'stale' : 'hit')
    if (fresh !== undefined) return complete(org, now, unread, spread(unread, fresh))
    const reading = await readLedger(stores, org, wanted, mirrored)
    if ('degraded' in reading) return { ...complete(org, now, unread, spread(unread, reading.degraded)), degraded: true }
    if (reading.version === org.version || attempt >= ATTEMPTS_MAX) {
      return complete(org, now, unread, spread(unread, reading.tallies))
    }
    org = await orgFromLedger(stores, at, name)
  }
}

function placed (org: Org, feature: string, now: Instant): Unread {
  const held = org.features.get(feature)
  const grant = held === undefined ? null : grantAt(org, held, now, now)
  const metered = grant !== null && grant.type === 'metered'
  return { feature, held, grant, window: metered && held !== undefined ? held.timeline.windowAt(now) : null }
}

/** Features that have a counter: metered, and granted now. */
function wantedOf (org: Org, unread: readonly Unread[], now: Instant): WantedCounter[] {
  return unread.flatMap(({ held, grant, window }) => held === undefined || grant === null || window === null
    ? []
    : [wantedCounter(org.key, held.key, window, grant.aggregate, now)])
}

/** The counters that were asked for, back in their places. */
function spread (unread: readonly Unread[], tallies: readonly Tally[]): Counter[] {
  let next = 0
  return unread.map(({ window }) => window === null ? EMPTY : tallies[next++] ?? EMPTY)
}

function complete (org: Org, now: Instant, unread: readonly Unread[], counters: readonly Counter[]): Standings {
  return { org, now, degraded: false, standings: unread.map((it, i) => ({ ...it, counter: counters[i] as Counter })) }
}

async function readMirror ({ mirror }: Stores, org: Org, wanted: readonly WantedCounter[]): Promise<MirrorReading | undefined> {
  return await mirror?.read(org.key, wanted.map(({ key }) => key)).catch(() => undefined)
}

/**
 * What the mirror has, if all of it may be believed; `moved` if it knows a later version of the org. A mirror that
 * knows only an earlier one has gone back in time, and is not believed.
 */
function freshTallies (
  { version, counters }: MirrorReading, org: Org, now: Instant, ageMaxMs: number
): readonly Tally[] | 'moved' | undefined {
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
  stores: Stores, org: Org, wanted: readonly WantedCounter[], mirrored: MirrorReading | undefined
): Promise<LedgerReading | { readonly degraded: readonly Tally[] }> {
  stores.events.ledgerRead()
  try {
    const reading = await stores.reader.read(org.key, wanted)
    const { version, tallies, confirmedAt } = reading
    if (version !== undefined) {
      stores.confirm({ org: org.key, version, counters: wanted.map(({ key }, i) => ({ key, tally: tallies[i] as Tally })), confirmedAt })
    }
    return reading
  } catch (error) {
    const outage = error instanceof TollgateError && error.code === 'ledger_unavailable'
    if (!outage || mirrored?.version?.value !== org.version) throw error
    const degraded = mirrored.counters.flatMap(entry => entry === undefined ? [] : [entry.value])
    if (degraded.length < wanted.length) throw error
    stores.events.degraded()
    return { degraded }
  }
}
