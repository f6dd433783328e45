import { test } from 'tap'
import { openApi } from '../fixtures/api.ts'
import { freshDatabase, postgresMissing } from '../fixtures/postgres.ts'
import { freshRedis, redisMissing } from '../fixtures/redis.ts'
import { orgMergeSpecification } from './org-merge-specification.ts'

const SKIP = { skip: postgresMissing || redisMissing }

test('merging orgs on the embedded ledger', async t => await orgMergeSpecification(t, await openApi(t)))

test('merging orgs on Postgres and Redis', SKIP, async t => await orgMergeSpecification(t, await openApi(t, { on: 'servers' })))

test('merging orgs that another replica knows', SKIP, async t => {
  const servers = { on: 'servers', databaseUrl: await freshDatabase(t), redisUrl: await freshRedis(t) } as const
  const [a, b] = [await openApi(t, servers), await openApi(t, servers)]
  await a.push({ 'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }] } } } })
  for (const [org, n] of [['org:kept', 5], ['org:old', 7]] as const) {
    await a.subscribe(org, 'plan:pro@0')
    await b.report(org, 'feature:calls', n)
    for (const api of [a, b]) t.hasStrict(await api.can(org, 'feature:calls'), { used: n })
  }
  t.equal((await a.post('/v1/orgs/org:kept/merge', { from: 'org:old' })).status, 200)
  for (const org of ['org:kept', 'org:old']) t.hasStrict(await b.can(org, 'feature:calls'), { used: 12 }, `${org} there, at once`)
  t.hasStrict(await b.report('org:old', 'feature:calls', 1), { used: 13 })
  for (const api of [a, b]) t.hasStrict(await api.can('org:kept', 'feature:calls'), { used: 13 })
})
