import type { Mirror } from '../../src/storage/mirror.ts'
import { redisMirror } from '../../src/storage/mirror-redis.ts'
import type { Scope } from '../fixtures/guard.ts'
import { AGE_MAX_MS } from './mirror-contract.ts'
import { until } from './until.ts'

export interface OpenOptions {
  readonly url: string
  readonly ledgerId: string
}

/** A Redis mirror that has connected, closed with the test. */
export async function openRedisMirror (t: Scope, { url, ledgerId }: OpenOptions): Promise<Mirror> {
  const mirror = redisMirror({ url, ledgerId, ageMaxMs: AGE_MAX_MS, onError: () => {} })
  t.teardown(async () => await mirror.close())
  await until('the mirror is connected', async () => {
    await mirror.ping()
    return true
  })
  return mirror
}
