import { and, asc, eq, gt, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import type { Instant } from '../domain/entitlement.ts'
import type { PlanRef } from '../domain/ids.ts'
import type { Org } from '../domain/org.ts'
import { givesAccess, STATUSES } from '../domain/schedule.ts'
import { plainArray } from './arrays.ts'
import { ownerOf } from './catalog.ts'
import { type Database, orm } from './database.ts'
import type { Orgs } from './orgs.ts'
import { type Page, pageOf } from './page.ts'
import { entitlements, features, orgs, plans, subscriptions } from './schema.ts'
import type { OrgInfo } from './subscriptions.ts'

/** What is undefined chooses nothing. */
export interface OrgFilter {
  /** Of the id, `org:ac`; beside the others only: alone it chooses `byName`. */
  readonly prefix: string | undefined
  /** Held now: the whole of this plan or, with a feature, that feature through this plan. */
  readonly plan: PlanRef | undefined
  /** Held now. */
  readonly feature: string | undefined
}

export interface ListedOrg {
  readonly org: Org
  readonly info: OrgInfo
}

export interface OrgProfile {
  readonly key: number
  readonly name: string
  readonly info: OrgInfo
}

export interface OrgList {
  /** By age, after the org with this key. Of a plan or feature that few hold, a page looks at every subscription once. */
  byAge (environment: string, filter: OrgFilter, after: number, now: Instant, countMax: number): Promise<Page<ListedOrg>>
  /** Those without one at a payment provider, by age. */
  withoutBillingId (environment: string, after: number, countMax: number): Promise<Page<ListedOrg>>
  /** Those with this e-mail, in whatever case, by age. */
  byEmail (environment: string, email: string, countMax: number): Promise<OrgProfile[]>
  /** Those whose e-mail others have as well, in whatever case, by e-mail and age. @param after where the page before ended */
  sharingEmail (environment: string, after: readonly [email: string, org: number] | null, countMax: number): Promise<Page<ListedOrg>>
  /** What is known of orgs besides what they hold, by age. */
  profiles (environment: string, after: number, countMax: number): Promise<Page<OrgProfile>>
  /** By id, in the order of its bytes. */
  byName (environment: string, prefix: string, after: string | null, countMax: number): Promise<Page<ListedOrg>>
}

export function orgList (database: Database, orgStore: Orgs): OrgList {
  const db = orm(database)

  /** The keys of plans that a holder may hold. */
  async function plansOf (environment: string, { plan, feature }: OrgFilter): Promise<{ keys: number[], feature: number | null }> {
    const owner = ownerOf(environment)
    const [named] = feature === undefined
      ? []
      : await db.select({ key: features.id }).from(features).where(and(eq(features.environment, owner), eq(features.name, feature)))
    if (feature !== undefined && named === undefined) return { keys: [], feature: null }
    const rows = await db.select({ key: plans.id }).from(plans).where(and(
      eq(plans.environment, owner),
      plan && and(eq(plans.name, plan.name), eq(plans.version, plan.version)),
      named && sql`exists (select from ${entitlements} where ${entitlements.plan} = ${plans.id} and ${entitlements.feature} = ${named.key})`
    ))
    return { keys: rows.map(({ key }) => key), feature: named?.key ?? null }
  }

  /** Of holders, by age. */
  async function holders (environment: string, filter: OrgFilter, after: number, now: Instant, count: number): Promise<number[]> {
    const { keys, feature } = await plansOf(environment, filter)
    if (keys.length === 0) return []
    const at = new Date(now).toISOString()
    const rows = await db.execute<{ org: number }>(sql`
      select distinct s.org from ${subscriptions} s
      where s.plan = any(${plainArray(keys)}::int[]) and s.org > ${after}::bigint and s.starts_at <= ${at}::timestamptz
        and (s.ends_at is null or s.ends_at > ${at}::timestamptz)
        and s.status = any(case when s.ends_at is null then ${OPEN}::text[] else ${ENDING}::text[] end)
        and (s.feature is null or s.feature = ${feature}::int)
        and exists (select from ${orgs} where ${orgs.id} = s.org and ${orgs.environment} = ${environment} and ${orgs.deletedAt} is null
          and ${filter.prefix === undefined ? sql`true` : startsWith(filter.prefix)})
      order by s.org limit ${count}::int`)
    return rows.map(({ org }) => org)
  }

  /** What was deleted in the meantime is left out. */
  async function loaded ({ items: keys, next }: Page<number>): Promise<Page<ListedOrg>> {
    if (keys.length === 0) return { items: [], next }
    const rows = await db.select({ key: orgs.id, info: orgs.info }).from(orgs).where(inArray(orgs.id, [...keys]))
    const infos = new Map(rows.map(({ key, info }) => [key, info]))
    const found = await orgStore.loadLocked(keys, database)
    return { items: keys.flatMap(key => found.has(key) ? [{ org: found.get(key) as Org, info: infos.get(key) ?? {} }] : []), next }
  }

  return {
    byAge: async (environment, filter, after, now, countMax) => {
      const keys = filter.plan !== undefined || filter.feature !== undefined
        ? await holders(environment, filter, after, now, countMax + 1)
        : (await db.select({ key: orgs.id }).from(orgs)
            .where(and(eq(orgs.environment, environment), isNull(orgs.deletedAt), gt(orgs.id, sql`${after}::bigint`)))
            .orderBy(asc(orgs.id)).limit(countMax + 1)).map(({ key }) => key)
      return await loaded(pageOf(keys, countMax, key => [key]))
    },
    withoutBillingId: async (environment, after, countMax) => {
      const rows = await db.select({ key: orgs.id }).from(orgs).where(and(
        eq(orgs.environment, environment), isNull(orgs.deletedAt), sql`${orgs.info}->>'billingId' is null`, gt(orgs.id, after)
      )).orderBy(asc(orgs.id)).limit(countMax + 1)
      return await loaded(pageOf(rows.map(({ key }) => key), countMax, key => [key]))
    },
    byEmail: async (environment, email, countMax) => await db.execute<{ key: number, name: string, info: OrgInfo }>(sql`
      select o.id as key, o.name, o.info from orgs o
      where o.environment = ${environment} and o.info->>'email' is not null and o.deleted_at is null
        and lower(left(o.info->>'email', 320)) = lower(left(${email}::text, 320)) and lower(o.info->>'email') = lower(${email}::text)
      order by o.id limit ${countMax}::int`),
    sharingEmail: async (environment, after, countMax) => {
      const rows = await db.execute<{ key: number, email: string }>(sql`
        select o.id as key, lower(left(o.info->>'email', 320)) as email from orgs o
        where o.environment = ${environment} and o.info->>'email' is not null and o.deleted_at is null
          and (${after === null}::bool or (lower(left(o.info->>'email', 320)), o.id) > (${after?.[0] ?? ''}::text, ${after?.[1] ?? 0}::bigint))
          and exists (
            select from orgs other where other.environment = ${environment} and other.info->>'email' is not null and other.deleted_at is null
              and lower(left(other.info->>'email', 320)) = lower(left(o.info->>'email', 320)) and other.id <> o.id
          )
        order by lower(left(o.info->>'email', 320)), o.id limit ${countMax + 1}::int`)
      const { items, next } = pageOf(rows, countMax, ({ key, email }) => [encodeURIComponent(email), String(key)])
      return await loaded({ items: items.map(({ key }) => key), next })
    },
    profiles: async (environment, after, countMax) => {
      const rows = await db.select({ key: orgs.id, name: orgs.name, info: orgs.info }).from(orgs)
        .where(and(eq(orgs.environment, environment), isNull(orgs.deletedAt), gt(orgs.id, after)))
        .orderBy(asc(orgs.id)).limit(countMax + 1)
      return pageOf(rows, countMax, ({ key }) => [key])
    },
    byName: async (environment, prefix, after, countMax) => {
      const rows = await db.select({ key: orgs.id, name: orgs.name }).from(orgs)
        .where(and(eq(orgs.environment, environment), isNull(orgs.deletedAt), startsWith(prefix),
          after === null ? undefined : sql`${orgs.name} ~>~ ${after}`))
        .orderBy(sql`${orgs.name} using ~<~`).limit(countMax + 1)
      const { items, next } = pageOf(rows, countMax, ({ name }) => [name])
      return await loaded({ items: items.map(({ key }) => key), next })
    }
  }
}

/** The domain's rule, for a row that is in force: it depends on whether the row has an end. */
const OPEN = plainArray(STATUSES.filter(status => givesAccess({ status, endsAt: null })))
const ENDING = plainArray(STATUSES.filter(status => givesAccess({ status, endsAt: 0 })))

/** In an order of bytes, which the index has; `like` with a parameter would not use it. */
function startsWith (prefix: string): SQL {
  return sql`(${orgs.name} ~>=~ ${prefix} and ${orgs.name} ~<~ ${textAfter(prefix)})`
}

/** The first text, in the order of code points, that comes after all that begin with `prefix`. */
function textAfter (prefix: string): string {
  const points = [...prefix].map(character => character.codePointAt(0) as number)
  while (points.at(-1) === 0x10_FFFF) points.pop()
  const last = points.pop() as number
  return String.fromCodePoint(...points, last === 0xD7FF ? 0xE000 : last + 1)
}
