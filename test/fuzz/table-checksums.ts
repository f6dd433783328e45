import type { Database, Statement } from '../../src/storage/database.ts'

/** Written by nobody's request: when a key was last used is noted at some later time. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = { keys: ['last_used_at'] }

/** Any change of any row of any table, and whose. */
export interface TableChecksums {
  /** By table; two are equal if the tables hold the same rows. */
  read (): Promise<ReadonlyMap<string, string>>
  /**
   * The end of the database's log of writes: while it stands still, nothing was written. It may move without a change,
   * for what was rolled back or for another database of the same server.
   */
  logEnd (): Promise<string>
}

export async function tableChecksums (database: Database): Promise<TableChecksums> {
  const rows = async (text: string): Promise<ReadonlyArray<readonly unknown[]>> => {
    const [result] = await database.run([{ text, params: [] }])
    return result?.rows ?? []
  }
  const tables = await rows(`select table_name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE' order by table_name`)
  const parts = tables.map(([name]) => {
    const left = LEFT_OUT[name as string] ?? []
    const row = left.length === 0 ? 'row::text' : `(to_jsonb(row) - '{${left.join(',')}}'::text[])::text`
    return `select '${name as string}', count(*) || '/' || coalesce(sum(hashtextextended(${row}, 0)::numeric), 0) from "${name as string}" row`
  })
  const everything: Statement = { text: parts.join(' union all '), params: [] }
  return {
    // The planner thinks the world of a scan that it was told to avoid, and would compile it.
    read: async () => await database.transaction(async session => {
      await session.run([{ text: 'set local jit = off', params: [] }])
      const [result] = await session.run([everything])
      return new Map(result?.rows as unknown as Array<[string, string]>)
    }),
    logEnd: async () => String((await rows('select pg_current_wal_insert_lsn()::text'))[0]?.[0])
  }
}

export function differences (before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  return [...new Set([...before.keys(), ...after.keys()])].filter(table => before.get(table) !== after.get(table))
}
