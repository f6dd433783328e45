import { rm } from 'node:fs/promises'
import { type Scope, temporaryFolder } from '../fixtures/guard.ts'
import { copyEmptyLedger, freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'

/** An empty folder, removed with the test. */
export function folderOf (t: Scope): string {
  const folder = temporaryFolder('ledger')
  t.teardown(async () => await rm(folder, { recursive: true, force: true }))
  return folder
}

/** A folder with an embedded ledger that has its tables and nothing else, removed with the test. */
export async function emptyLedger (t: Scope): Promise<string> {
  const folder = folderOf(t)
  await copyEmptyLedger(folder)
  return folder
}

/** Settings for whichever ledger is here and starts sooner, where a test is about neither. */
export async function anyLedger (t: Scope): Promise<Record<string, string>> {
  return postgresMissing === false ? { DATABASE_URL: await freshLedger(t) } : { TOLLGATE_DATA_DIR: await emptyLedger(t) }
}
