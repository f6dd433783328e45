import { BATCH_ITEMS, type Call, HOT, MANY, type Orgs, TEN, THOUSAND } from './load/load.ts'
import type { Side } from './sides/sides.ts'

/** One line of the table. */
export interface Line {
  /** `<group>/<side>`, by which `--only` finds it. */
  readonly name: string
  /** undefined: COPY */
  readonly call: Call | undefined
  readonly what: string
  readonly side: Side
  readonly orgs: Orgs
  readonly connections: number
  /** Of the same load, where a second is not enough. */
  readonly warmupSeconds?: number
}

/** Each org once, at the speed of a slow machine: in the minute before it was not asked, and the mirror has to be told of it anew. */
const MANY_WARMUP_SECONDS = 12
const CONNECTIONS = 128
/** 8,000 reports at once, of which 2,000 are under way. */
const BATCH_CONNECTIONS = 16
const FEW_CONNECTIONS = 32
/** Enough to keep two cores busy. */
const COPY_CONNECTIONS = 4

function group (name: string, call: Call, sides: readonly Side[], rest: Partial<Line> = {}): Line[] {
  return sides.map(side => ({ name: `${name}/${side}`, call, what: `\`${call}\``, side, orgs: THOUSAND, connections: CONNECTIONS, ...rest }))
}

export const LINES: readonly Line[] = [
  ...group('can', 'can', ['bare', 'servers', 'replicas', 'embedded']),
  ...group('can-32', 'can', ['bare', 'servers', 'replicas', 'embedded'], { connections: FEW_CONNECTIONS }),
  ...group('can-10', 'can', ['many'], { what: '`can`, 10 orgs', orgs: TEN }),
  ...group('can-100k', 'can', ['many'], { what: '`can`, 100,000 orgs', orgs: MANY, warmupSeconds: MANY_WARMUP_SECONDS }),
  ...group('report', 'report', ['bare', 'servers', 'replicas', 'embedded', 'hand']),
  ...group('report-32', 'report', ['bare', 'servers', 'replicas', 'embedded', 'hand'], { connections: FEW_CONNECTIONS }),
  ...group('hot', 'report', ['servers', 'replicas'], { what: '`report`, one hot org', orgs: HOT }),
  ...group('stored', 'report', ['stored', 'none']),
  ...group('consume', 'consume', ['bare', 'servers', 'limiter']),
  ...group('batch', 'batch', ['servers'], { what: `\`reports\`, batches of ${BATCH_ITEMS}`, connections: BATCH_CONNECTIONS }),
  { name: 'batch/copy', call: undefined, what: `batches of ${BATCH_ITEMS}`, side: 'copy', orgs: THOUSAND, connections: COPY_CONNECTIONS },
  ...group('graphql-can', 'canUseFeature', ['servers'], { what: 'GraphQL `canUseFeature`' }),
  ...group('graphql-report', 'recordUsage', ['servers'], { what: 'GraphQL `recordUsage`' })
]

export interface Bound {
  readonly what: string
  readonly line: string
  readonly beside: string
  /** undefined: shown, not asked for */
  readonly least?: number
}

export const BOUNDS: readonly Bound[] = [
  { what: '`can` / bare Fastify', line: 'can/servers', beside: 'can/bare', least: 0.6 },
  { what: '`report` / bare Fastify', line: 'report/servers', beside: 'report/bare', least: 0.35 },
  { what: '`consume` / bare Fastify', line: 'consume/servers', beside: 'consume/bare', least: 0.35 },
  { what: '`report` / hand-written transaction', line: 'report/servers', beside: 'report/hand', least: 4 },
  { what: '`report`: one hot org / 1,000 orgs', line: 'hot/servers', beside: 'report/servers', least: 0.8 },
  { what: '`can`: two replicas / one', line: 'can/replicas', beside: 'can/servers', least: 0.6 },
  { what: '`report`: two replicas / one', line: 'report/replicas', beside: 'report/servers', least: 0.6 },
  { what: '`report`, one hot org: two replicas / one', line: 'hot/replicas', beside: 'hot/servers', least: 0.6 },
  { what: 'reports in batches of 500 / single ones', line: 'batch/servers', beside: 'report/servers', least: 2 },
  { what: 'reports in batches of 500 / bare COPY', line: 'batch/servers', beside: 'batch/copy', least: 0.15 },
  { what: '`report`: 2 million events stored / none', line: 'stored/stored', beside: 'stored/none', least: 0.9 },
  { what: '`can`: 100,000 orgs / 10 orgs', line: 'can-100k/many', beside: 'can-10/many', least: 0.7 },
  { what: 'GraphQL `canUseFeature` / `can`', line: 'graphql-can/servers', beside: 'can/servers', least: 0.5 },
  { what: 'GraphQL `recordUsage` / `report`', line: 'graphql-report/servers', beside: 'report/servers', least: 0.5 },
  { what: '`consume` / rate-limiter-flexible, which is not durable', line: 'consume/servers', beside: 'consume/limiter' }
]

/**
 * Lines by their groups or names, and those that they are compared with.
 * @param only undefined: all
 * @throws if there is none of such a name
 */
export function linesNamed (only: readonly string[] | undefined): readonly Line[] {
  if (only === undefined) return LINES
  const groups = new Set(LINES.flatMap(({ name }) => [name, name.slice(0, name.indexOf('/'))]))
  const unknown = only.find(name => !groups.has(name))
  if (unknown !== undefined) throw new Error(`there is no line ${unknown}; there are ${[...groups].join(', ')}`)
  const chosen = LINES.filter(({ name }) => only.some(wanted => wanted === name || name.startsWith(`${wanted}/`))).map(({ name }) => name)
  const beside = BOUNDS.filter(({ line }) => chosen.includes(line)).map(({ beside }) => beside)
  return LINES.filter(({ name }) => chosen.includes(name) || beside.includes(name))
}
