import { stringify } from 'csv-stringify'
import { pipeline, Readable } from 'node:stream'
import type { OrgInfo } from '../domain/org-info.ts'
import { ORG_COLUMNS, orgCells } from '../domain/org-row.ts'
import { available } from '../storage/ledger-reader.ts'
import type { Stores } from '../storage/stores.ts'
import { present } from './time.ts'

const PAGE_ORGS = 500

/**
 * Every org as a line of CSV, oldest first: the file that an import takes. It is read page by page, as fast as it is taken; an org
 * that changes meanwhile is shown as it was, or as it is.
 */
export async function exportOrgs (stores: Stores, environment: string): Promise<Readable> {
  await present(stores, environment)
  return pipeline(Readable.from(lines(stores, environment)), stringify(), () => {})
}

async function * lines ({ orgList }: Stores, environment: string): AsyncGenerator<readonly string[]> {
  yield ORG_COLUMNS
  let after: number | null = 0
  while (after !== null) {
    const { items, next }: Awaited<ReturnType<typeof orgList.profiles>> = await available(orgList.profiles(environment, after, PAGE_ORGS))
    for (const { name, info } of items) yield orgCells(name, info as OrgInfo)
    after = next === null ? null : Number(next[0])
  }
}
