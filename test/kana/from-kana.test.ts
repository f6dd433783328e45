import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileFunction } from 'node:vm'
import type { KanaUserClient } from '@usekana/client-kana-js'
import t from 'tap'
import { applyOrgImports } from '../../src/background/org-imports.ts'
import { mapSegmentEvents } from '../../src/background/segment.ts'
import { documentedBlock, runDocumented } from '../e2e/documented.ts'
import { type Body, openApi } from '../fixtures/api.ts'
import { findProgram } from '../fixtures/programs.ts'
import { ROOT } from '../fixtures/root.ts'
import { openPage } from './page.ts'

/** Everything that docs/from-kana.md prints is run as it is printed, in its order, by a reader who has node and curl. */

const PAGE = 'from-kana.md'
const KEY = 'prv_test_0123456789abcdef'
const missing = findProgram('curl') === undefined && 'no curl found'

const fences = [...readFileSync(new URL(`docs/${PAGE}`, ROOT), 'utf8').matchAll(/^```(.+)$/gm)].map(([, info]) => info)
const USERS = [
  { id: '124', name: 'Test User', email: 'test@example.com', billingId: 'cus_1', packageIds: ['pro-plan', 'extra-500'], used: { 'api-calls': 48 } },
  { id: '125', packageIds: [], used: {} }
]

/** Of several calls, one after the other. */
function answersIn (printed: string): Body[] {
  return JSON.parse(`[${printed.replaceAll('}{', '},{')}]`)
}

const api = await openApi(t, { adminKey: KEY })

t.test('the page as it is printed', { skip: missing }, async t => {
  const folder = t.testdir()
  const KANA_URL = await api.app.listen({ host: '127.0.0.1', port: 0 })
  const env = { PATH: process.env.PATH ?? '', KANA_URL, KANA_KEY: KEY }
  const ran = new Set<string>()
  const sh = async (name: string): Promise<string> => {
    ran.add(`sh ${name}`)
    return await runDocumented(PAGE, name, folder, env)
  }
  const block = (name: string): string => {
    ran.add(`js ${name}`)
    return documentedBlock(PAGE, 'js', name)
  }
  const save = (name: string): void => writeFileSync(join(folder, `${name}.mjs`), block(name))

  const publicKey = String(JSON.parse(await sh('public-key')).key)
  t.match(publicKey, /^pub_test_/)

  await t.test('packages', async t => {
    save('move-packages')
    t.equal(await sh('move-packages'), 'pro-plan\nextra-500\n')
    t.match((await api.pull()).plans, {
      'plan:pro-plan@0': { title: 'Pro Plan', features: { 'feature:api-calls': { tiers: [{ upto: 1000 }] }, 'feature:sso': {} } },
      'plan:extra-500@0': { addon: true }
    })
    t.match((await api.get('/v1/plans/plan:pro-plan@0')).body.prices, [{ id: 'price_1L7NHv' }])
  })

  await t.test('users: once, twice, the same', async t => {
    save('move-users')
    writeFileSync(join(folder, 'users.json'), JSON.stringify(USERS))
    for (const time of ['once', 'twice']) {
      t.equal(await sh('move-users'), '124\n125\n', time)
      t.equal((await api.whois('org:124', { include: 'info' })).email, 'test@example.com')
      t.match((await api.can('org:124', 'feature:api-calls')), { used: 48, limit: 1000 })
      t.strictSame((await api.limits('org:125')).usage, [])
    }
  })

  await t.test('pages', async t => {
    const { data } = JSON.parse(await sh('token'))
    const { Client } = openPage(t)
    // What a bundler does.
    const run = compileFunction(`${block('page')}\nreturn [simple, secure]`, ['require', 'process']) as (...given: unknown[]) => KanaUserClient[]
    const { token } = data.generateUserToken
    const clients = run(() => ({ KanaUserClient: Client }), { env: { KANA_URL, KANA_PUBLIC_KEY: publicKey, KANA_USER_TOKEN: token } })
    t.equal(clients.length, 2)
    for (const client of clients) t.match(await client.canUseFeature('api-calls'), { data: { access: true, consumption: { used: 48, budget: 1000 } } })
  })

  await t.test('usage, and the same figures in either language', async t => {
    t.strictSame(JSON.parse(await sh('record')), { data: { recordUsage: { recorded: true, reason: null } } })
    const [kana, ours] = answersIn(await sh('figures')) as [Body, Body]
    t.strictSame(kana.data.canUseFeature.consumption, { used: 49, budget: 1000 })
    t.match(ours, { ok: true, used: 49, limit: 1000 })
  })

  const used = async (): Promise<number> => (await api.can('org:124', 'feature:api-calls')).used

  await t.test('I8: users as CSV, out and in', async t => {
    await sh('users-out')
    appendFileSync(join(folder, 'users.csv'), 'org:124-again,Test User,test@example.com,,,,\n')
    t.hasStrict(JSON.parse(await sh('users-in')), { state: 'applying', received: 3, refused: 0 })
    await applyOrgImports(api.stores)
    t.hasStrict((await api.get('/v1/org-imports')).body.imports, [{ state: 'done', created: 1, changed: 0 }])
  })

  await t.test('I9: users without a billing id, users who share an e-mail, and one out of two', async t => {
    await api.subscribe('org:124-again', 'plan:pro-plan@0')
    await api.report('org:124-again', 'feature:api-calls', 1)
    const suspects = answersIn(await sh('suspects'))
    t.strictSame(suspects.map(({ orgs }) => orgs.map(({ org }: Body) => org)), [['org:124', 'org:124-again'], ['org:125', 'org:124-again']])
    t.match(JSON.parse(await sh('merge')), { org: 'org:124', info: { billingId: 'cus_1' } })
    t.equal(await used(), 50)
  })

  await t.test('subscription links', async t => {
    const [template, { data }] = answersIn(await sh('link')) as [Body, Body]
    t.match(template, { id: 'pro-monthly', price: { amount: 5_000 } })
    const { status } = await fetch(data.generateSubscriptionLink.url, { method: 'POST', body: new URLSearchParams(), redirect: 'manual' })
    t.equal(status, 303)
    t.strictSame((await api.get('/v1/orgs/org:125')).body.plans, ['plan:pro-plan@0'])
  })

  await t.test('the command line', async t => {
    const [validated, published] = answersIn(await sh('cli')) as [Body, Body]
    t.strictSame(validated, { data: [] })
    t.strictSame(published, JSON.parse(readFileSync(join(folder, 'kana.json'), 'utf8')))
    t.match(published.packages.published, [{ id: 'pro-plan' }])
  })

  await t.test('Segment', async t => {
    t.match(answersIn(await sh('segment')), [{ result: 'waiting' }, { feature: 'feature:api-calls' }])
    await mapSegmentEvents(api.stores, Date.now())
    t.equal(await used(), 51)
  })

  t.strictSame([...ran].sort(), fences.sort(), 'nothing is printed that was not run')
})
