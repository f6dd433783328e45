import { guard, type Scope, temporaryFolder } from '../fixtures/guard.ts'
import { copyEmptyLedger } from '../fixtures/ledger-template.ts'

/** An empty folder, removed with the test. */
export function folderOf (t: Scope): string {
  const folder = temporaryFolder('ledger')
  t.teardown(guard('KILL', folder).release)
  return folder
}

/** A folder with an embedded ledger that has its tables and nothing else, removed with the test. */
export async function emptyLedger (t: Scope): Promise<string> {
  const folder = folderOf(t)
  await copyEmptyLedger(folder)
  return folder
}
