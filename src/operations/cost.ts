import { type Due, duesAt, lineItem, type LineItem, totalsOf } from '../domain/cost.ts'
import type { Instant } from '../domain/entitlement.ts'
import { parseOrg } from '../domain/ids.ts'
import { type Org, presentOf } from '../domain/org.ts'
import { instantOfUse } from '../domain/time.ts'
import { wantedCounter } from '../storage/counters.ts'
import type { Tally } from '../domain/reservation.ts'
import type { Stores } from '../storage/stores.ts'
import { orgFromLedger, UNSEEN } from './org.ts'
import { present } from './time.ts'

export interface CostQuestion {
  readonly environment: string
  readonly org: string
  /** null: now */
  readonly at: Instant | null
}

export interface Cost {
  readonly org: string
  readonly at: Instant
  /** By subscription, the oldest first, then by feature. */
  readonly lines: readonly LineItem[]
  /** The sum of the lines, by currency, in whole minor units. */
  readonly totals: ReadonlyMap<string, bigint>
}

/**
 * What an org owes for the windows that contain an instant, from the ledger.
 * @throws TollgateError `org_not_found`; `invalid_request` for an instant more than five minutes ahead
 */
export async function cost (stores: Stores, question: CostQuestion): Promise<Cost> {
  const name = parseOrg(question.org, '?org')
  const told = await present(stores, question.environment)
  const org = await orgFromLedger(stores, told, name)
  const now = told.environment.fixedNow ?? presentOf(org, told.now)
  const at = instantOfUse(question.at, now, '?at')
  const dues = duesAt(org, at, Math.max(at, now))
  const tallies = await talliesOf(stores, org, dues, now)
  const lines = dues.flatMap(due => lineItem(due, tallies.get(due)?.used ?? 0n) ?? [])
  return { org: name, at, lines, totals: totalsOf(lines) }
}

async function talliesOf ({ reader }: Stores, { key }: Org, dues: readonly Due[], now: Instant): Promise<ReadonlyMap<Due, Tally>> {
  const counted = key === UNSEEN ? [] : dues.filter(({ aggregate }) => aggregate !== null)
  if (counted.length === 0) return new Map()
  const wanted = counted.map(({ feature, window, aggregate }) => wantedCounter(key, feature, window, aggregate ?? 'sum', now))
  const { tallies } = await reader.read(key, wanted)
  return new Map(counted.map((due, i) => [due, tallies[i] as Tally]))
}
