/** What is asked of the load generator, and what it says; both ends of the pipe import this. */

export const ORGS = 1_000
export const FEATURE = 'feature:api-calls'

export function orgName (i: number): string {
  return `org:${String(i).padStart(4, '0')}`
}

export interface Load {
  readonly call: 'can' | 'report'
  /** Connections are spread evenly over them. */
  readonly urls: readonly string[]
  readonly connections: number
  readonly warmupSeconds: number
  readonly seconds: number
}

export interface Loaded {
  /** All answers of 200, with those to warm up. */
  readonly answers: number
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** The generator's own share of a core: at 1 it is the generator that is measured. */
  readonly busy: number
}

export type Report = Loaded | { readonly error: string }
