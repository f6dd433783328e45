import type { Instant } from '../domain/entitlement.ts'
import { parseEnvironmentName, parsePlanRef } from '../domain/ids.ts'
import { TollgateError } from '../errors.ts'
import type { Environment } from '../storage/environments.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { present } from './time.ts'

/** @throws TollgateError `environment_not_found` */
export async function getEnvironment (stores: Stores, name: string): Promise<Environment> {
  return (await present(stores, name)).environment
}

/**
 * Creates the environment or replaces its settings.
 * @throws TollgateError `invalid_id`; `TERR1020` for a default plan that was not pushed there
 */
export async function putEnvironment (
  stores: Stores, name: string, settings: { readonly defaultPlan: string | null, readonly fixedNow: Instant | null }
): Promise<Environment> {
  parseEnvironmentName(name, '?name')
  const { defaultPlan, fixedNow } = settings
  if (defaultPlan !== null) {
    const plan = await available(stores.catalog.find(name, parsePlanRef(defaultPlan, '/defaultPlan')))
    if (plan === undefined) throw new TollgateError('TERR1020', 'feature or plan not found', { pointer: '/defaultPlan' })
  }
  const environment = { name, defaultPlan, fixedNow }
  await available(stores.environments.put(environment))
  return environment
}
