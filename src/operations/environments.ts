import type { Instant } from '../domain/entitlement.ts'
import { isEnvironmentName } from '../domain/ids.ts'
import { FROZEN_BEFORE } from '../domain/time.ts'
import { TollgateError } from '../errors.ts'
import type { Environment } from '../storage/environments.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { findClock } from './clocks.ts'
import { planNamed } from './org.ts'
import { environmentNamed, environmentNotFound } from './time.ts'

/** Environments that a key of `own` may see: `own`, and its test clocks. */
export interface EnvironmentPage {
  /** `own` first, then the clocks, oldest first. */
  readonly environments: readonly Environment[]
  /** Where the next page begins; null: this was the last. */
  readonly cursor: string | null
}

/** @param cursor of the page before; null: from the start. @throws TollgateError `invalid_request` */
export async function listEnvironments (stores: Stores, own: string, cursor: string | null, pageMax: number): Promise<EnvironmentPage> {
  if (cursor !== null && !isEnvironmentName(cursor)) {
    throw new TollgateError('invalid_request', 'cursor must be the nextCursor of the page before', { pointer: '?cursor' })
  }
  const rows = await available(stores.environments.list(own, cursor, pageMax + 1))
  const environments = rows.slice(0, pageMax)
  return { environments, cursor: rows.length > pageMax ? environments.at(-1)?.name ?? null : null }
}

/** @throws TollgateError `forbidden`, `environment_not_found` */
export async function getEnvironment (stores: Stores, own: string, name: string): Promise<Environment> {
  const environment = await ownOrClock(stores, own, name)
  if (environment === undefined) throw environmentNotFound(name)
  return environment
}

/**
 * Creates the environment or replaces its settings.
 * @throws TollgateError `forbidden`; `invalid_request` for a test clock; `TERR1020`, `plan_unavailable`
 * for a default plan that nobody can be subscribed to
 */
export async function putEnvironment (
  stores: Stores, own: string, name: string, settings: { readonly defaultPlan: string | null, readonly fixedNow: Instant | null }
): Promise<Environment> {
  const known = await ownOrClock(stores, own, name)
  if (known !== undefined && known.parent !== null) {
    throw new TollgateError('invalid_request',
      `${name} is a test clock: its default plan is that of ${known.parent}, and POST /v1/clock moves its time`, { pointer: '?name' })
  }
  const { defaultPlan, fixedNow } = settings
  if (fixedNow !== null && fixedNow >= FROZEN_BEFORE) {
    throw new TollgateError('invalid_request', 'now must be before 9998-01-01T00:00:00Z', { pointer: '/now' })
  }
  if (defaultPlan !== null) await planNamed(stores, name, defaultPlan, '/defaultPlan')
  await available(stores.environments.put({ name, defaultPlan, fixedNow }))
  return await getEnvironment(stores, own, name)
}

/**
 * Deletes a test clock: nobody finds it from now on, and what it holds follows in the background.
 * @param confirm its name once more
 * @throws TollgateError `forbidden`; `invalid_request` for an environment that is no test clock
 */
export async function deleteEnvironment (stores: Stores, own: string, name: string, confirm: string | undefined): Promise<void> {
  const known = await getEnvironment(stores, own, name)
  if (known.parent === null) {
    throw new TollgateError('invalid_request', `${name} is no test clock; only test clocks can be deleted`, { pointer: '?name' })
  }
  if (confirm !== name) {
    throw new TollgateError('invalid_request', `confirm must be ${name}, to delete it with everything in it`, { pointer: '?confirm' })
  }
  // Where somebody else was faster, it is deleted all the same.
  await available(stores.clocks.remove(name, known.parent, Date.now()))
}

/**
 * Of other environments nothing is said, not even whether they exist.
 * @returns undefined if `own` itself does not exist
 */
async function ownOrClock (stores: Stores, own: string, name: string): Promise<Environment | undefined> {
  const environment = name === own ? await environmentNamed(stores, own) : await findClock(stores, own, name)
  if (environment === undefined && name !== own) throw new TollgateError('forbidden', `this key is for environment ${own}`)
  return environment
}
