import { cpSync, rmSync } from 'node:fs'
import { type Scope, temporaryFolder } from '../fixtures/guard.ts'
import { serve } from '../fixtures/process.ts'

/** An empty folder, removed with the test. */
export function folderOf (t: Scope): string {
  const folder = temporaryFolder('ledger')
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

/**
 * Makes an embedded ledger that has its tables and nothing else.
 * @returns gives a test a copy of it: to make one takes seconds
 */
export async function emptyLedger (t: Scope): Promise<(t: Scope) => string> {
  const folder = folderOf(t)
  const service = await serve(t, { env: { TOLLGATE_DATA_DIR: folder } })
  await service.kill()
  return t => {
    const copy = folderOf(t)
    cpSync(folder, copy, { recursive: true })
    return copy
  }
}
