import postgres from 'postgres'
import { THOUSAND } from '../load/load.ts'
import { usedOver } from './prepared.ts'
import type { Ledger, Servers } from './servers.ts'
import type { LedgerName } from './sides.ts'

/** What is in a ledger; undefined where there is no such thing, or where only the API can be asked. */
export interface Stored {
  readonly counters: number | undefined
  readonly events: { readonly rows: number, readonly sum: number } | undefined
}

export type AllStored = ReadonlyMap<LedgerName, Stored>

/** What was counted meanwhile. */
export interface Count {
  readonly ledger: LedgerName
  /** By answers of 200. */
  readonly answered: number
  readonly stored: Stored
}

/** Speed that was bought with loss, or with double counting, is none. */
export function isExact ({ answered, stored: { counters, events } }: Count): boolean {
  return (counters ?? answered) === answered && (events?.rows ?? answered) === answered && (events?.sum ?? answered) === answered
}

export async function lookInto ({ ledgers }: Servers): Promise<AllStored> {
  const found = new Map<LedgerName, Stored>()
  for (const [name, ledger] of ledgers) found.set(name, await storedIn(name, ledger))
  return found
}

/** @param answered by ledger */
export function countsOf (before: AllStored, after: AllStored, answered: (ledger: LedgerName) => number): Count[] {
  return [...after].map(([ledger, { counters, events }]) => {
    const were = before.get(ledger) as Stored
    const grown = {
      counters: counters === undefined ? undefined : counters - (were.counters as number),
      events: events === undefined || were.events === undefined
        ? undefined
        : { rows: events.rows - were.events.rows, sum: events.sum - were.events.sum }
    }
    return { ledger, answered: answered(ledger), stored: grown }
  })
}

async function storedIn (name: LedgerName, { service, database }: Ledger): Promise<Stored> {
  if (database === undefined) return { counters: await usedOver(service as string, THOUSAND), events: undefined }
  const sql = postgres(database, { max: 1 })
  try {
    const table = name === 'copied' ? 'copied' : 'events'
    const amount = name === 'hand' ? 'amount' : 'delta'
    const [events] = await sql<[{ rows: number, sum: number }]>`
      select count(*)::float8 as rows, coalesce(sum(${sql(amount)}), 0)::float8 as sum from ${sql(table)}`
    if (name === 'copied') return { counters: undefined, events: { ...events } }
    const [{ sum }] = await sql<[{ sum: number }]>`select coalesce(sum(used), 0)::float8 as sum from counters`
    return { counters: sum, events: { ...events } }
  } finally {
    await sql.end()
  }
}
