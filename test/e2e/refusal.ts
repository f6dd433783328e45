import type { Scope } from '../fixtures/guard.ts'
import { serve } from '../fixtures/process.ts'

export interface Refusal {
  readonly code: string
  readonly lines: readonly string[]
}

/** Starts the service where it must refuse to start: how it ended, and what it said. */
export async function refusal (t: Scope, env: Record<string, string>): Promise<Refusal> {
  const error = await serve(t, { env }).then(() => new Error('it started'), (error: Error) => error)
  const [, code, output] = /ended too early \((\w+)\)\. Its output:\n([^]*)$/.exec(error.message) ?? []
  if (code === undefined || output === undefined) throw error
  return { code, lines: output.split('\n').filter(line => line !== '') }
}
