import { type Database } from '../../src/storage/database.ts'
import { pgliteDatabase } from '../../src/storage/pglite.ts'
import { postgresDatabase } from '../../src/storage/postgres.ts'
import type { DayOfUse } from './sample-log.ts'

export interface LedgerState {
  /** By `client day`, as `SampleLog` has it. */
  readonly use: Readonly<Record<string, DayOfUse>>
  readonly clients: number
  readonly events: number
  /** Of every row of every table that a report can touch. */
  readonly checksums: Readonly<Record<string, string>>
}

const TABLES = ['environments', 'features', 'plans', 'entitlements', 'orgs', 'subscriptions', 'events', 'counters']

const USE = `select substr(orgs.name, 5), features.name, to_char(c.window_start at time zone 'UTC', 'YYYY-MM-DD'), c.used::text
  from counters c join orgs on orgs.id = c.org join features on features.id = c.feature`

/** What the ledger holds. An embedded one's process must have ended. */
export async function ledgerState (place: { readonly folder: string } | { readonly url: string }): Promise<LedgerState> {
  const database = 'folder' in place ? await pgliteDatabase(place.folder) : postgresDatabase(place.url)
  try {
    const use: Record<string, DayOfUse> = {}
    for (const [client, feature, day, used] of await rowsOf(database, USE)) {
      const entry = use[`${client} ${day}`] ??= { requests: 0, bytes: 0 }
      entry[feature === 'feature:bytes' ? 'bytes' : 'requests'] = Number(used)
    }
    const [[clients, events] = []] = await rowsOf(database, 'select (select count(*) from orgs)::text, (select count(*) from events)::text')
    const checksums: Record<string, string> = {}
    for (const table of TABLES) {
      const [[sum] = []] = await rowsOf(database, `select md5(coalesce(string_agg(t::text, ',' order by t::text), '')) from ${table} t`)
      checksums[table] = String(sum)
    }
    return { use, clients: Number(clients), events: Number(events), checksums }
  } finally {
    await database.close()
  }
}

async function rowsOf (database: Database, text: string): Promise<ReadonlyArray<readonly unknown[]>> {
  return (await database.run([{ text, params: [] }]))[0]?.rows ?? []
}
