import { sql } from 'drizzle-orm'
import { makePgArray } from 'drizzle-orm/pg-core'
import { amountFromNumeric } from '../domain/amount.ts'
import type { Override } from '../domain/entitlement.ts'
import { type Org, orgOf, type StoredPlan } from '../domain/org.ts'
import type { Properties } from '../domain/properties.ts'
import type { Subscription } from '../domain/schedule.ts'
import type { Catalog } from './catalog.ts'
import { coalesce } from './coalesce.ts'
import { type Database, prepare, type Result, type Session } from './database.ts'
import { recent } from './recent.ts'
import { features, instantFrom, orgs, subscriptions } from './schema.ts'

const ORGS_CACHED_MAX = 100_000
const LOAD_LIMITS = { batchMax: 1_000, inFlightMax: 2, waitingMax: 20_000 }

/** Snapshots of orgs in this process. Whoever uses one compares its version with the ledger's or the mirror's. */
export interface Orgs {
  /** What this process last saw of the org, however old. */
  cached (environment: string, name: string): Org | undefined
  /** As the ledger has it now, also by the id of one that was merged into it; undefined if there is no such org. */
  load (environment: string, name: string): Promise<Org | undefined>
  /** As a transaction sees them. Not remembered: it may have changed them itself, and may yet be rolled back. */
  loadLocked (keys: readonly number[], session: Session): Promise<ReadonlyMap<number, Org>>
  /** @param org as it was committed */
  remember (org: Org): void
  /** For an org that turned out to be gone: who asks next asks the ledger. */
  forget (org: Org): void
}

const COLUMNS = sql`${orgs.id}, ${orgs.environment}, ${orgs.name}, ${orgs.version}, ${orgs.timeZone}, ${orgs.createdAt},
  ${subscriptions.id}, ${subscriptions.plan}, ${features.name}, ${subscriptions.startsAt}, ${subscriptions.endsAt},
  ${subscriptions.status}, ${subscriptions.anchorAt}, ${subscriptions.timeZone}, ${subscriptions.phaseAt},
  nullif(${subscriptions.metadata}, '{}'), overridden.list`

/** One statement, hence one snapshot: a version never goes with another version's subscriptions or overrides. */
const HELD = sql`left join lateral (
    select json_agg(json_build_array(named.name, o.feature, o.starts_at::text, o.ends_at::text, o."limit"::text, o.overage)
      order by o.feature, o.starts_at) as list
    from overrides o join features named on named.id = o.feature where o.org = ${orgs.id}
  ) overridden on true
  left join ${subscriptions} on ${subscriptions.org} = ${orgs.id}
  left join ${features} on ${features.id} = ${subscriptions.feature}
  order by ${orgs.id}, ${subscriptions.id}`

const byName = prepare<'environments' | 'names'>(sql`
  select ${COLUMNS}
  from unnest(${sql.placeholder('environments')}::text[], ${sql.placeholder('names')}::text[]) as wanted (environment, name)
  join ${orgs} on ${orgs.environment} = wanted.environment and ${orgs.name} = wanted.name ${HELD}`)

const byAlias = prepare<'environments' | 'names'>(sql`
  select a.environment, a.name, a.org
  from unnest(${sql.placeholder('environments')}::text[], ${sql.placeholder('names')}::text[]) as wanted (environment, name)
  join org_aliases a on a.environment = wanted.environment and a.name = wanted.name`)

const byKey = prepare<'keys'>(sql`
  select ${COLUMNS} from unnest(${sql.placeholder('keys')}::int[]) as wanted (id)
  join ${orgs} on ${orgs.id} = wanted.id and ${orgs.deletedAt} is null ${HELD}`)

export function orgStore (database: Database, plans: Catalog): Orgs {
  const snapshots = recent<string, Org>(ORGS_CACHED_MAX)
  const cacheKey = (environment: string, name: string): string => `${environment}/${name}`

  function remember (org: Org): void {
    const key = cacheKey(org.environment, org.name)
    // Two loads may finish in the wrong order; the later version stays, and of one name the org that was made later.
    const known = snapshots.get(key)
    if (known === undefined || known.key < org.key || (known.key === org.key && known.version <= org.version)) snapshots.set(key, org)
  }

  const loadByName = coalesce<{ environment: string, name: string }, Org | undefined>(async wanted => {
    // Each once: asked for twice in one statement, an org would have every row twice, and hold its add-ons twice.
    const distinct = [...new Map(wanted.map(org => [cacheKey(org.environment, org.name), org])).values()]
    const [result] = await database.run([byName({
      environments: makePgArray(distinct.map(({ environment }) => environment)),
      names: makePgArray(distinct.map(({ name }) => name))
    })])
    const found = await assemble(result, plans, undefined)
    for (const org of found) remember(org)
    const named = new Map(found.map(org => [cacheKey(org.environment, org.name), org]))
    const unknown = distinct.filter(({ environment, name }) => !named.has(cacheKey(environment, name)))
    for (const { environment, name } of unknown) snapshots.delete(cacheKey(environment, name))
    const formerly = unknown.length === 0 ? new Map<string, Org>() : await loadFormer(unknown)
    return wanted.map(({ environment, name }) => named.get(cacheKey(environment, name)) ?? formerly.get(cacheKey(environment, name)))
  }, LOAD_LIMITS)

  /** Those that an id led to before its org was merged into another. */
  async function loadFormer (wanted: ReadonlyArray<{ environment: string, name: string }>): Promise<Map<string, Org>> {
    const [result] = await database.run([byAlias({
      environments: makePgArray(wanted.map(({ environment }) => environment)), names: makePgArray(wanted.map(({ name }) => name))
    })])
    const rows = (result?.rows ?? []) as ReadonlyArray<readonly [environment: string, name: string, org: number]>
    if (rows.length === 0) return new Map()
    const [held] = await database.run([byKey({ keys: makePgArray([...new Set(rows.map(([, , org]) => org))]) })])
    const found = new Map((await assemble(held, plans, undefined)).map(org => [org.key, org]))
    for (const org of found.values()) remember(org)
    return new Map(rows.flatMap(([environment, name, key]) => {
      const org = found.get(key)
      return org === undefined ? [] : [[cacheKey(environment, name), org] as const]
    }))
  }

  return {
    cached: (environment, name) => snapshots.get(cacheKey(environment, name)),
    load: async (environment, name) => await loadByName({ environment, name }),
    loadLocked: async (keys, session) => {
      const [result] = await session.run([byKey({ keys: makePgArray([...keys]) })])
      return new Map((await assemble(result, plans, session)).map(org => [org.key, org]))
    },
    remember,
    forget: ({ environment, name, key }) => {
      if (snapshots.get(cacheKey(environment, name))?.key === key) snapshots.delete(cacheKey(environment, name))
    }
  }
}

type Row = [number, string, string, string, string, string, string | null, number, string | null, string, string | null,
  Subscription['status'], string, string, string, Properties | null, OverrideRow[] | null]
type OverrideRow = [string, number, string, string | null, string | null, boolean | null]

async function assemble (result: Result | undefined, plans: Catalog, session: Session | undefined): Promise<Org[]> {
  const grouped = new Map<number, Row[]>()
  const planKeys = new Set<number>()
  for (const row of (result?.rows ?? []) as unknown as Row[]) {
    const rows = grouped.get(row[0])
    if (rows === undefined) grouped.set(row[0], [row])
    else rows.push(row)
    if (row[6] !== null) planKeys.add(row[7])
  }
  const known = await plans.byKey([...planKeys], session)
  return [...grouped.values()].map(rows => fromRows(rows, known))
}

function fromRows (rows: readonly Row[], known: ReadonlyMap<number, StoredPlan>): Org {
  const [[key, environment, name, version, timeZone, createdAt, ...rest]] = rows as [Row]
  const planOf = new Map<number, StoredPlan>()
  const held = rows.filter(row => row[6] !== null).map(row => {
    const subscription = subscriptionFrom(row, known.get(row[7]) as StoredPlan)
    planOf.set(subscription.id, known.get(row[7]) as StoredPlan)
    return subscription
  })
  const overridden = rest.at(-1) as OverrideRow[] | null
  const facts = {
    key,
    environment,
    name,
    version: Number(version),
    timeZone,
    createdAt: instantFrom(createdAt),
    subscriptions: held,
    ...(overridden !== null && { overrides: overridesFrom(overridden) })
  }
  return orgOf(facts, subscription => planOf.get(subscription.id) as StoredPlan)
}

function overridesFrom (rows: readonly OverrideRow[]): Org['overrides'] {
  const byFeature = new Map<string, { key: number, list: Override[] }>()
  for (const [feature, key, start, end, limit, overage] of rows) {
    const known = byFeature.get(feature) ?? { key, list: [] }
    known.list.push({
      start: instantFrom(start),
      end: end === null ? null : instantFrom(end),
      limit: limit === null ? null : amountFromNumeric(limit),
      overage
    })
    byFeature.set(feature, known)
  }
  return byFeature
}

function subscriptionFrom (row: Row, { plan }: StoredPlan): Subscription {
  const [, , , , , , id, , feature, startsAt, endsAt, status, anchorAt, timeZone, phaseAt, metadata] = row
  return {
    id: Number(id),
    plan: plan.ref,
    feature,
    startsAt: instantFrom(startsAt),
    endsAt: endsAt === null ? null : instantFrom(endsAt),
    status,
    anchorAt: instantFrom(anchorAt),
    timeZone,
    phaseAt: instantFrom(phaseAt),
    ...(metadata !== null && { metadata })
  }
}
