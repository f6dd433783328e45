import { sql } from 'drizzle-orm'
import type { Instant } from '../domain/entitlement.ts'
import { type Database, prepare } from './database.ts'
import { reservationFrom } from './ledger-batch.ts'
import type { StoredReservation } from './ledger-op.ts'
import { type Page, pageOf } from './page.ts'

const TIDY_ROWS_MAX = 1_000

export interface FoundReservation extends StoredReservation {
  readonly org: string
  readonly featureName: string
}

/** Reads reservations; they are made and settled by the ledger. */
export interface Reservations {
  /**
   * @param org undefined: of any org of the environment
   * @returns two, if more than one org has a reservation of this id
   */
  find (environment: string, org: string | undefined, id: string): Promise<FoundReservation[]>
  /** Of one org, the latest first. @param after the instant and id of the last one of the page before */
  list (org: number, after: readonly [Instant, string] | null, countMax: number): Promise<Page<FoundReservation>>
  /**
   * Deletes some that expired before `before`. Environments whose clock is frozen keep theirs: nothing expires there.
   * @returns are there more, as far as can be told?
   */
  tidy (before: Instant): Promise<boolean>
}

const COLUMNS = sql`r.org, r.id, r.feature, r.at, r.window_start, r.window_end, r.amount, r.expires_at, r.state, r.used, r.reserved,
  r."limit", r.fingerprint, o.name, f.name`

const byId = prepare<'environment' | 'org' | 'id'>(sql`
  select ${COLUMNS} from reservations r join orgs o on o.id = r.org join features f on f.id = r.feature
  where r.id = ${sql.placeholder('id')} and o.environment = ${sql.placeholder('environment')} and o.deleted_at is null
    and (${sql.placeholder('org')}::text is null or o.name = ${sql.placeholder('org')}::text)
  limit 2`)

const ofOrg = prepare<'org' | 'at' | 'id' | 'count'>(sql`
  select ${COLUMNS} from reservations r join orgs o on o.id = r.org join features f on f.id = r.feature
  where r.org = ${sql.placeholder('org')} and (r.at, r.id) < (${sql.placeholder('at')}::timestamptz, ${sql.placeholder('id')}::text)
  order by r.at desc, r.id desc limit ${sql.placeholder('count')}`)

const tidied = prepare<'before' | 'count'>(sql`
  with gone as (
    delete from reservations where ctid = any(array(
      select r.ctid from reservations r join orgs o on o.id = r.org join environments e on e.name = o.environment
      where r.expires_at < ${sql.placeholder('before')}::timestamptz and e.fixed_now is null
      order by r.expires_at limit ${sql.placeholder('count')} for update of r skip locked
    )) returning 1
  ) select count(*)::int from gone`)

export function reservationStore (database: Database): Reservations {
  return {
    find: async (environment, org, id) => {
      const [found] = await database.run([byId({ environment, org: org ?? null, id })])
      return (found?.rows ?? []).map(foundFrom)
    },
    list: async (org, after, countMax) => {
      const [at, id] = after ?? [null, '']
      const [found] = await database.run([ofOrg({ org, at: at === null ? 'infinity' : new Date(at).toISOString(), id, count: countMax + 1 })])
      return pageOf((found?.rows ?? []).map(foundFrom), countMax, row => [String(row.at), row.id])
    },
    tidy: async before => {
      const [gone] = await database.run([tidied({ before: new Date(before).toISOString(), count: TIDY_ROWS_MAX })])
      return gone?.rows[0]?.[0] === TIDY_ROWS_MAX
    }
  }
}

function foundFrom (row: readonly unknown[]): FoundReservation {
  const [org, featureName] = row.slice(-2) as [string, string]
  return { ...reservationFrom(row), org, featureName }
}
