/** What is asked of the load generator, and what it says; both ends of the pipe import this. */

export const FEATURE = 'feature:api-calls'
/** Items in one request of `batch`. */
export const BATCH_ITEMS = 500

/** Their names end in a number, from 0 on. */
export interface Orgs {
  readonly prefix: string
  readonly count: number
}

export const THOUSAND: Orgs = { prefix: 'org:', count: 1_000 }
export const HOT: Orgs = { prefix: 'org:hot-', count: 1 }
export const MANY: Orgs = { prefix: 'org:many-', count: 100_000 }
export const TEN: Orgs = { ...MANY, count: 10 }

export function orgName ({ prefix }: Orgs, i: number): string {
  return `${prefix}${String(i).padStart(6, '0')}`
}

/** `batch`: `POST /v1/reports`. The last two are Kana's, by GraphQL. */
export type Call = 'can' | 'report' | 'consume' | 'batch' | 'canUseFeature' | 'recordUsage'

interface Timed {
  readonly connections: number
  readonly warmupSeconds: number
  readonly seconds: number
}

export interface HttpLoad extends Timed {
  /** Each request is one of them, at random. */
  readonly calls: readonly Call[]
  readonly orgs: Orgs
  /** Connections are spread evenly over them. */
  readonly urls: readonly string[]
  /** Requests that begin in a second, whether or not others were answered. undefined: each connection sends as soon as it is answered */
  readonly rate?: number
}

/** Rows by COPY into a table like `events`, `BATCH_ITEMS` in each transaction. */
export interface CopyLoad extends Timed {
  readonly databaseUrl: string
}

export type Load = HttpLoad | CopyLoad

export interface Loaded {
  /** Units that were counted by all answers of 200, with those to warm up. */
  readonly counted: number
  /** Answers, or items of batches. */
  readonly perSecond: number
  /** Milliseconds for a request. At a rate: from when it should have begun, so waiting for a free connection counts. */
  readonly p50: number
  readonly p99: number
  /** The generator's own share of a core: at 1 it is the generator that is measured. */
  readonly busy: number
}

export type Report = Loaded | { readonly error: string }
