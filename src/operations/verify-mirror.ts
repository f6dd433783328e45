import { setTimeout as sleep } from 'node:timers/promises'
import { type Amount, amountText } from '../domain/amount.ts'
import type { Tally } from '../domain/reservation.ts'
import { CLOCK_SKEW_MAX_MS } from '../domain/time.ts'
import { entryState, type FoundWindow, type StoredCounter } from '../domain/verification.ts'
import { available } from '../storage/ledger-reader.ts'
import { type Entry, isYoung, type MirrorReading } from '../storage/mirror.ts'
import type { UsedFeature } from '../storage/verification.ts'
import { type Behind, differenceOf, type Round } from './verify-round.ts'

/** An entry that is behind is looked at for as long as it may be believed, but no longer than this. */
const WATCH_MAX_MS = 2_000
const WATCH_EVERY_MS = 50

/**
 * Entries of the mirror beside counters that are right. Where the two differ, once more: first the mirror, then the
 * ledger, which cannot have been behind what was read before it.
 */
export async function compareWithMirror (round: Round, used: UsedFeature, windows: readonly FoundWindow[]): Promise<void> {
  const counted = windows.filter(({ counter }) => counter !== null)
  if (counted.length === 0) return
  const first = await read(round, used, counted)
  const suspects = counted.filter(({ counter }, i) => {
    const entry = first?.[i]
    return entry !== undefined && entryState(entry.value, counter as StoredCounter) !== 'same'
  })
  if (suspects.length === 0) return
  const second = await read(round, used, suspects)
  const key = { org: used.org, feature: used.feature as number }
  const since = Date.now()
  const counters = await available(round.stores.verification.counters(round.environment, key, suspects.map(({ start }) => start)))
  for (const [i, window] of suspects.entries()) {
    const [entry, counter] = [second?.[i], counters.get(window.start)]
    if (entry === undefined || counter === undefined) continue
    const state = entryState(entry.value, counter)
    const young = isYoung(entry.confirmedAt, Date.now(), round.stores.mirrorAgeMaxMs)
    if (state === 'differs' || (state === 'ahead' && young)) await tell(round, { used, window, counter, since }, entry.value, 'mirror_differs')
    if (state === 'behind' && young) round.behind.push({ used, window, counter, since })
  }
}

/**
 * An entry that is behind is no difference while it may be so: a publication is told after its commit, and one that was
 * lost is believed until it is old. Old by then, it is not believed any more; else somebody confirms what is not so.
 */
export async function judgeBehind (round: Round): Promise<void> {
  const { stores, behind } = round
  const watchMs = Math.min(stores.mirrorAgeMaxMs + CLOCK_SKEW_MAX_MS, WATCH_MAX_MS)
  let watched = behind
  while (watched.length > 0) {
    const late = Date.now()
    const entries = await Promise.all(watched.map(async ({ used, window }) => (await read(round, used, [window]))?.[0]))
    const still: Behind[] = []
    for (const [i, it] of watched.entries()) {
      const entry = entries[i]
      if (entry === undefined || entry.value.version >= it.counter.version) continue
      if (!isYoung(entry.confirmedAt, Date.now(), stores.mirrorAgeMaxMs)) continue
      if (late - it.since > watchMs) await tell(round, it, entry.value, 'mirror_stale')
      else still.push(it)
    }
    watched = still
    if (watched.length > 0) await sleep(WATCH_EVERY_MS)
  }
}

async function read (round: Round, { org, feature }: UsedFeature, windows: readonly FoundWindow[]): Promise<MirrorReading['counters'] | undefined> {
  const { stores: { mirror } } = round
  const reading = await mirror?.read(org, windows.map(({ start }) => ({ org, feature: feature as number, start }))).catch(() => undefined)
  if (mirror !== undefined && reading === undefined) round.mirror = 'unreachable'
  return reading?.counters
}

async function tell (round: Round, it: Behind, entry: Tally, kind: 'mirror_differs' | 'mirror_stale'): Promise<void> {
  const { used, window, counter } = it
  const isHeld = entry.used === counter.used && entry.reserved !== counter.reserved
  const [stored, expected] = isHeld ? [entry.reserved, counter.reserved] : [entry.used, counter.used]
  const what = isHeld ? ' reserved' : ''
  const text = (figure: Amount, version: number): string => `${amountText(figure)}${what} (version ${version})`
  const detail = `the mirror says ${text(stored, entry.version)}, the ledger ${text(expected, counter.version)}`
  const mended = round.repair && await overwrite(round, it, entry)
  round.differences.push(differenceOf(used, window, kind, { stored, expected, detail, mended }))
}

/** @returns whether the mirror took it: one that was written a moment ago with a higher version it keeps */
async function overwrite (
  round: Round, { used, window, counter: { held: _, ...tally }, since: confirmedAt }: Behind, before: Tally
): Promise<boolean> {
  const { stores: { mirror, events } } = round
  const key = { org: used.org, feature: used.feature as number, start: window.start }
  try {
    events.drift(await mirror?.publish([{ org: used.org, version: null, counters: [{ key, tally }], confirmedAt }], Date.now()) ?? 0)
  } catch (error) {
    events.publishFailed(error)
    return false
  }
  const entry: Entry<Tally> | undefined = (await read(round, used, [window]))?.[0]
  if (entry === undefined) return false
  const moved = entry.value.version > tally.version && before.version <= tally.version
  return moved || entryState(entry.value, tally) === 'same'
}
