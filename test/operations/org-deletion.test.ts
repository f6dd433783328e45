import t, { type Test } from 'tap'
import { purgeDeletedOrgs } from '../../src/background/deleted-orgs.ts'
import { type Api, type Body, openApi } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { freshRedis, redisMissing } from '../fixtures/redis.ts'
import { until } from '../storage/until.ts'

const SKIP = { skip: postgresMissing || redisMissing }
/** What the design promises while the mirror fails, and what a busy machine takes to ask. */
const [AGE_MAX_MS, MARGIN_MS] = [1_000, 500]
const GONE = { status: 400, code: 'org_not_found' }

const remove = async (api: Api, org: string): Promise<Body> =>
  (await api.send({ method: 'DELETE', url: `/v1/orgs/${org}?confirm=${org}` })).body

/** Rows of each table that belong to no org that there is. */
async function leftovers (api: Api): Promise<number> {
  const [result] = await api.database.run([{
    text: `select (select count(*)::int from orgs where deleted_at is not null) +
      (select count(*)::int from events where org not in (select id from orgs where deleted_at is null)) +
      (select count(*)::int from counters where org not in (select id from orgs where deleted_at is null))`,
    params: []
  }])
  return result?.rows[0]?.[0] as number
}

async function push (api: Api): Promise<void> {
  await api.settings({})
  await api.push({
    'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } },
    'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }] } } }
  })
}

async function alone (t: Test, api: Api): Promise<void> {
  await push(api)

  await t.test('an org that is deleted is gone for every call, and its id is free at once', async t => {
    await api.subscribe('org:a', 'plan:pro@0')
    await api.report('org:a', 'feature:calls', 7, { id: 'once' })
    t.strictSame(await remove(api, 'org:a'), {})
    for (const answer of [
      await api.report('org:a', 'feature:calls'), await api.can('org:a', 'feature:calls'), await api.can('org:a'), await api.usage('org:a'),
      await api.limits('org:a'), await api.phase('org:a'), await api.phases('org:a'), await api.whois('org:a')
    ]) t.hasStrict(answer, GONE)
    t.hasStrict(await remove(api, 'org:a'), { status: 404, code: 'not_found' })
    await api.subscribe('org:a', 'plan:free@0')
    t.hasStrict(await api.report('org:a', 'feature:calls', 2, { id: 'once' }), { used: 2, limit: 10, duplicate: false }, 'nothing is left of it')
    t.strictSame((await api.usage('org:a', 'feature:calls')).past, [])
  })

  await t.test('with a default plan, who was deleted is subscribed anew by the next report', async t => {
    await api.settings({ defaultPlan: 'plan:free@0' })
    await api.report('org:b', 'feature:calls', 7)
    await remove(api, 'org:b')
    t.hasStrict(await api.can('org:b', 'feature:calls'), { ok: true, used: 0, limit: 10 })
    t.hasStrict(await api.report('org:b', 'feature:calls', 1), { used: 1, limit: 10 })
    await api.settings({})
  })

  await t.test('what it used is deleted page by page, its row last, and nothing of others', async t => {
    for (const org of ['org:c', 'org:d']) {
      await api.subscribe(org, 'plan:pro@0')
      await Promise.all(Array.from({ length: 1_100 }, async () => await api.report(org, 'feature:calls')))
    }
    await purgeDeletedOrgs(api.stores)
    const before = await api.rows()
    await remove(api, 'org:c')
    t.strictSame(await api.rows(), { ...before, subscriptions: (before.subscriptions ?? 0) - 1 })
    t.equal(await api.stores.orgDeletion.purge(), true)
    t.equal((await api.rows()).events, (before.events ?? 0) - 1_000, 'a page is a thousand rows')
    t.equal((await api.rows()).orgs, before.orgs, 'its row is what the next process finds it by')
    await purgeDeletedOrgs(api.stores)
    const after = await api.rows()
    const { orgs = 0, events = 0, counters = 0 } = before
    t.strictSame([after.orgs, after.events, after.counters], [orgs - 1, events - 1_100, counters - 1])
    t.equal(await leftovers(api), 0)
    t.equal((await api.can('org:d', 'feature:calls')).used, 1_100)
    t.equal(await api.stores.orgDeletion.purge(), false, 'nothing is left to do')
  })

  await t.test('a job that is told to stop stops between two pages', async t => {
    await api.subscribe('org:e', 'plan:pro@0')
    await api.report('org:e', 'feature:calls')
    await remove(api, 'org:e')
    await purgeDeletedOrgs(api.stores, AbortSignal.abort())
    t.not(await leftovers(api), 0)
    await purgeDeletedOrgs(api.stores)
    t.equal(await leftovers(api), 0)
  })
}

withEachLedger(t, 'deleting an org', alone)

t.test('deleting an org that another replica knows', SKIP, async t => {
  const servers = { on: 'servers', databaseUrl: await freshLedger(t), redisUrl: await freshRedis(t) } as const
  const [a, b] = [await openApi(t, servers), await openApi(t, servers)]
  await push(a)

  /** An org with usage that both replicas have just answered for. */
  async function known (org: string, plan = 'plan:pro@0'): Promise<string> {
    await a.subscribe(org, plan)
    await b.report(org, 'feature:calls', 7, { id: 'once' })
    for (const api of [a, b]) t.hasStrict(await api.can(org, 'feature:calls'), { used: 7 })
    return org
  }

  await t.test('it is gone there at once, too', async t => {
    const org = await known('org:a')
    await remove(a, org)
    for (const answer of [await b.can(org, 'feature:calls'), await b.can(org), await b.usage(org), await b.limits(org), await b.report(org, 'feature:calls')]) {
      t.hasStrict(answer, GONE)
    }
  })

  await t.test('a report there is refused, though nobody told its mirror and nobody asked its ledger since', async t => {
    const org = await known('org:b')
    await a.stores.orgDeletion.delete('test', org)
    t.ok(b.stores.orgs.cached('test', org), 'it still has a snapshot')
    t.hasStrict(await b.report(org, 'feature:calls'), GONE)
    t.hasStrict(await b.can(org, 'feature:calls'), GONE, 'and knows now')
  })

  await t.test('where the mirror was not told, it is answered from there for no longer than the mirror is believed', async t => {
    const org = await known('org:c')
    const started = performance.now()
    await a.stores.orgDeletion.delete('test', org)
    let last = 0
    await until('it is gone', async () => {
      const { code } = await b.can(org, 'feature:calls')
      if (code === undefined) last = performance.now() - started
      return code === 'org_not_found'
    }, AGE_MAX_MS + MARGIN_MS)
    t.ok(last <= AGE_MAX_MS + MARGIN_MS, `it was last answered for ${Math.round(last)} ms afterwards`)
  })

  await t.test('deleted and made anew there is a new one, in every first answer', async t => {
    const remade = async (org: string): Promise<string> => {
      await known(org)
      await remove(a, org)
      await a.subscribe(org, 'plan:free@0')
      return org
    }
    const answer = { used: 1, limit: 10, remaining: 9, duplicate: false }
    t.hasStrict(await b.report(await remade('org:d'), 'feature:calls', 1, { id: 'once' }), answer, 'a report')
    t.hasStrict(await b.can(await remade('org:e'), 'feature:calls'), { used: 0, limit: 10 }, 'a verdict')
    t.hasStrict((await b.usage(await remade('org:f'), 'feature:calls')).current, { used: 0, limit: 10 }, 'usage')
    t.strictSame((await b.phase(await remade('org:g'))).plans, ['plan:free@0'], 'a phase')
    const org = await known('org:h')
    await a.stores.orgDeletion.delete('test', org)
    await a.stores.subscriptions.change('test', org, Date.now(), async () => {})
    t.hasStrict(await b.report(org, 'feature:calls'), { status: 400, code: 'feature_not_found' }, 'a report to one that holds nothing, untold')
    await a.subscribe(org, 'plan:free@0')
    t.hasStrict(await b.report(org, 'feature:calls', 1, { id: 'once' }), answer)
    t.hasStrict(await a.can(org, 'feature:calls'), { used: 1, limit: 10 })
  })

  await t.test('deleted, made anew, used and asked for by everybody at once, it is always one or the other, and nothing is left over', async t => {
    const org = 'org:storm'
    await known(org)
    const statuses = new Set<unknown>()
    const note = (answer: Body): void => { statuses.add(answer.code ?? 'ok') }
    for (let round = 0; round < 10; round += 1) {
      await Promise.all([
        ...Array.from({ length: 10 }, async (_, i) => note(await [a, b][i % 2]!.report(org, 'feature:calls'))),
        remove(a, org).then(note), b.subscribe(org, 'plan:free@0').then(note), remove(b, org).then(note), a.subscribe(org, 'plan:pro@0').then(note),
        ...Array.from({ length: 10 }, async (_, i) => note(await [a, b][i % 2]!.can(org, 'feature:calls')))
      ])
    }
    const expected = ['ok', 'org_not_found', 'not_found', 'feature_not_found']
    t.strictSame([...statuses].filter(status => !expected.includes(status as string)), [])
    await a.subscribe(org, 'plan:free@0')
    const { used } = await a.report(org, 'feature:calls')
    t.equal((await b.can(org, 'feature:calls')).used, used)
    await Promise.all([purgeDeletedOrgs(a.stores), purgeDeletedOrgs(b.stores)])
    await purgeDeletedOrgs(a.stores)
    t.equal(await leftovers(a), 0)
  })

  await t.test('replicas that purge at once take different orgs, and one that dies leaves its org to the others', async t => {
    for (const org of ['org:p', 'org:q', 'org:r']) {
      await a.subscribe(org, 'plan:pro@0')
      await Promise.all(Array.from({ length: 30 }, async () => await a.report(org, 'feature:calls')))
      await remove(a, org)
    }
    const died = a.database.transaction(async session => {
      await session.run([{ text: 'select id from orgs where deleted_at is not null for update', params: [] }])
      t.equal(await b.stores.orgDeletion.purge(), false, 'what another one has is left to it')
      throw new Error('killed')
    })
    await t.rejects(died, { message: 'killed' })
    await Promise.all([purgeDeletedOrgs(a.stores), purgeDeletedOrgs(b.stores)])
    t.equal(await leftovers(a), 0)
  })
})
