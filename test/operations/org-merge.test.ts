import t from 'tap'
import { type Body, openApi } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { freshRedis, redisMissing } from '../fixtures/redis.ts'
import { until } from '../storage/until.ts'
import { orgMergeSpecification } from './org-merge-specification.ts'

const SKIP = { skip: postgresMissing || redisMissing }

withEachLedger(t, 'merging orgs', orgMergeSpecification)

t.test('merging orgs that another replica knows', SKIP, async t => {
  const servers = { on: 'servers', databaseUrl: await freshLedger(t), redisUrl: await freshRedis(t) } as const
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

t.test('who subscribes an org while it is merged subscribes the one that is kept', SKIP, async t => {
  const api = await openApi(t, { on: 'servers' })
  await api.push({ 'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }] } } } })
  for (const org of ['org:kept', 'org:old']) await api.subscribe(org, 'plan:pro@0')
  // What a merge does last, and the moment before its commit.
  let subscribed: Promise<Body> | undefined
  const waits = 'select exists (select from pg_stat_activity where datname = current_database() and pg_blocking_pids(pid) <> \'{}\')'
  await api.database.transaction(async session => {
    await session.run([
      "select id from orgs where name in ('org:kept', 'org:old') order by id for update",
      "insert into org_aliases (environment, name, org) select 'test', 'org:old', id from orgs where name = 'org:kept'",
      "update orgs set name = 'deleted:' || id, deleted_at = now() where name = 'org:old'"
    ].map(text => ({ text, params: [] })))
    subscribed = api.subscribe('org:old', 'plan:pro@0')
    await until('it waits for the merge', async () => (await api.database.run([{ text: waits, params: [] }]))[0]?.rows[0]?.[0] === true)
  })
  t.strictSame(await subscribed, {})
  const orgs = (await api.get('/v1/orgs')).body.orgs as Body[]
  t.strictSame(orgs.map(({ org }) => org), ['org:kept'], 'the old one does not come back to life')
})
