import type { Stores } from '../storage/stores.ts'
import { type Counted, countedAs, judgeUnseen, opIn, prepareCount, type Usage } from './count.ts'
import { counting } from './org.ts'

/**
 * Records usage; resolves when it is durable and in the next read on every replica. Never refused because of a limit.
 * @throws TollgateError `org_not_found`, `feature_not_found`, `event_conflict`, and what the ledger throws
 */
export async function report (stores: Stores, usage: Usage): Promise<Counted> {
  const prepared = await prepareCount(stores, 'report', usage)
  const recorded = await counting(stores, prepared.told, prepared.org, unseen => judgeUnseen(prepared, unseen),
    async org => await stores.ledger.append(await opIn(stores, prepared, org)))
  return countedAs(prepared, recorded)
}
