import type { Generate } from './generator.ts'
import type { Load, Loaded } from './load.ts'
import type { Servers } from './servers.ts'

export const CONNECTIONS = [32, 128] as const
export const SIDES = ['bare', 'servers', 'replicas', 'embedded', 'hand'] as const

export type Side = typeof SIDES[number]

/** One line of the table. */
export interface Line {
  readonly call: Load['call']
  readonly side: Side
  readonly connections: typeof CONNECTIONS[number]
}

export interface Measured extends Line {
  /** One per round. */
  readonly rounds: readonly Loaded[]
}

export interface Pace {
  readonly rounds: number
  readonly seconds: number
  readonly warmupSeconds: number
}

export const LINES: readonly Line[] = CONNECTIONS.flatMap(connections => [
  ...SIDES.filter(side => side !== 'hand').map(side => ({ call: 'can' as const, side, connections })),
  ...SIDES.map(side => ({ call: 'report' as const, side, connections }))
])

/**
 * Every line once, then every line again: noise of a shared machine hits all alike. Each round begins at another line,
 * so that none always follows the same neighbour.
 */
export async function measure (servers: Servers, generate: Generate, pace: Pace, tell: (text: string) => void): Promise<Measured[]> {
  const results = new Map<Line, Loaded[]>(LINES.map(line => [line, []]))
  for (let round = 0; round < pace.rounds; round += 1) {
    const first = Math.floor(LINES.length * round / pace.rounds)
    for (const line of [...LINES.slice(first), ...LINES.slice(0, first)]) {
      const { call, side, connections } = line
      const loaded = await generate({ call, connections, urls: urlsOf(servers, side), ...pace })
      results.get(line)?.push(loaded)
      tell(`round ${round + 1}/${pace.rounds}: ${call} ${side} at ${connections}: ${Math.round(loaded.perSecond)}/s`)
    }
  }
  return [...results].map(([line, rounds]) => ({ ...line, rounds }))
}

function urlsOf ({ replicas, ...urls }: Servers, side: Side): readonly string[] {
  if (side === 'replicas') return replicas
  return side === 'servers' ? [replicas[0]] : [urls[side]]
}
