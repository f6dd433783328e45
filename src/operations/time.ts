import type { Instant } from '../domain/entitlement.ts'
import { TollgateError } from '../errors.ts'
import type { Environment } from '../storage/environments.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'

/** An environment and its present: the one place where an operation is told the time. */
export interface Present {
  readonly environment: Environment
  readonly now: Instant
}

/** @throws TollgateError `environment_not_found` */
export async function present ({ environments }: Stores, name: string): Promise<Present> {
  const known = environments.get(name)
  const environment = known instanceof Promise ? await available(known) : known
  if (environment === undefined) throw new TollgateError('environment_not_found', `there is no environment ${name}`)
  return { environment, now: environment.fixedNow ?? Date.now() }
}
