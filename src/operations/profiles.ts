import { parseOrg } from '../domain/ids.ts'
import { changeInfo, type ProfileChange } from '../domain/org-info.ts'
import { TollgateError } from '../errors.ts'
import type { Stores } from '../storage/stores.ts'
import { change, changeExisting } from './change.ts'
import { existing, type OrgView, readOrg } from './orgs.ts'
import { present } from './time.ts'

/** @throws TollgateError `invalid_id`, `invalid_email`, `invalid_request`; `org_conflict` if there is one of that id */
export async function createOrg (stores: Stores, environment: string, text: string, profile: ProfileChange): Promise<OrgView> {
  const name = parseOrg(text)
  const info = changeInfo({}, profile)
  const { now } = await present(stores, environment)
  await change(stores, environment, name, now, async locked => {
    if (!locked.created) throw conflict(name)
    await locked.putInfo({ ...info })
  })
  return await readOrg(stores, environment, name)
}

/**
 * Changes what is known of an org, and its id: what it holds and has used follows.
 * @param rename its new id; undefined: it keeps the one it has
 * @throws TollgateError `not_found`; `invalid_id`, `invalid_email`, `invalid_request`; `org_conflict` if another one has that id
 */
export async function changeProfile (
  stores: Stores, environment: string, text: string, profile: ProfileChange, rename?: string
): Promise<OrgView> {
  const name = parseOrg(text, '?org')
  const next = rename === undefined ? name : parseOrg(rename, '/id')
  const changed = await changeExisting(stores, environment, name, async locked => {
    await locked.putInfo({ ...changeInfo(locked.info, profile) })
    if (next !== name && !await locked.rename(next)) throw conflict(next)
    return locked.org
  })
  const { value: before } = existing(name, changed)
  if (next !== name) stores.orgs.forget(before)
  return await readOrg(stores, environment, next)
}

function conflict (name: string): TollgateError {
  return new TollgateError('org_conflict', `there is ${name} already`, { pointer: '/id' })
}
