import { Redis } from 'ioredis'
import { randomUUID } from 'node:crypto'
import { type Test, test } from 'tap'
import type { Mirror } from '../../src/storage/mirror.ts'
import { memoryMirror } from '../../src/storage/mirror-memory.ts'
import { freshRedis, redisMissing } from '../fixtures/redis.ts'
import { AGE_MAX_MS, keyOf, mirrorContract, nextOrg, publicationOf, versionsOf } from './mirror-contract.ts'
import { openRedisMirror } from './redis-mirror.ts'

const NOW = Date.parse('2024-03-15T12:00:00Z')

async function openBoth (t: Test, url: string): Promise<[Mirror, Mirror]> {
  return [await openRedisMirror(t, { url, ledgerId: randomUUID() }), await openRedisMirror(t, { url, ledgerId: randomUUID() })]
}

test('the Mirror port in memory', async t => {
  const mirror = memoryMirror({ ageMaxMs: AGE_MAX_MS })
  await mirrorContract(t, mirror)
  await mirror.ping()
  await mirror.close()
})

test('the Mirror port on Redis', { skip: redisMissing }, async t => {
  const mirror = await openRedisMirror(t, { url: await freshRedis(t), ledgerId: randomUUID() })
  await mirrorContract(t, mirror)
  await mirror.ping()
})

test('two ledgers on one Redis never meet', { skip: redisMissing }, async t => {
  const [ours, theirs] = await openBoth(t, await freshRedis(t))
  const org = nextOrg()
  await ours.publish([publicationOf(org, 9, NOW)], NOW)
  t.strictSame(await versionsOf(theirs, org), [undefined, undefined])
  t.equal(await theirs.publish([publicationOf(org, 2, NOW)], NOW), 0)
  t.strictSame([await versionsOf(ours, org), await versionsOf(theirs, org)], [[9, 9], [2, 2]])
})

test('two replicas of one ledger share what they publish', { skip: redisMissing }, async t => {
  const url = await freshRedis(t)
  const ledgerId = randomUUID()
  const [one, two] = [await openRedisMirror(t, { url, ledgerId }), await openRedisMirror(t, { url, ledgerId })]
  const org = nextOrg()
  await one.publish([publicationOf(org, 3, NOW)], NOW)
  t.strictSame(await versionsOf(two, org), [3, 3])
})

test('an org’s keys name the ledger, lie in one slot of a cluster, and go after 15 minutes', { skip: redisMissing }, async t => {
  const url = await freshRedis(t)
  const ledgerId = randomUUID()
  const mirror = await openRedisMirror(t, { url, ledgerId })
  const org = nextOrg()
  const { start } = keyOf(org)
  await mirror.publish([publicationOf(org, 1, NOW)], NOW)
  const redis = new Redis(url)
  t.teardown(() => redis.disconnect())
  const keys = (await redis.keys('*')).sort()
  t.strictSame(keys, [`tollgate:${ledgerId}:{${org}}`, `tollgate:${ledgerId}:{${org}}:1:${start}`])
  for (const key of keys) {
    const left = await redis.pttl(key)
    t.ok(left > 14 * 60_000 && left <= 15 * 60_000)
  }
})
