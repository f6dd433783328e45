import type { Call } from './operations.ts'

/** A call and what came of it, by the clock on the wall. */
export interface Attempt {
  readonly sentAt: number
  readonly endedAt: number
  /** undefined: there was no answer. */
  readonly answer: Heard | undefined
}

export interface Heard {
  readonly status: number
  readonly text: string
}

/** One request, from its first attempt to its last answer. */
export interface Work {
  readonly operation: string
  readonly org: string
  readonly call: Call
  readonly attempts: readonly Attempt[]
}

/** What `can` was asked and answered. */
export interface Read extends Attempt {
  readonly org: string
  readonly feature: string
  /** Asked where all is well: no lag is allowed, whatever has happened before. */
  readonly exact: boolean
  /** Asked when nothing is held any more. */
  readonly unheld: boolean
}

export interface History {
  readonly works: Work[]
  readonly reads: Read[]
}

export const OK = 200

/** What was asked is done. */
export function isCounted ({ answer }: Attempt): boolean {
  return answer?.status === OK && !answer.text.includes('"ok":false')
}

/** A limit stood in the way. */
export function isDenied ({ answer }: Attempt): boolean {
  return answer?.status === OK && answer.text.includes('"ok":false')
}

/** The code of a refusal. */
export function codeOf ({ text }: Heard): string | undefined {
  return /"code":"(\w+)"/.exec(text)?.[1]
}
