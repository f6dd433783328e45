import { parseCursor, parseTextCursor } from '../domain/cursor.ts'
import type { Instant } from '../domain/entitlement.ts'
import { holdingText, parseFeature, parseOrg, parseOrgPrefix, parsePlanRef, planText } from '../domain/ids.ts'
import type { Org, StoredPlan } from '../domain/org.ts'
import { timeZoneNamed } from '../domain/period.ts'
import { inForce, isOver, type Subscription } from '../domain/schedule.ts'
import { inZone } from '../domain/subscription-change.ts'
import { TollgateError } from '../errors.ts'
import { available } from '../storage/ledger-reader.ts'
import type { ListedOrg } from '../storage/org-list.ts'
import type { Page } from '../storage/page.ts'
import type { Stores } from '../storage/stores.ts'
import type { OrgInfo } from '../storage/subscriptions.ts'
import { announce, changeExisting, instantOfChange } from './change.ts'
import { type Listed, listed, type ListRequest } from './listed.ts'
import { orgFromLedger, UNSEEN } from './org.ts'
import { present } from './time.ts'

/** Where the id of an org stands in these calls. */
const ORG = '?org'
const BY_AGE = 'orgs'
const BY_ID = 'orgs-by-id'
const SHARING_EMAIL = 'orgs-sharing-email'

/** What is undefined chooses nothing. */
export interface OrgQuestion extends ListRequest {
  /** Of the id: `org:ac`. */
  readonly prefix: string | undefined
  /** Held now. */
  readonly plan: string | undefined
  /** Held now; with a plan: through that plan. */
  readonly feature: string | undefined
  /** What may be a mistake: no billing id, or an e-mail that others have as well. Alone. */
  readonly suspect?: 'withoutBillingId' | 'sharingEmail' | undefined
}

/** An org as of now. */
export interface OrgView {
  readonly org: Org
  readonly info: OrgInfo
  /** What is held now, each once, in order: `plan:pro@1`, or `feature:x@plan:pro@1` for one feature of a plan. */
  readonly plans: readonly string[]
  /** Those that are not over, oldest first. */
  readonly subscriptions: readonly Subscription[]
}

/** By age; by id where a prefix alone chooses. */
export async function listOrgs (
  stores: Stores, { environment, cursor, countMax, suspect, ...sent }: OrgQuestion
): Promise<Listed<OrgView>> {
  const prefix = sent.prefix === undefined ? undefined : parseOrgPrefix(sent.prefix, '?prefix')
  const plan = sent.plan === undefined ? undefined : parsePlanRef(sent.plan, '?plan')
  const feature = sent.feature === undefined ? undefined : parseFeature(sent.feature, '?feature')
  const { now } = await present(stores, environment)
  const show = ({ items, next }: Page<ListedOrg>): Page<OrgView> => ({ items: items.map(({ org, info }) => viewOf(org, info, now)), next })
  if (suspect === 'sharingEmail') {
    const after = cursor === undefined ? null : emailPlace(cursor)
    return listed(SHARING_EMAIL, show(await available(stores.orgList.sharingEmail(environment, after, countMax))))
  }
  if (suspect === 'withoutBillingId') {
    const [after = 0] = cursor === undefined ? [] : parseCursor(cursor, BY_AGE, 1)
    return listed(BY_AGE, show(await available(stores.orgList.withoutBillingId(environment, after, countMax))))
  }
  if (prefix !== undefined && plan === undefined && feature === undefined) {
    const [after = null] = cursor === undefined ? [] : parseTextCursor(cursor, BY_ID, 1)
    return listed(BY_ID, show(await available(stores.orgList.byName(environment, prefix, after, countMax))))
  }
  const [after = 0] = cursor === undefined ? [] : parseCursor(cursor, BY_AGE, 1)
  return listed(BY_AGE, show(await available(stores.orgList.byAge(environment, { prefix, plan, feature }, after, now, countMax))))
}

/** An e-mail may have characters that no cursor has, so it is encoded there. */
function emailPlace (cursor: string): readonly [email: string, org: number] {
  const [email = '', key = ''] = parseTextCursor(cursor, SHARING_EMAIL, 2)
  try {
    if (ORG_KEY.test(key) && !email.includes('%00')) return [decodeURIComponent(email), Number(key)]
  } catch {}
  throw new TollgateError('invalid_request', 'cursor must be one that a page of this list gave', { pointer: '?cursor' })
}

const ORG_KEY = /^\d{1,10}$/

/** @throws TollgateError `not_found` */
export async function readOrg (stores: Stores, environment: string, text: string): Promise<OrgView> {
  const org = await orgNamed(stores, environment, text)
  return await view(stores, environment, org)
}

/**
 * The same for whoever asks on behalf of the org itself: one that is not stored is as the environment's default plan would have it.
 * @throws TollgateError `org_not_found`
 */
export async function orgAsIs (stores: Stores, environment: string, text: string): Promise<OrgView> {
  const at = await present(stores, environment)
  const org = await orgFromLedger(stores, at, parseOrg(text))
  return viewOf(org, org.key === UNSEEN ? {} : await available(stores.subscriptions.info(org)), at.now)
}

/**
 * As the ledger has it now. Unlike the main calls it answers 404 for an org that is not stored, default plan or not.
 * @throws TollgateError `not_found`
 */
export async function orgNamed (stores: Stores, environment: string, text: string): Promise<Org> {
  const name = parseOrg(text, ORG)
  return existing(name, await available(stores.orgs.load(environment, name)))
}

/**
 * From now on the org's periods begin and end on another zone's clocks. Windows that are under way are cut; past ones stay.
 * @throws TollgateError `not_found`; `invalid_request` for what is no IANA name
 */
export async function putTimeZone (stores: Stores, environment: string, text: string, sent: string): Promise<OrgView> {
  const name = parseOrg(text, ORG)
  const timeZone = timeZoneNamed(sent)
  if (timeZone === undefined) {
    throw new TollgateError('invalid_request', 'timeZone must be an IANA name such as Europe/Berlin', { pointer: '/timeZone' })
  }
  const at = await present(stores, environment)
  const changed = await changeExisting(stores, environment, name, async locked => {
    const { org } = locked
    const change = inZone(org.subscriptions, timeZone, instantOfChange(org, at))
    if (org.timeZone === timeZone && change.add.length === 0) return
    await locked.putTimeZone(timeZone)
    await locked.reschedule(change, row => org.plans.get(planText(row.plan)) as StoredPlan)
  })
  return await view(stores, environment, existing(name, changed?.org))
}

/**
 * Deletes an org with everything it holds and has used. Its id is free at once; a new org of that id has nothing of it.
 * @param confirm must be the org's id again
 * @throws TollgateError `invalid_request` without it; `not_found`
 */
export async function deleteOrg (stores: Stores, environment: string, text: string, confirm: string | undefined): Promise<void> {
  const name = parseOrg(text, ORG)
  if (confirm !== name) {
    throw new TollgateError('invalid_request',
      'confirm must be the id of the org again: it is deleted with everything it has used', { pointer: '?confirm' })
  }
  const known = stores.orgs.cached(environment, name)
  const confirmedAt = Date.now()
  const deleted = existing(name, await available(stores.orgDeletion.delete(environment, name)))
  if (known !== undefined) stores.orgs.forget(known)
  // Whoever knows the org as it was sees in the mirror that it has changed, and asks the ledger.
  await announce(stores, deleted, confirmedAt)
}

/** @throws TollgateError `not_found` if there is none */
export function existing<T> (name: string, found: T | undefined): T {
  if (found === undefined) throw new TollgateError('not_found', `there is no ${name}`, { pointer: ORG })
  return found
}

async function view (stores: Stores, environment: string, org: Org): Promise<OrgView> {
  const { now } = await present(stores, environment)
  return viewOf(org, await available(stores.subscriptions.info(org)), now)
}

function viewOf (org: Org, info: OrgInfo, now: Instant): OrgView {
  const plans = [...new Set(inForce(org.subscriptions, now).map(holdingText))].sort()
  return { org, info, plans, subscriptions: org.subscriptions.filter(row => !isOver(row, now)) }
}
