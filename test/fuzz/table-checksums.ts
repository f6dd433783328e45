import type { Database, Result, Statement } from '../../src/storage/database.ts'

/** Written by nobody's request: when a key was last used is noted at some later time. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = { keys: ['last_used_at'] }

/** What was in the ledger at some moment. */
export interface LedgerState {
  /**
   * The end of the database's log of writes: while it stands still, nothing was written. It may move without a change,
   * for what was rolled back or for another database of the same server.
   */
  readonly logEnd: string
  /** By table; two are equal if the tables hold the same rows. */
  readonly sums: ReadonlyMap<string, string>
}

/** Any change of any row of any table, and whose. */
export interface TableChecksums {
  read (): Promise<LedgerState>
  /** That of the state alone, without reading tables. */
  logEnd (): Promise<string>
}

export async function tableChecksums (database: Database): Promise<TableChecksums> {
  const ask = async (text: string): Promise<Result['rows']> => (await database.run([{ text, params: [] } satisfies Statement]))[0]?.rows ?? []
  const tables = await ask(`select table_name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE' order by table_name`)
  const parts = tables.map(([name]) => {
    const left = LEFT_OUT[name as string] ?? []
    const row = left.length === 0 ? 'row::text' : `(to_jsonb(row) - '{${left.join(',')}}'::text[])::text`
    return `select '${name as string}', count(*) || '/' || coalesce(sum(hashtextextended(${row}, 0)::numeric), 0) from "${name as string}" row`
  })
  // A function, because what it asks is planned once. The log first: what is written in between moves its end, and is looked into.
  await ask('create schema fuzz')
  await ask(`create function fuzz.state() returns table (part text, value text) language plpgsql as $$ begin
    return query select '', pg_current_wal_insert_lsn()::text;
    return query ${parts.join(' union all ')};
  end $$`)
  return {
    read: async () => {
      const [[, logEnd] = [], ...sums] = await ask('select * from fuzz.state()') as Array<[string, string]>
      return { logEnd: String(logEnd), sums: new Map(sums) }
    },
    logEnd: async () => String((await ask('select pg_current_wal_insert_lsn()::text'))[0]?.[0])
  }
}

export function differences ({ sums: before }: LedgerState, { sums: after }: LedgerState): string[] {
  return [...new Set([...before.keys(), ...after.keys()])].filter(table => before.get(table) !== after.get(table))
}
