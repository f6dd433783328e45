import { setTimeout as sleep } from 'node:timers/promises'
import type { Api } from './api.ts'
import { inBackground } from './callers.ts'
import type { Replicas } from './replicas.ts'

/** What the design promises while Redis fails. */
export const LAG_MS = 1_000
/** What a busy machine takes to send a request. */
const MARGIN_MS = 250

export const PLANS = {
  plans: {
    'plan:free@0': { features: { 'feature:pair': { tiers: [{ upto: 1e9 }] }, 'feature:other': { tiers: [{ upto: 1e9 }] } } },
    'plan:pro@0': { features: { 'feature:pair': { tiers: [{ upto: 2e9 }] }, 'feature:other': { tiers: [{ upto: 2e9 }] } } }
  }
}

export async function subscribe (api: Api, org: string, plan = 'plan:free@0'): Promise<void> {
  const { status, text } = await api.post('/v1/subscribe', { org, phases: [{ features: [plan] }] })
  if (status !== 200) throw new Error(text)
}

export async function subscribed (api: Api, prefix: string, count: number): Promise<string[]> {
  const orgs = Array.from({ length: count }, (_, i) => `org:${prefix}-${i}`)
  await Promise.all(orgs.map(async org => await subscribe(api, org)))
  return orgs
}

export async function usedAfter (api: Api, org: string, feature = 'feature:pair'): Promise<number> {
  const { status, text, body: { used } } = await api.post('/v1/report', { org, feature })
  if (status !== 200 || used === undefined) throw new Error(text)
  return used
}

/** What the replica says now, in one of the ways there are to ask. */
export async function usedBy (api: Api, org: string, way: 'can' | 'all' | 'usage' = 'can'): Promise<number | undefined> {
  if (way === 'usage') return (await api.get('/v1/usage', { org, feature: 'feature:pair' })).body.current?.used
  if (way === 'all') return (await api.get('/v1/can', { org })).body.features?.find(({ feature }) => feature === 'feature:pair')?.used
  return (await api.get('/v1/can', { org, feature: 'feature:pair' })).body.used
}

export function orderOf ({ apis: [a, b] }: Pick<Replicas, 'apis'>, n: number): readonly [Api, Api] {
  return n % 2 === 0 ? [a, b] : [b, a]
}

interface Answered { readonly used: number, readonly at: number }

export interface Comparison {
  /** Ends after the current pair of each org. */
  stop: () => Promise<Compared>
}

export interface Compared {
  readonly pairs: number
  /** Reads that answered less than the report before them. */
  readonly lagging: number
  /** What the design does not allow, in words. */
  readonly wrong: readonly string[]
  /** Of any call. */
  readonly longestMs: number
  /** What each org's last report was answered. */
  readonly last: ReadonlyMap<string, number>
}

/**
 * Reports each org to one replica and reads it from the other one, all the time. Every report must be counted and answered,
 * and no read may be older than the age of a mirror entry.
 */
export function compareOn (replicas: Pick<Replicas, 'apis'>, orgs: readonly string[], pauseMs = 0): Comparison {
  const history = orgs.map((): Answered[] => [])
  const wrong: string[] = []
  let [lagging, longestMs] = [0, 0]
  const callers = inBackground(orgs.length, async (lane, n) => {
    const [org, answered] = [orgs[lane] as string, history[lane] as Answered[]]
    // Where the reader never writes, nothing but the age of an entry tells it to ask the ledger.
    const [writer, reader] = orderOf(replicas, lane % 2 === 0 ? 0 : n)
    const asked = performance.now()
    const reported = await usedAfter(writer, org)
    const reportedAt = performance.now()
    answered.push({ used: reported, at: reportedAt })
    if (reported !== n + 1) wrong.push(`${org}: report ${n + 1} was answered ${reported}`)
    const due = dueAt(answered, reportedAt)
    const read = await usedBy(reader, org) ?? -1
    longestMs = Math.max(longestMs, reportedAt - asked, performance.now() - reportedAt)
    if (read < due || read > reported) wrong.push(`${org}: read ${read} where ${due} to ${reported} were right`)
    if (read < reported) lagging += 1
    if (pauseMs > 0) await sleep(pauseMs)
  })
  return {
    stop: async () => {
      await callers.stop()
      const last = new Map(orgs.map((org, lane) => [org, history[lane]?.at(-1)?.used ?? 0]))
      return { pairs: callers.rounds(), lagging, wrong, longestMs, last }
    }
  }
}

/** Reads and reports orgs of which the last figure is known, on both replicas in turn. @returns what is not exact, in words */
export async function inexact (replicas: Pick<Replicas, 'apis'>, last: ReadonlyMap<string, number>): Promise<string[]> {
  const found: string[] = []
  await Promise.all([...last].map(async ([org, used]) => {
    for (const api of replicas.apis) if (await usedBy(api, org) !== used) found.push(`${org} is not at ${used}`)
    for (let n = 1; n <= 20; n += 1) {
      const [writer, reader] = orderOf(replicas, n)
      const reported = await usedAfter(writer, org)
      if (reported !== used + n || await usedBy(reader, org) !== reported) found.push(`${org} after ${reported}`)
    }
  }))
  return found
}

/** The latest figure that was answered so long ago that every replica must know it by `now`. */
function dueAt (answered: readonly Answered[], now: number): number {
  return answered.findLast(({ at }) => at <= now - LAG_MS - MARGIN_MS)?.used ?? 0
}
