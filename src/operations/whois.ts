import type { Instant } from '../domain/entitlement.ts'
import { parseOrg } from '../domain/ids.ts'
import type { OrgInfo } from '../domain/org-info.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { orgNow } from './phases.ts'

export interface Whois {
  readonly org: string
  /** Opaque and stable, also when the org is renamed; Tier's `stripe_id`. */
  readonly id: string
  readonly createdAt: Instant
  readonly info: OrgInfo
}

/** @throws TollgateError `org_not_found` */
export async function whois (stores: Stores, environment: string, text: string): Promise<Whois> {
  const org = await orgNow(stores, environment, parseOrg(text, '?org'))
  return { org: org.name, id: `org_${org.key}`, createdAt: org.createdAt, info: await available(stores.subscriptions.info(org)) }
}

/** Who has this key now, whatever their id was before. @returns undefined: nobody any more */
export async function nameByKey ({ subscriptions }: Stores, environment: string, key: number): Promise<string | undefined> {
  return await available(subscriptions.nameOf(environment, key))
}
