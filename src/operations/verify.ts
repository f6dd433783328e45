import type { Instant } from '../domain/entitlement.ts'
import { parseOrg } from '../domain/ids.ts'
import {
  addFolds, type CounterFault, counterFaults, type FoundWindow, isUnbroken, knownWindows, NOTHING_FOLDED
} from '../domain/verification.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import type { FeatureKey, UsedFeature, WindowKey } from '../storage/verification.ts'
import { orgNotFound } from './org.ts'
import { present } from './time.ts'
import { compareWithMirror, judgeBehind } from './verify-mirror.ts'
import { BEGINNING, parsePlace, type Place, placeText, type Within } from './verify-place.ts'
import { type Difference, differenceOf, faultText, gapText, type Round } from './verify-round.ts'

/** One call ends soon after the first of these. */
const EVENTS_MAX = 50_000
const WINDOWS_MAX = 5_000
const FEATURES_MAX = 1_000
const DIFFERENCES_MAX = 200
const CALL_SOFT_MAX_MS = 3_000
/** Asked for at once. */
const FEATURES_AT_ONCE = 8
const TOO_MANY = 'something is missing; there are too many events to say where in time'

export interface VerifyRequest {
  readonly environment: string
  /** undefined: every org of the environment */
  readonly org: string | undefined
  /** The `nextCursor` of the call before. */
  readonly cursor: string | undefined
  readonly repair: boolean
}

export interface Verified {
  readonly checked: { readonly orgs: number, readonly windows: number, readonly events: number, readonly pruned: number }
  readonly differences: readonly Difference[]
  readonly mirror: Round['mirror']
  /** From 0 to 1. */
  readonly progress: number
  /** null: everything has been looked at */
  readonly nextCursor: string | null
}

/**
 * Compares counters with what their events come to, and the mirror with the counters: a page of them, org by org. What is
 * being counted meanwhile is no difference.
 * @throws TollgateError `org_not_found`; `invalid_request` for a cursor of something else
 */
export async function verify (stores: Stores, { environment, org, cursor, repair }: VerifyRequest): Promise<Verified> {
  const at = await present(stores, environment)
  const only = org === undefined ? null : await orgKey(stores, environment, org)
  let place: Place | null = cursor === undefined ? BEGINNING : parsePlace(cursor)
  const round: Round = {
    stores,
    environment,
    now: () => at.environment.fixedNow ?? Date.now(),
    repair,
    checked: { orgs: 0, windows: 0, events: 0, pruned: 0, features: 0 },
    differences: [],
    behind: [],
    mirror: stores.mirror === undefined ? 'none' : 'compared',
    counted: place.feature > 0 || place.from > 0 ? place.org : 0
  }
  const deadline = performance.now() + CALL_SOFT_MAX_MS
  while (place !== null && !isSpent(round) && performance.now() < deadline) {
    place = place.within === null ? await nextWindows(round, place, only) : await restOfWindow(round, place, place.within, only)
  }
  await judgeBehind(round)
  const { checked: { orgs, windows, events, pruned }, differences, mirror } = round
  const progress = place === null ? 1 : only !== null ? 0 : await progressAt(round, place)
  return { checked: { orgs, windows, events, pruned }, differences, mirror, progress, nextCursor: place === null ? null : placeText(place) }
}

function isSpent ({ checked, differences, behind }: Round): boolean {
  return checked.events >= EVENTS_MAX || checked.windows >= WINDOWS_MAX || checked.features >= FEATURES_MAX ||
    differences.length + behind.length >= DIFFERENCES_MAX
}

/** Some features of some orgs, up to the first that is not done with. @returns where to go on; null: nowhere */
async function nextWindows (round: Round, place: Place, only: number | null): Promise<Place | null> {
  const { stores: { verification }, environment } = round
  const features = await available(verification.usedFeatures(environment, only, place, FEATURES_AT_ONCE))
  const stretches = await Promise.all(features.map(async ({ org, feature }) => feature === null
    ? undefined
    : await available(verification.windows(environment, { org, feature }, isAt(place, { org, feature }) ? place.from : 0))))
  let next: Place | null = null
  for (const [i, used] of features.entries()) {
    const { org, feature } = used
    if (org !== round.counted) round.checked.orgs += 1
    round.counted = org
    const stretch = stretches[i]
    next = feature === null ? { ...BEGINNING, org: org + 1 } : { ...BEGINNING, org, feature: feature + 1 }
    if (feature === null || stretch === undefined) continue
    round.checked.features += 1
    const known = knownWindows(stretch.windows, stretch.reach)
    await examine(round, used, known.complete)
    if (known.next === null) continue
    const rest = { org, feature, from: known.next, within: null }
    return known.complete.length > 0 ? rest : await intoWindow(round, used, rest, known.nextEnd)
  }
  return next
}

function isAt (place: Place, { org, feature }: FeatureKey): boolean {
  return place.org === org && place.feature === feature
}

/** A window with more events than are read at once: first what they have to come to, and then page by page. */
async function intoWindow (round: Round, used: UsedFeature, { org, feature, from }: Place, end: Instant | null): Promise<Place> {
  const key = { org, feature, start: from, end }
  const { horizon, counter, pruned } = await available(round.stores.verification.pin(round.environment, key))
  if (pruned) {
    await examine(round, used, [{ start: from, end, counter, fold: NOTHING_FOLDED, pruned }])
    return afterWindow(key)
  }
  const figures = counter === null ? null : { used: counter.used, version: counter.version }
  return { org, feature, from, within: { end, horizon, counter: figures, at: from, fold: NOTHING_FOLDED } }
}

async function restOfWindow (round: Round, place: Place, within: Within, only: number | null): Promise<Place | null> {
  const { stores: { verification }, environment } = round
  const { org, feature, from: start } = place
  const { end, horizon, at } = within
  const key = { org, feature, start, end }
  const page = await available(verification.page(environment, key, horizon, at))
  const fold = addFolds(within.fold, page.fold)
  if (page.next !== null) {
    round.checked.events += page.fold.events
    return { ...place, within: { ...within, at: page.next, fold } }
  }
  const [used] = await available(verification.usedFeatures(environment, only, place, 1))
  // Its org may have been deleted meanwhile.
  if (used?.org !== org || used.feature !== feature) return afterWindow(key)
  const current = (await available(verification.counters(environment, key, [start]))).get(start)
  const counter = within.counter === null ? null : { ...(current ?? UNHELD), ...within.counter }
  round.checked.events -= within.fold.events
  await examine(round, used, [{ start, end, counter, fold, pruned: false }])
  return afterWindow(key)
}

const UNHELD = { reserved: 0n, held: 0n, lastAt: null, reservedUntil: null }

function afterWindow ({ org, feature, end }: WindowKey): Place {
  return end === null ? { ...BEGINNING, org, feature: feature + 1 } : { org, feature, from: end, within: null }
}

async function examine (round: Round, used: UsedFeature, windows: readonly FoundWindow[]): Promise<void> {
  const sound: FoundWindow[] = []
  for (const window of windows) {
    round.checked.windows += 1
    round.checked.events += window.fold.events
    if (window.pruned) round.checked.pruned += 1
    const faults = counterFaults(window, round.now())
    const broken = !window.pruned && !isUnbroken(window.fold)
    if (faults.length === 0 && !broken) sound.push(window)
    else await tell(round, used, window, faults, broken)
  }
  await compareWithMirror(round, used, sound)
}

/** Says where events are missing, mends what can be, and says so. */
async function tell (
  round: Round, used: UsedFeature, window: FoundWindow, faults: readonly CounterFault[], broken: boolean
): Promise<void> {
  const { stores, environment, differences } = round
  const { start, end, pruned } = window
  const key: WindowKey = { org: used.org, feature: used.feature as number, start, end }
  const gaps = broken ? await available(stores.verification.gaps(environment, key)) : []
  if (gaps === undefined) differences.push(differenceOf(used, window, 'event_missing', { detail: TOO_MANY }))
  for (const gap of gaps ?? []) differences.push(differenceOf(used, window, 'event_missing', { ...gap, detail: gapText(gap) }))
  const mended = round.repair && faults.some(({ mendable }) => mendable)
    ? await available(stores.counterRepair.mend(environment, key, pruned, round.now()))
    : undefined
  if (mended !== undefined) await stores.mirror?.publish([mended.publication], Date.now()).catch(stores.events.publishFailed)
  for (const { kind, stored, expected } of faults) {
    const after = kind === 'event_missing' ? await available(stores.verification.last(environment, key)) ?? null : null
    const missing = kind === 'event_missing' && stored !== null && expected !== null ? stored - expected : null
    const detail = faultText(kind, stored, expected, after)
    const isMended = mended?.kinds.includes(kind) === true
    differences.push(differenceOf(used, window, kind, { stored, expected, missing, after, detail, mended: isMended }))
  }
}

async function orgKey ({ orgs }: Stores, environment: string, text: string): Promise<number> {
  const org = await available(orgs.load(environment, parseOrg(text)))
  if (org === undefined) throw orgNotFound('/org')
  return org.key
}

async function progressAt ({ stores, environment }: Round, { org }: Place): Promise<number> {
  const [first, last] = await available(stores.verification.orgRange(environment)) ?? [0, 0]
  return Math.min(1, Math.max(0, org - first) / (last - first + 1))
}
