import type { Api, Answer } from './api.ts'
import { inParallel } from './callers.ts'
import { FEATURES, PLAN_NAMES } from './mixed-plans.ts'
import { pick, type Random, randomOf } from './random.ts'

/** A report as it is sent. */
export interface Sent {
  readonly org: string
  readonly feature: string
  readonly n?: number | string | null
  readonly clobber?: true
  readonly at?: string
  readonly id?: string
}

export interface Exchange {
  readonly sent: Sent
  readonly answer: Answer
}

export interface MixedLoad {
  readonly apis: readonly Api[]
  readonly orgs: readonly string[]
  readonly callers: number
  readonly reports: number
  /** After so many reports an org is given another plan. */
  readonly reportsPerChange: number
  /** So many of a thousand reports have an id that was used before, or is used by others now. */
  readonly repeatsPerThousand: number
  readonly seed: number
}

/** Each id of this many is meant to be used by several callers at the same moment. */
const SHARED_IDS = 40
const PAST_MS = 2 * 3_600_000

function amountOf (random: Random): number | string | null | undefined {
  const kind = random(10)
  if (kind === 0) return undefined
  if (kind === 1) return null
  if (kind < 5) return random(30)
  if (kind < 8) return random(30_000) / 1_000
  return `${random(20)}.${`${random(1_000_000_000)}`.padStart(9, '0')}`
}

/** A new use: mostly additions, some of them fractions, some in the past, some decreases, some totals. */
function use (random: Random, org: string): Sent {
  const kind = random(100)
  const feature = kind < 10 ? pick(random, ['feature:sum', 'feature:sum', 'feature:shape', 'feature:max']) : pick(random, FEATURES)
  const n = kind < 10 ? -random(40_000) / 1_000 : amountOf(random)
  const at = random(8) === 0 ? new Date(Date.now() - random(PAST_MS)).toISOString() : undefined
  return { org, feature, ...(n !== undefined && { n }), ...(kind >= 90 && { clobber: true }), ...(at !== undefined && { at }) }
}

/** An earlier report, or that with other content, or one that several send at once. */
function repeated (random: Random, org: string, earlier: readonly Exchange[]): Sent {
  const kind = random(18)
  const again = kind < 12 && earlier.length > 0 ? pick(random, earlier).sent : undefined
  if (again?.id !== undefined) return kind < 3 ? { ...again, n: 77_777 } : again
  const shared = random(SHARED_IDS)
  return { org, feature: FEATURES[shared % FEATURES.length] as string, n: shared / 8, id: `shared-${shared}` }
}

/** Sends all of it, and keeps what was said. A change of plan is one of a caller's turns. */
export async function mixedLoad (
  { apis, orgs, callers, reports, reportsPerChange, repeatsPerThousand, seed }: MixedLoad
): Promise<readonly Exchange[]> {
  const exchanges: Exchange[] = []
  let turns = 0
  await inParallel(callers, async caller => {
    const random = randomOf(seed * 1_000 + caller)
    while (turns < reports) {
      turns += 1
      const turn = turns
      const org = pick(random, orgs)
      if (turn % reportsPerChange === 0) await changePlan(pick(random, apis), org, pick(random, PLAN_NAMES))
      const sent = random(1_000) < repeatsPerThousand
        ? repeated(random, org, exchanges)
        : { ...use(random, org), ...(random(100) < 78 && { id: `${seed}-${turn}` }) }
      exchanges.push({ sent, answer: await pick(random, apis).post('/v1/report', sent) })
    }
  })
  return exchanges
}

async function changePlan (api: Api, org: string, plan: string): Promise<void> {
  const { status, text } = await api.post('/v1/subscribe', { org, phases: [{ features: [plan] }] })
  if (status !== 200) throw new Error(`${org} could not change to ${plan}: ${text}`)
}
