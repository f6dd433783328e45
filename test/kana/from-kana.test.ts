import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileFunction } from 'node:vm'
import type { KanaUserClient } from '@usekana/client-kana-js'
import t from 'tap'
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
    const [kana, ours] = (await sh('figures')).split('}{').map((text, i) => JSON.parse(i === 0 ? `${text}}` : `{${text}`)) as [Body, Body]
    t.strictSame(kana.data.canUseFeature.consumption, { used: 49, budget: 1000 })
    t.match(ours, { ok: true, used: 49, limit: 1000 })
  })

  t.strictSame([...ran].sort(), fences.sort(), 'nothing is printed that was not run')
})
