import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { documentedBlock, runDocumented } from '../e2e/documented.ts'
import { type Body, openApi } from '../fixtures/api.ts'
import { findProgram } from '../fixtures/programs.ts'
import { ROOT } from '../fixtures/root.ts'

/** Everything that docs/from-tier.md prints is run as it is printed, in its order, by a reader who has Tier and curl. */

const PAGE = 'from-tier.md'
const KEY = 'prv_test_0123456789abcdef'
const NODE_TIMEOUT_MS = 60_000
const DAY_MS = 86_400_000
const missing = findProgram('curl') === undefined && 'no curl found'

const text = readFileSync(new URL(`docs/${PAGE}`, ROOT), 'utf8')
const fences = [...text.matchAll(/^```(.+)$/gm)].map(([, info]) => info)

/** Whole seconds, as Tier has them. */
const second = (daysAgo: number): string => new Date(Math.floor((Date.now() - daysAgo * DAY_MS) / 1000) * 1000).toJSON().replace('.000Z', 'Z')
const STARTED = second(40)
const TRIAL_STARTED = second(3)
const TRIAL_ENDS = second(-11)
const CANCELLED = second(-20)
const INFO = { email: '', name: '', description: '', phone: '', metadata: {}, payment_method: '', invoice_settings: { default_payment_method: 'pm_1' } }
const FREE = 'feature:api-calls@plan:free@0'

/** A Tier with four orgs, as its server answers. */
const OLD: Record<string, unknown> = {
  '/v1/pull': {
    plans: {
      'plan:free@0': { title: 'Free', features: { 'feature:api-calls': { tiers: [{ upto: 1000 }] }, 'feature:seat': { base: 500 } } },
      'plan:pro@1': { title: 'Pro', features: { 'feature:api-calls': { tiers: [{ upto: 50000, price: 0.02 }, {}] } } }
    }
  },
  '/v1/whois?org:acme': { org: 'org:acme', stripe_id: 'cus_1', ...INFO, email: 'a@example.com', name: 'Acme', metadata: { size: 'big' }, created: STARTED },
  '/v1/phases?org:acme': {
    current: { effective: second(10), end: second(-20) },
    phases: [{ effective: STARTED, features: [FREE, 'feature:seat@plan:free@0'], plans: ['plan:free@0'] }]
  },
  '/v1/limits?org:acme': {
    org: 'org:acme', usage: [{ feature: 'feature:api-calls', used: 412, limit: 1000 }, { feature: 'feature:seat', used: 1, limit: 2 ** 63 }]
  },
  '/v1/whois?org:trial': { org: 'org:trial', stripe_id: 'cus_2', ...INFO, created: TRIAL_STARTED },
  '/v1/phases?org:trial': {
    current: { effective: TRIAL_STARTED, end: TRIAL_ENDS },
    phases: [
      { effective: TRIAL_STARTED, end: TRIAL_ENDS, features: ['feature:api-calls@plan:pro@1'], plans: ['plan:pro@1'], trial: true },
      { effective: TRIAL_ENDS, end: CANCELLED, features: [FREE], fragments: [FREE] }, { effective: CANCELLED }
    ]
  },
  '/v1/limits?org:trial': { org: 'org:trial', usage: [{ feature: 'feature:api-calls', used: 5, limit: 2 ** 63 }] },
  '/v1/whois?org:gone': { org: 'org:gone', stripe_id: 'cus_3', ...INFO, created: STARTED },
  '/v1/phases?org:gone': { current: { effective: '0001-01-01T00:00:00Z', end: '0001-01-01T00:00:00Z' }, phases: null },
  '/v1/limits?org:gone': { org: 'org:gone', usage: null },
  '/v1/whois?org:twice': { org: 'org:twice', stripe_id: 'cus_4', ...INFO, created: STARTED },
  '/v1/phases?org:twice': {
    current: { effective: STARTED, end: second(-20) },
    phases: [{ effective: STARTED, features: [FREE, 'feature:api-calls@plan:pro@1'], plans: ['plan:pro@1'], fragments: [FREE] }]
  },
  '/v1/limits?org:twice': {
    org: 'org:twice', usage: [{ feature: 'feature:api-calls', used: 0, limit: 2 ** 63 }, { feature: 'feature:api-calls', used: 7, limit: 1000 }]
  }
}

async function oldTier (): Promise<string> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://old')
    const org = searchParams.get('org')
    const answer = OLD[org === null ? pathname : `${pathname}?${org}`]
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answer ?? { status: 404, code: 'not_found', message: 'Not Found' }, null, '\t'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const api = await openApi(t, { adminKey: KEY })

t.test('the page as it is printed', { skip: missing }, async t => {
  const folder = t.testdir()
  symlinkSync(fileURLToPath(new URL('node_modules', ROOT)), join(folder, 'node_modules'))
  const env = {
    PATH: `${folder}:${process.env.PATH ?? ''}`,
    OLD_TIER_URL: await oldTier(),
    TIER_BASE_URL: await api.app.listen({ host: '127.0.0.1', port: 0 }),
    TIER_API_KEY: KEY
  }
  const ran = new Set<string>()
  const sh = async (name: string): Promise<string> => {
    ran.add(`sh ${name}`)
    return await runDocumented(PAGE, name, folder, env)
  }
  const save = (name: string): string => {
    ran.add(`js ${name}`)
    const file = join(folder, `${name}.mjs`)
    writeFileSync(file, documentedBlock(PAGE, 'js', name))
    return file
  }
  const node = async (name: string): Promise<string> =>
    (await promisify(execFile)(process.execPath, [save(name)], { cwd: folder, env, timeout: NODE_TIMEOUT_MS })).stdout

  // Tier's own command, in as much as the page uses it: it prints what its server answers.
  writeFileSync(join(folder, 'tier'), '#!/bin/sh\ntest "$*" = pull && exec curl --silent "$OLD_TIER_URL/v1/pull"\n')
  chmodSync(join(folder, 'tier'), 0o755)
  writeFileSync(join(folder, 'orgs.txt'), 'org:acme\norg:trial\norg:gone\norg:twice\n')

  await t.test('plans', async t => {
    await sh('export')
    t.match(await sh('push'), /^\{"results":\[(\{"feature":"[^"]+","status":"ok","reason":"created"\},?){3}\]\}/)
    t.strictSame(await api.pull(), OLD['/v1/pull'])
  })

  await t.test('orgs, what they hold, what they have used: once, twice, the same', async t => {
    save('move-orgs')
    for (const time of ['once', 'twice']) {
      t.equal(await sh('move'), 'org:acme\norg:trial\norg:gone\norg:twice\n', time)
      t.hasStrict(await api.whois('org:acme', { include: 'info' }), { email: 'a@example.com', name: 'Acme', metadata: { size: 'big', stripe_id: 'cus_1' } })
      const { plans, effective } = await api.phase('org:acme')
      t.strictSame([plans, Date.parse(effective)], [['plan:free@0'], Date.parse(STARTED)])
      t.strictSame((await api.limits('org:acme')).usage.map(({ used }: Body) => used), [412, 1])
      t.hasStrict((await api.phases('org:trial')).phases.map(({ effective, trial, plans, fragments }: Body) => [Date.parse(effective), trial, plans, fragments]), [
        [Date.parse(TRIAL_STARTED), true, ['plan:pro@1'], undefined], [Date.parse(TRIAL_ENDS), undefined, undefined, [FREE]],
        [Date.parse(CANCELLED), undefined, undefined, undefined]
      ])
      t.equal((await api.limits('org:trial')).usage[0].used, 5)
      t.strictSame(await api.limits('org:gone'), { org: 'org:gone', usage: [] })
      t.hasStrict(await api.limits('org:twice'), { usage: [{ used: 7, limit: 2 ** 63 }] }, 'one figure for both plans')
    }
    t.equal((await api.usage('org:acme', 'feature:api-calls')).past[0].used, 0, 'past periods stay empty')
  })

  await t.test('the quick start', async t => {
    await api.report('org:acme', 'feature:api-calls', 1, { clobber: true })
    t.equal(await node('quick-start'), '')
    t.equal((await api.can('org:acme', 'feature:api-calls')).used, 2)
    const { past } = await api.usage('org:acme', 'feature:api-calls', { from: '2023-03-01T00:00:00Z', to: '2023-03-24T00:00:00Z' })
    t.equal((past as Body[]).reduce((sum, { used }) => sum + Number(used), 0), 1, 'what was used in 2023 is in a window of 2023')
  })

  await t.test('retrying', async t => {
    const answers = (await sh('retry')).split('}{').map(answer => [/"used":\d+/.exec(answer)?.[0], /"duplicate":\w+/.exec(answer)?.[0]])
    t.strictSame(answers, [['"used":5', '"duplicate":false'], ['"used":5', '"duplicate":true']])
  })

  await t.test('a test clock', async t => t.equal(await node('clock'), 'true 30\nfalse 0\n'))

  await t.test('checkout', async t => {
    const page = await fetch((await node('checkout')).trim())
    t.equal(page.status, 200)
    t.match(await page.text(), 'Confirm Pro')
  })

  t.strictSame([...ran].sort(), fences.sort(), 'nothing is printed that was not run')
})
