import { and, desc, eq, inArray, lt, sql } from 'drizzle-orm'
import { makePgArray } from 'drizzle-orm/pg-core'
import { isDeepStrictEqual } from 'node:util'
import type { Instant } from '../domain/entitlement.ts'
import { changeInfo, type OrgInfo } from '../domain/org-info.ts'
import type { OrgRow, RowProblem } from '../domain/org-row.ts'
import { plainArray } from './arrays.ts'
import { type Database, type Orm, orm } from './database.ts'
import { type Page, pageOf } from './page.ts'
import { type ImportState, orgImportRows, orgImports } from './schema-kana.ts'

const PROBLEMS_KEPT_MAX = 100
/** Orgs that one transaction changes, and locks for that long. */
const PAGE_ROWS = 500
const SWEPT_ROWS_MAX = 5_000

export interface ReceivedRow extends OrgRow {
  readonly line: number
}

/** A file of orgs, and how far it has come. */
export interface OrgImport {
  readonly id: string
  readonly state: ImportState
  readonly atomic: boolean
  /** Rows that were read. */
  readonly received: number
  /** Of those that were not refused, how many are done with; of these, how many orgs were new, and how many are not as they were. */
  readonly applied: number
  readonly created: number
  readonly changed: number
  /** Rows that were not right. */
  readonly refused: number
  /** The first hundred of them. */
  readonly problems: readonly RowProblem[]
  readonly createdAt: Instant
}

export interface OrgImports {
  /** @returns false, and begins nothing, while the environment has as many unfinished ones as it may have */
  begin (id: string, environment: string, atomic: boolean, unfinishedMax: number): Promise<boolean>
  /** Nothing, once it was given up. */
  receive (id: string, rows: readonly ReceivedRow[], problems: readonly RowProblem[]): Promise<void>
  /** All of it is here: from now on it is applied, unless it is refused. */
  received (id: string): Promise<OrgImport>
  /** For one that cannot be read to its end. */
  refuse (id: string, problem: RowProblem): Promise<void>
  find (environment: string, id: string): Promise<OrgImport | undefined>
  /** The latest first. @param before its id */
  list (environment: string, before: string | null, countMax: number): Promise<Page<OrgImport>>
  /**
   * Applies one page of one import. Any number of processes may do it at once, and be killed at any moment: a page is applied once.
   * @returns is there more to do, as far as this process can tell?
   */
  applyPage (): Promise<boolean>
  /**
   * Gives up files that broke off on their way in, deletes rows that nobody will apply, and forgets imports of long ago: a page of each.
   * @returns is there more to do?
   */
  sweep (brokenOffBefore: Instant, finishedBefore: Instant): Promise<boolean>
}

export function orgImportStore (database: Database): OrgImports {
  const db = orm(database)

  return {
    begin: async (id, environment, atomic, unfinishedMax) => {
      const begun = await db.execute(sql`
        insert into org_imports (id, environment, state, atomic)
        select ${id}::uuid, ${environment}, 'receiving', ${atomic}::bool
        where (select count(*) from org_imports where environment = ${environment} and state in ('receiving', 'applying')) < ${unfinishedMax}::int
        returning id`)
      return begun.length > 0
    },
    receive: async (id, rows, problems) => await database.transaction(async session => {
      const db = orm(session)
      const begun = await db.update(orgImports).set({
        received: sql`${orgImports.received} + ${rows.length + problems.length}::int`, ...refusing(problems.length, problems), touchedAt: sql`now()`
      }).where(isReceiving(id)).returning({ id: orgImports.id })
      if (begun.length > 0 && rows.length > 0) {
        await db.execute(sql`
          insert into org_import_rows (import, line, org, info)
          select ${id}::uuid, line, org, info::jsonb from unnest(${plainArray(rows.map(({ line }) => line))}::int[],
            ${makePgArray(rows.map(({ org }) => org))}::text[], ${makePgArray(rows.map(({ change }) => JSON.stringify(change)))}::text[]) as row (line, org, info)`)
      }
    }),
    received: async id => await database.transaction(async session => {
      const db = orm(session)
      const [known] = await db.select().from(orgImports).where(eq(orgImports.id, id)).for('update')
      if (known?.state !== 'receiving') return importFrom(known as Stored)
      for (const refuseRows of [refuseTwice, refuseMerged]) {
        const [found] = await db.execute<{ count: number, problems: RowProblem[] }>(refuseRows(id))
        const { count = 0, problems = [] } = found ?? {}
        if (count > 0) await db.update(orgImports).set(refusing(count, problems)).where(eq(orgImports.id, id))
      }
      const [row] = await db.update(orgImports).set({
        state: sql`case when atomic and refused > 0 then 'refused' when received = refused then 'done' else 'applying' end`, touchedAt: sql`now()`
      }).where(eq(orgImports.id, id)).returning()
      return importFrom(row as Stored)
    }),
    refuse: async (id, problem) => {
      await db.update(orgImports).set({ state: 'refused', ...refusing(0, [problem]), touchedAt: sql`now()` }).where(eq(orgImports.id, id))
    },
    find: async (environment, id) => {
      const [row] = await db.select().from(orgImports).where(and(eq(orgImports.environment, environment), eq(orgImports.id, id)))
      return row === undefined ? undefined : importFrom(row)
    },
    list: async (environment, before, countMax) => {
      const rows = await db.select().from(orgImports)
        .where(and(eq(orgImports.environment, environment), before === null ? undefined : lt(orgImports.id, before)))
        .orderBy(desc(orgImports.id)).limit(countMax + 1)
      return pageOf(rows.map(importFrom), countMax, ({ id }) => [id])
    },
    applyPage: async () => await database.transaction(async session => {
      const db = orm(session)
      const [found] = await db.select({ id: orgImports.id, environment: orgImports.environment }).from(orgImports)
        .where(eq(orgImports.state, 'applying')).orderBy(orgImports.touchedAt).limit(1).for('update', { skipLocked: true })
      if (found === undefined) return false
      const { id, environment } = found
      const rows = await db.delete(orgImportRows).where(inArray(sql`(import, line)`, sql`(
        select import, line from org_import_rows where import = ${id}::uuid order by line limit ${PAGE_ROWS}
      )`)).returning({ line: orgImportRows.line, org: orgImportRows.org, change: orgImportRows.info })
      const merged = await mergedSince(db, environment, rows)
      const wanted = rows.filter(({ line }) => !merged.some(problem => problem.line === line))
      const { created, changed } = wanted.length === 0 ? { created: 0, changed: 0 } : await apply(db, environment, wanted)
      await db.update(orgImports).set({
        ...refusing(merged.length, merged),
        applied: sql`${orgImports.applied} + ${wanted.length}::int`,
        created: sql`${orgImports.created} + ${created}::int`,
        changed: sql`${orgImports.changed} + ${changed}::int`,
        touchedAt: sql`now()`,
        ...(rows.length < PAGE_ROWS && { state: 'done' as const })
      }).where(eq(orgImports.id, id))
      return true
    }),
    sweep: async (brokenOffBefore, finishedBefore) => {
      const lost: RowProblem = { line: null, column: null, detail: 'the file did not arrive whole' }
      await db.update(orgImports).set({ state: 'refused', ...refusing(0, [lost]) })
        .where(and(eq(orgImports.state, 'receiving'), lt(orgImports.touchedAt, brokenOffBefore)))
      const [deleted] = await db.execute<{ count: number }>(sql`
        with deleted as (
          delete from org_import_rows where ctid = any(array(
            select r.ctid from org_imports i join org_import_rows r on r.import = i.id where i.state = 'refused' limit ${SWEPT_ROWS_MAX}
          )) returning 1
        ) select count(*)::int as count from deleted`)
      const count = deleted?.count ?? 0
      // An import that is forgotten has no rows: one that was refused long ago lost them long ago.
      if (count === 0) await db.delete(orgImports).where(and(inArray(orgImports.state, ['done', 'refused']), lt(orgImports.touchedAt, finishedBefore)))
      return count === SWEPT_ROWS_MAX
    }
  }
}

/** Rows of orgs that the file has on an earlier line: which of the two is meant cannot be told. */
const refuseTwice = (id: string) => sql`
  with named as (
    select line, first_value(line) over (partition by org order by line) as first from org_import_rows where import = ${id}::uuid
  ), twice as (
    delete from org_import_rows r using named where r.import = ${id}::uuid and r.line = named.line and named.first < named.line
    returning r.line, 'is on line ' || named.first || ' already' as detail
  ) ${summary}`

/** Rows under the former id of an org that was merged into another: it would come back to life. */
const refuseMerged = (id: string) => sql`
  with twice as (
    delete from org_import_rows r using org_imports i, org_aliases a, orgs kept
    where r.import = ${id}::uuid and i.id = r.import and a.environment = i.environment and a.name = r.org and kept.id = a.org
      and not exists (select from orgs o where o.environment = i.environment and o.name = r.org)
    returning r.line, 'was merged into ' || kept.name as detail
  ) ${summary}`

/** The same for those that were merged after their rows had been checked. */
async function mergedSince (
  db: Orm, environment: string, rows: ReadonlyArray<{ readonly line: number, readonly org: string }>
): Promise<RowProblem[]> {
  const found = await db.execute<{ org: string, kept: string }>(sql`
    select a.name as org, kept.name as kept from unnest(${makePgArray(rows.map(({ org }) => org))}::text[]) as wanted (name)
    join org_aliases a on a.environment = ${environment} and a.name = wanted.name join orgs kept on kept.id = a.org
    where not exists (select from orgs o where o.environment = ${environment} and o.name = wanted.name)`)
  const keptOf = new Map(found.map(({ org, kept }) => [org, kept]))
  return rows.filter(({ org }) => keptOf.has(org)).map(({ line, org }) => ({ line, column: 'org', detail: `was merged into ${keptOf.get(org)}` }))
}

const summary = sql`
  select (select count(*)::int from twice) as count, coalesce((
    select json_agg(json_build_object('line', line, 'column', 'org', 'detail', detail) order by line)
    from (select * from twice order by line limit ${sql.raw(String(PROBLEMS_KEPT_MAX))}) first
  ), '[]') as problems`

const isReceiving = (id: string) => and(eq(orgImports.id, id), eq(orgImports.state, 'receiving'))

/** Problems are kept in the order of their lines, the first hundred. */
function refusing (count: number, problems: readonly RowProblem[]) {
  return {
    refused: sql`${orgImports.refused} + ${count}::int`,
    ...(problems.length > 0 && {
      problems: sql`(
        select coalesce(jsonb_agg(problem), '[]') from (
          select problem from jsonb_array_elements(${orgImports.problems} || ${JSON.stringify(problems.slice(0, PROBLEMS_KEPT_MAX))}::jsonb) problem
          order by (problem->>'line')::int limit ${sql.raw(String(PROBLEMS_KEPT_MAX))}
        ) kept
      )`
    })
  }
}

interface Change { readonly org: string, readonly change: OrgRow['change'] }

/** New ones first, in the order of their names, then those that there are, in the order of their keys: nobody waits the other way round. */
async function apply (db: Orm, environment: string, rows: readonly Change[]): Promise<{ created: number, changed: number }> {
  const changes = new Map(rows.map(({ org, change }) => [org, change]))
  const named = [...changes].sort(([a], [b]) => a < b ? -1 : 1)
  const made = await db.execute<{ name: string }>(sql`
    insert into orgs (environment, name, info, created_at)
    select ${environment}, name, info::jsonb, coalesce((select fixed_now from environments where name = ${environment}), now())
    from unnest(${makePgArray(named.map(([org]) => org))}::text[],
      ${makePgArray(named.map(([, change]) => JSON.stringify(changeInfo({}, change))))}::text[]) as row (name, info)
    where not exists (select from orgs o where o.environment = ${environment} and o.name = row.name)
    on conflict do nothing returning name`)
  for (const { name } of made) changes.delete(name)
  // A list of names, to a planner that thinks the table is tiny, is a reason to look at all orgs for each page.
  const known = changes.size === 0
    ? []
    : await db.execute<{ key: number, name: string, info: OrgInfo }>(sql`
      select o.id as key, o.name, o.info from unnest(${makePgArray([...changes.keys()])}::text[]) as wanted (name)
      join orgs o on o.environment = ${environment} and o.name = wanted.name order by o.id for no key update of o`)
  const changed = known.flatMap(({ key, name, info }) => {
    const next = changeInfo(info, changes.get(name) ?? {})
    return isDeepStrictEqual(next, info) ? [] : [{ key, next }]
  })
  if (changed.length > 0) {
    await db.execute(sql`
      update orgs set info = row.info::jsonb
      from unnest(${plainArray(changed.map(({ key }) => key))}::int[], ${makePgArray(changed.map(({ next }) => JSON.stringify(next)))}::text[]) as row (id, info)
      where orgs.id = row.id`)
  }
  return { created: made.length, changed: changed.length }
}

type Stored = typeof orgImports.$inferSelect

function importFrom ({ id, state, atomic, received, applied, created, changed, refused, problems, createdAt }: Stored): OrgImport {
  return { id, state, atomic, received, applied, created, changed, refused, problems: problems as RowProblem[], createdAt }
}
