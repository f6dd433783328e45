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
export async function present (stores: Stores, name: string): Promise<Present> {
  const known = environmentNamed(stores, name)
  const environment = known instanceof Promise ? await known : known
  if (environment === undefined) throw environmentNotFound(name)
  return { environment, now: environment.fixedNow ?? Date.now() }
}

/** At once, where what this process knows of it is young: most calls need not wait. */
export function environmentNamed ({ environments }: Stores, name: string): Environment | Promise<Environment | undefined> {
  const known = environments.get(name)
  return known instanceof Promise ? available(known) : known
}

export function environmentNotFound (name: string): TollgateError {
  return new TollgateError('environment_not_found', `there is no environment ${name}`)
}
