import { randomUUID } from 'node:crypto'
import { amountOf, amountText } from '../../src/domain/amount.ts'
import type { PlanRef } from '../../src/domain/ids.ts'
import type { Org, StoredPlan } from '../../src/domain/org.ts'
import { parsePlans } from '../../src/domain/plan.ts'
import type { Tally } from '../../src/domain/reservation.ts'
import { inForce } from '../../src/domain/schedule.ts'
import { fingerprint } from '../../src/operations/fingerprint.ts'
import { type WantedCounter, wantedCounter } from '../../src/storage/counters.ts'
import type { Database } from '../../src/storage/database.ts'
import type { CountOp } from '../../src/storage/ledger-op.ts'
import type { Mirror } from '../../src/storage/mirror.ts'
import { openStores, type Stores } from '../../src/storage/stores.ts'
import type { Scope } from '../fixtures/guard.ts'

/** Every org's first subscription starts here, and every window is counted from here. */
export const START = Date.parse('2024-03-01T00:00:00Z')
export const DAY = 86_400_000
export const NOON = START + DAY / 2

const PLANS = {
  'plan:base@1': {
    features: {
      'feature:calls': { tiers: [{ upto: 1_000 }] },
      'feature:visits': { tiers: [{}], aggregate: 'count' },
      'feature:seats': { tiers: [{ upto: 10 }], aggregate: 'max' },
      'feature:storage': { tiers: [{}], aggregate: 'last' },
      'feature:lifetime': { tiers: [{}], aggregate: 'perpetual' },
      'feature:sso': {}
    }
  },
  'plan:daily@1': { interval: '@daily', features: { 'feature:calls': { tiers: [{ upto: 50 }] } } },
  'plan:bare@1': { features: { 'feature:sso': {} } }
}

export type PlanName = 'base' | 'daily' | 'bare'

export interface OpenedLedger {
  readonly stores: Stores
  /** SQL states, and `connection`: why batches were run again. */
  readonly retries: string[]
  readonly publishFailures: unknown[]
  /** Of each batch: was it written without reading first? */
  readonly ahead: boolean[]
}

export interface LedgerOptions {
  readonly database: Database
  readonly mirrorFor?: (ledgerId: string) => Mirror
  readonly mirrorAgeMaxMs?: number
}

/**
 * A replica on a database, with the plans above in its environment `test`. It finishes its work when the test ends;
 * the database is closed by whoever opened it.
 */
export async function openLedger (t: Scope, { database, mirrorFor, mirrorAgeMaxMs = 1_000 }: LedgerOptions): Promise<OpenedLedger> {
  const retries: string[] = []
  const publishFailures: unknown[] = []
  const ahead: boolean[] = []
  const stores = await openStores({
    database,
    mirrorFor,
    mirrorAgeMaxMs,
    events: {
      batch: (_ops, _ms, isAhead) => ahead.push(isAhead),
      retry: reason => retries.push(reason),
      unknownOutcome: () => {},
      publishFailed: error => publishFailures.push(error),
      mirrorRead: () => {},
      ledgerRead: () => {},
      drift: () => {},
      degraded: () => {}
    }
  })
  t.teardown(async () => {
    await stores.ledger.close()
    await stores.mirror?.close()
  })
  for (const parsed of parsePlans({ plans: PLANS })) {
    if (!parsed.ok) throw new Error(parsed.reason)
    await stores.catalog.add('test', parsed.plan, Date.now())
  }
  return { stores, retries, publishFailures, ahead }
}

let orgs = 0

/** A new org that holds a plan from START on. */
export async function newOrg ({ subscriptions, catalog }: Stores, plan: PlanName = 'base'): Promise<Org> {
  orgs += 1
  return await moveTo({ subscriptions, catalog }, `org:${orgs}-${randomUUID()}`, plan, START)
}

/** Ends what an org holds at `at`, and starts a plan there. @returns the org as it is then */
export async function moveTo (
  { subscriptions, catalog }: Pick<Stores, 'subscriptions' | 'catalog'>, name: string, plan: PlanName, at: number
): Promise<Org> {
  const ref: PlanRef = { name: `plan:${plan}`, version: '1' }
  const stored = await catalog.find('test', ref) as StoredPlan
  const { org } = await subscriptions.change('test', name, at, async locked => {
    await locked.reschedule({
      end: inForce(locked.org.subscriptions, at).map(({ id }) => ({ id, endsAt: at })),
      remove: [],
      add: [{ plan: ref, feature: null, startsAt: at, endsAt: null, status: 'active', anchorAt: at, timeZone: 'UTC', phaseAt: at }]
    }, () => stored)
  })
  return org
}

/** A report of `n` whole units with an id that its caller chose; equal content has an equal fingerprint. */
export function opOf (org: Org, n: number, changes: Partial<CountOp<'report'>> = {}): CountOp<'report'> {
  const op = {
    kind: 'report' as const,
    org,
    feature: 'feature:calls',
    mode: 'add' as const,
    amount: amountOf(n),
    at: NOON,
    id: randomUUID() as string,
    idGiven: true,
    fixedNow: NOON,
    atIsNow: false,
    properties: null,
    ...changes
  }
  const { feature, mode, amount, at, properties } = op
  return { fingerprint: fingerprint([feature, mode, amountText(amount), at, properties]), ...op }
}

/** The counter of the window that contains `at`. */
export function counterOf (org: Org, feature = 'feature:calls', at = NOON): WantedCounter {
  const held = org.features.get(feature)
  if (held === undefined) throw new Error(`${org.name} does not hold ${feature}`)
  const window = held.timeline.windowAt(at)
  return wantedCounter(org.key, held.key, window, held.timeline.grantAt(at)?.aggregate ?? 'sum', NOON)
}

/** As the ledger has it, durable, by a read of its own. */
export async function tallyOf (stores: Stores, org: Org, feature = 'feature:calls', at = NOON): Promise<Tally> {
  const { tallies } = await stores.reader.read(org.key, [counterOf(org, feature, at)])
  return tallies[0] as Tally
}

export async function usedOf (stores: Stores, org: Org, feature = 'feature:calls', at = NOON): Promise<string> {
  return amountText((await tallyOf(stores, org, feature, at)).used)
}

/** Rows of one statement, single columns as values. */
export async function ask (database: Database, text: string, ...params: unknown[]): Promise<unknown[]> {
  const [result] = await database.run([{ text, params }])
  return (result?.rows ?? []).map(row => row.length === 1 ? row[0] : [...row])
}

/** Windows of the org whose counter is not the sum of its events: none, ever. */
export async function unequalCounters (database: Database, org: Org): Promise<unknown[]> {
  return await ask(database, `
    select c.window_start, c.used, folded.used, c.version, folded.version
    from (select feature, window_start, sum(delta) as used, count(*) as version from events where org = $1::int group by 1, 2) folded
    full join (select * from counters where org = $1::int) c using (feature, window_start)
    where c.used is distinct from folded.used or c.version is distinct from folded.version`, org.key)
}
