import { parseOrg } from '../domain/ids.ts'
import { TollgateError } from '../errors.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { announce, instantOfChange } from './change.ts'
import { orgNamed, type OrgView, readOrg } from './orgs.ts'
import { present } from './time.ts'

/**
 * Merges an org into another one: what it holds and has used is the other's, and so is its id. Once that has happened it does nothing more.
 * @param sent the id of the org that will be no more
 * @throws TollgateError `not_found`; `org_conflict` for an org and itself, and for more usage than can be moved at once
 */
export async function mergeOrgs (stores: Stores, environment: string, text: string, sent: string): Promise<OrgView> {
  const from = parseOrg(sent, '/from')
  const keep = await orgNamed(stores, environment, text)
  const gone = await orgNamed(stores, environment, from).catch(error => {
    throw error instanceof TollgateError && error.code === 'not_found' ? new TollgateError('org_not_found', `there is no ${from}`, { pointer: '/from' }) : error
  })
  if (gone.key === keep.key) {
    if (gone.name === from) throw new TollgateError('org_conflict', `${from} cannot be merged into itself`, { pointer: '/from' })
    return await readOrg(stores, environment, keep.name)
  }
  const now = instantOfChange(keep, await present(stores, environment))
  const confirmedAt = Date.now()
  const merged = await available(stores.orgMerge.merge(environment, keep.name, from, now))
  if (merged === undefined) throw new TollgateError('org_conflict', 'one of them was renamed, deleted or merged at the same time', { pointer: '/from' })
  stores.orgs.forget(merged.gone)
  const view = await readOrg(stores, environment, keep.name)
  await stores.mirror?.publish([merged.publication], Date.now()).catch(stores.events.publishFailed)
  await announce(stores, merged.tombstone, confirmedAt)
  return view
}
