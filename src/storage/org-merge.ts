import { and, eq, inArray, sql } from 'drizzle-orm'
import type { Instant, Override } from '../domain/entitlement.ts'
import { planText } from '../domain/ids.ts'
import { type Org, orgOf, type StoredPlan } from '../domain/org.ts'
import type { OrgInfo } from '../domain/org-info.ts'
import { type Database, type Orm, orm } from './database.ts'
import type { Counted } from './ledger-reduce.ts'
import { publicationsOf } from './ledger-write.ts'
import { mergeUsage } from './merged-usage.ts'
import type { Publication } from './mirror.ts'
import { type DeletedOrg, entomb } from './org-deletion.ts'
import type { Orgs } from './orgs.ts'
import { checkouts, orgs, overrides, subscriptions } from './schema.ts'
import { orgAliases } from './schema-kana.ts'

export interface Merged {
  /** As it was, of the org that is no more. */
  readonly gone: Org
  readonly tombstone: DeletedOrg
  /** Of the org that is kept: its version, and every counter that changed. */
  readonly publication: Publication
}

export interface OrgMerge {
  /**
   * Everything that `from` holds and has used is `kept`'s, in one transaction, under the locks of both; the id of `from` leads to it
   * from then on.
   * @param now of their environment
   * @returns undefined: one of them is not there, or both are the same
   * @throws TollgateError `org_conflict` for more events than can be moved at once
   */
  merge (environment: string, kept: string, from: string, now: Instant): Promise<Merged | undefined>
}

export function orgMerge (database: Database, orgStore: Orgs): OrgMerge {
  return {
    merge: async (environment, keptName, fromName, now) => await database.transaction(async session => {
      const db = orm(session)
      const rows = await db.select({ key: orgs.id, name: orgs.name, info: orgs.info }).from(orgs)
        .where(and(eq(orgs.environment, environment), inArray(orgs.name, [keptName, fromName]))).orderBy(orgs.id).for('update')
      const [keptRow, fromRow] = [keptName, fromName].map(name => rows.find(row => row.name === name))
      if (keptRow === undefined || fromRow === undefined || keptRow === fromRow) return undefined
      const locked = await orgStore.loadLocked([keptRow.key, fromRow.key], session)
      const [kept, from] = [locked.get(keptRow.key), locked.get(fromRow.key)] as [Org, Org]
      const merged = together(kept, from)
      const counted = await mergeUsage(session, { kept, from, merged, now })
      await moveHoldings(db, kept, from)
      const info = { ...mergedInfo(keptRow.info, fromRow.info) }
      await db.update(orgs).set({ info, version: merged.version }).where(eq(orgs.id, kept.key))
      await leaveAliases(db, kept, from)
      const tombstone = await entomb(db, from.key)
      const publication = publicationOf(kept.key, merged.version, counted)
      return { gone: from, tombstone, publication }
    })
  }
}

function publicationOf (org: number, version: number, counted: ReadonlyMap<string, Counted>): Publication {
  const confirmedAt = Date.now()
  const [publication] = publicationsOf(counted, new Map([[org, version]]), confirmedAt)
  return publication ?? { org, version, counters: [], confirmedAt }
}

/** One org that has held all of it. Its version is above any that either had: a snapshot of before is known by that. */
function together (kept: Org, from: Org): Org {
  const plans = new Map([...kept.plans, ...from.plans])
  const held = [...kept.subscriptions, ...from.subscriptions].sort((a, b) => a.id - b.id)
  const overridden = new Map([...kept.overrides])
  for (const [feature, { key, list }] of from.overrides) {
    const own = kept.overrides.get(feature)?.list ?? []
    const others = list.filter(other => !own.some(one => overlap(one, other)))
    overridden.set(feature, { key, list: [...own, ...others].sort((a, b) => a.start - b.start) })
  }
  const facts = { ...kept, version: Math.max(kept.version, from.version) + 1, subscriptions: held, overrides: overridden }
  return orgOf(facts, ({ plan }) => plans.get(planText(plan)) as StoredPlan)
}

function overlap (a: Override, b: Override): boolean {
  return (a.end === null || b.start < a.end) && (b.end === null || a.start < b.end)
}

/** Where both had an override at the same time, the one of the org that is kept is meant. */
async function moveHoldings (db: Orm, kept: Org, from: Org): Promise<void> {
  await db.update(subscriptions).set({ org: kept.key }).where(eq(subscriptions.org, from.key))
  await db.execute(sql`
    delete from overrides other using overrides own
    where other.org = ${from.key} and own.org = ${kept.key} and own.feature = other.feature
      and (own.ends_at is null or other.starts_at < own.ends_at) and (other.ends_at is null or own.starts_at < other.ends_at)`)
  await db.update(overrides).set({ org: kept.key }).where(eq(overrides.org, from.key))
  await db.update(checkouts).set({ org: kept.key }).where(eq(checkouts.org, from.key))
}

/** What is known of the org that is kept stays, and what is known of the other one alone is added. */
function mergedInfo (kept: OrgInfo, from: OrgInfo): OrgInfo {
  const metadata = { ...from.metadata, ...kept.metadata }
  return { ...from, ...kept, ...(Object.keys(metadata).length > 0 && { metadata }) }
}

/** Its id, and those that led to it, lead to the one that is kept. */
async function leaveAliases (db: Orm, kept: Org, { key, name, environment }: Org): Promise<void> {
  await db.update(orgAliases).set({ org: kept.key }).where(eq(orgAliases.org, key))
  await db.insert(orgAliases).values({ environment, name, org: kept.key })
    .onConflictDoUpdate({ target: [orgAliases.environment, orgAliases.name], set: { org: kept.key } })
}
