import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { tryLock, unlock } from 'fs-native-extensions'

/** A second process has the folder; two embedded ledgers on one folder lose acknowledged writes. */
export class FolderInUse extends Error {
  override readonly name = 'FolderInUse'
}

/**
 * Takes a kernel lock on a file in the folder: it ends with the process, however that ends, so a killed server
 * restarts at once and nothing stale is ever left behind.
 * @returns gives the lock back
 */
export function lockFolder (folder: string): () => void {
  const file = openSync(join(folder, 'tollgate.lock'), 'a+')
  if (!tryLock(file)) {
    closeSync(file)
    throw new FolderInUse(`the data folder ${folder} is in use by another Tollgate process; ` +
      'stop it, or give this one a folder of its own with TOLLGATE_DATA_DIR')
  }
  return () => {
    unlock(file)
    closeSync(file)
  }
}
