import type { Line } from './lines.ts'
import type { Generate } from './load/generator.ts'
import { BATCH_ITEMS, type Loaded } from './load/load.ts'
import type { Servers } from './sides/servers.ts'

export interface Measured extends Line {
  /** One per round: each connection as fast as it is answered. */
  readonly peak: readonly Loaded[]
  /** One per round: at half of that round's peak. None for COPY. */
  readonly half: readonly Loaded[]
}

export interface Pace {
  readonly rounds: number
  readonly seconds: number
  readonly warmupSeconds: number
}

/** After the peak everything is warm: only the rush before it has to be over. */
const HALF_WARMUP_SECONDS = 0.5

/**
 * Every line once, then every line again: noise of a shared machine hits all alike. Each round begins at another line,
 * so that none always follows the same neighbour.
 */
export async function measure (
  lines: readonly Line[], { urls }: Servers, generate: Generate, { rounds, seconds, warmupSeconds }: Pace, tell: (text: string) => void
): Promise<Measured[]> {
  const measured = lines.map(line => ({ ...line, peak: [] as Loaded[], half: [] as Loaded[] }))

  async function once (line: typeof measured[number]): Promise<string> {
    const { call, connections, orgs, side, peak, half } = line
    const addresses = urls.get(side) as readonly string[]
    if (call === undefined) {
      const copied = await generate({ databaseUrl: addresses[0] as string, connections, warmupSeconds, seconds })
      peak.push(copied)
      return `${Math.round(copied.perSecond)}/s`
    }
    const load = { calls: [call], connections, orgs, urls: addresses, seconds }
    const fastest = await generate({ ...load, warmupSeconds: Math.max(warmupSeconds, line.warmupSeconds ?? 0) })
    const calmer = await generate({ ...load, warmupSeconds: HALF_WARMUP_SECONDS, rate: fastest.perSecond / 2 / (call === 'batch' ? BATCH_ITEMS : 1) })
    peak.push(fastest)
    half.push(calmer)
    return `${Math.round(fastest.perSecond)}/s; at ${Math.round(calmer.perSecond)}/s p99 ${calmer.p99.toFixed(1)} ms`
  }

  for (let round = 0; round < rounds; round += 1) {
    const first = Math.floor(measured.length * round / rounds)
    for (const line of [...measured.slice(first), ...measured.slice(0, first)]) {
      tell(`round ${round + 1}/${rounds}: ${line.name}: ${await once(line)}`)
    }
  }
  return measured
}
