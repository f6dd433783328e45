import { readFileSync } from 'node:fs'
import type { Mirror } from '../../src/storage/mirror.ts'
import type { Command } from '../fixtures/redis-command.ts'
import { ROOT } from '../fixtures/root.ts'
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

/** What `docs/operations.md` tells operators to enter on every server and on every sentinel, with this password. */
export function documentedUser (where: 'server' | 'sentinel', password: string): Command {
  const lines = readFileSync(new URL('docs/operations.md', ROOT), 'utf8').split('\n').filter(line => line.startsWith('ACL '))
  const line = lines[where === 'server' ? 0 : 1]
  if (line === undefined) throw new Error(`the page says nothing for a ${where}`)
  const [name, ...parameters] = line.replace('>password', `>${password}`).split(' ') as [string, ...string[]]
  return [name, ...parameters]
}
