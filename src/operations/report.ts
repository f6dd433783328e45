import type { Stores } from '../storage/stores.ts'
import { append, type Counted, countedAs, judgeUnseen, prepareCount, type Usage } from './count.ts'
import { counting } from './org.ts'

/**
 * Records usage; resolves when it is durable and in the next read on every replica. Never refused because of a limit.
 * @throws TollgateError `org_not_found`, `feature_not_found`, `event_conflict`, and what the ledger throws
 */
export async function report (stores: Stores, usage: Usage): Promise<Counted> {
  // Not awaited where there is nothing to wait for: of hundreds that wait together each await is memory.
  const made = prepareCount(stores, 'report', usage)
  const prepared = made instanceof Promise ? await made : made
  const recorded = await counting(stores, prepared.told, prepared.org, unseen => judgeUnseen(prepared, unseen),
    org => append(stores, prepared, org))
  return countedAs(prepared, recorded)
}
