import { v7 as uuidv7 } from 'uuid'
import type { Instant } from '../domain/entitlement.ts'
import { isEnvironmentName } from '../domain/ids.ts'
import { CLOCKS_MAX } from '../domain/test-clock.ts'
import { TollgateError } from '../errors.ts'
import type { Environment } from '../storage/environments.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { environmentNamed, present as presentIn } from './time.ts'

/** A test clock: its id names an environment with its parent's plans and with its own time. */
export interface Clock {
  readonly id: string
  readonly present: Instant
}

/** @throws TollgateError `invalid_request` where there are too many, or in a test clock */
export async function createClock (stores: Stores, environment: string, present: Instant): Promise<Clock> {
  const { environment: { parent } } = await presentIn(stores, environment)
  if (parent !== null) throw new TollgateError('invalid_request', 'a test clock cannot have test clocks of its own')
  // Not a secret: a key of its environment is needed to use it. In the order of making, which is that of lists.
  const clock = { id: `clock-${uuidv7()}`, present }
  if (await available(stores.clocks.add({ ...clock, parent: environment }))) return clock
  throw new TollgateError('invalid_request',
    `environment ${environment} has ${CLOCKS_MAX} test clocks, as many as it may have; delete some, or wait until unused ones expire`)
}

/**
 * Forward, or to where it is. Once this has resolved, every call on every replica happens at that time.
 * @throws TollgateError `clock_not_found`; `invalid_request` for a time before the clock's
 */
export async function advanceClock (stores: Stores, environment: string, { id, present }: Clock): Promise<Clock> {
  const before = await clockNamed(stores, environment, id, '/id')
  if (await available(stores.clocks.advance({ id, parent: environment, present }, Date.now()))) return { id, present }
  // Somebody else may have moved it on since, or deleted it.
  const now = before.present > present ? before : await clockNamed(stores, environment, id, '/id')
  throw new TollgateError('invalid_request',
    `present must not be before ${new Date(now.present).toISOString()}: a test clock moves forward only`, { pointer: '/present' })
}

/** @throws TollgateError `clock_not_found` */
export async function clockNamed (stores: Stores, environment: string, id: string, pointer: string): Promise<Clock> {
  const clock = await findClock(stores, environment, id)
  if (clock === undefined || clock.fixedNow === null) throw clockNotFound(id, pointer)
  return { id, present: clock.fixedNow }
}

/**
 * As the ledger has it now. What belongs to another environment, or is none of its test clocks, does not exist for it.
 * @param id as it was sent
 */
export async function findClock (stores: Stores, environment: string, id: string): Promise<Environment | undefined> {
  const clock = isEnvironmentName(id) ? await environmentNamed(stores, id) : undefined
  return clock?.parent === environment ? clock : undefined
}

/**
 * As `findClock`, and it is noted that it was used, of which nobody waits to hear.
 * @throws TollgateError `clock_not_found`, naming `pointer`
 */
export async function enterClock (
  stores: Stores, environment: string, id: string, pointer: string, unnoted: (error: unknown) => void
): Promise<string> {
  const clock = await findClock(stores, environment, id)
  if (clock === undefined) throw clockNotFound(id, pointer)
  stores.clocks.used(clock, Date.now()).catch(unnoted)
  return clock.name
}

/** @param id shown as far as it could be the id of one */
export function clockNotFound (id: string, pointer: string): TollgateError {
  const which = isEnvironmentName(id) ? `test clock ${id}` : 'such test clock'
  return new TollgateError('clock_not_found', `there is no ${which} in this environment`, { pointer })
}
