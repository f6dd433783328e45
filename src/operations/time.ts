import type { Instant } from '../domain/entitlement.ts'
import { TollgateError } from '../errors.ts'
import type { KnownEnvironment } from '../storage/environments.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'

/** An environment and its present: the one place where an operation is told the time. */
export interface Present {
  readonly environment: KnownEnvironment
  readonly now: Instant
}

/** At once, as `environmentNamed`. @throws TollgateError `environment_not_found` */
export function present (stores: Stores, name: string): Present | Promise<Present> {
  const known = environmentNamed(stores, name)
  return known instanceof Promise ? known.then(found => presentIn(found, name)) : presentIn(known, name)
}

function presentIn (environment: KnownEnvironment | undefined, name: string): Present {
  if (environment === undefined) throw environmentNotFound(name)
  return { environment, now: environment.fixedNow ?? Date.now() }
}

/** At once, where what this process knows of it is young: most calls need not wait. */
export function environmentNamed ({ environments }: Stores, name: string): KnownEnvironment | Promise<KnownEnvironment | undefined> {
  const known = environments.get(name)
  return known instanceof Promise ? available(known) : known
}

export function environmentNotFound (name: string): TollgateError {
  return new TollgateError('environment_not_found', `there is no environment ${name}`)
}
