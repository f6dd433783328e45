import fc from 'fast-check'
import type { Database } from '../../src/storage/database.ts'
import type { Stores } from '../../src/storage/stores.ts'
import { openApi } from '../fixtures/api.ts'
import type { Scope } from '../fixtures/guard.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { freshRedis } from '../fixtures/redis.ts'
import { addPlans } from './plans.ts'
import { play, START } from './play.ts'
import { sequences } from './steps.ts'
import { Difference } from './table.ts'

export interface Run {
  readonly on: 'embedded' | 'servers'
  /** So many at once, each with a thread of its own where it is embedded. */
  readonly ledgers?: number
  readonly count: number
  readonly seed: number
  /** Of one that failed: plays that one alone. */
  readonly path: string | undefined
}

export interface Outcome {
  /** What was answered, how often. */
  readonly tally: ReadonlyMap<string, number>
  /** How the model and the service differ, and how to see it again. */
  readonly failure: string | undefined
}

/** What one of them asks is read and written with what the others ask. */
const SIDE_BY_SIDE = 16
const PLANS_OF = 'test'

/** Equal seeds and counts play equal sequences. */
export async function playSequences (t: Scope, { on, ledgers = 1, count, seed, path }: Run): Promise<Outcome> {
  const lanes = path === undefined ? SIDE_BY_SIDE : 1
  const tally = new Map<string, number>()
  const failures: string[] = []
  await Promise.all(Array.from({ length: path === undefined ? ledgers : 1 }, async (_, ledger) => {
    const { replicas, database } = await open(t, on)
    const [first] = replicas as [Stores]
    await addPlans(first, PLANS_OF)
    await Promise.all(Array.from({ length: lanes }, async (_, lane) => {
      // A test clock: a time of its own, and everybody's plans.
      const environment = `clock-${lane}`
      await first.clocks.add({ id: environment, parent: PLANS_OF, present: START })
      const property = fc.asyncProperty(sequences, async sequence => {
        // One that failed is enough to look at, and the others would only make it wait for its shortest form.
        if (failures.length > 0) return
        await play({ replicas, database, environment, tally }, sequence)
      })
      const own = { seed: seed + ledger * lanes + lane, numRuns: Math.ceil(count / lanes / ledgers), ...(path !== undefined && { path }) }
      const { failed, errorInstance: error, counterexamplePath } = await fc.check(property, own)
      if (!failed) return
      if (!(error instanceof Difference)) throw error
      failures.push(`MODEL_SEED=${own.seed} MODEL_PATH=${counterexamplePath ?? ''} plays it again, on ${on}:\n\n${error.message}`)
    }))
  }))
  return { tally, failure: failures[0] }
}

/** Two replicas on servers, one on an embedded ledger. */
async function open (t: Scope, on: Run['on']): Promise<{ replicas: Stores[], database: Database }> {
  if (on === 'embedded') {
    const { stores, database } = await openApi(t, { on })
    return { replicas: [stores], database }
  }
  const [databaseUrl, redisUrl] = [await freshLedger(t), await freshRedis(t)]
  const first = await openApi(t, { on, databaseUrl, redisUrl })
  const second = await openApi(t, { on, databaseUrl, redisUrl })
  return { replicas: [first.stores, second.stores], database: first.database }
}
