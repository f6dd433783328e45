import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { folderOf } from '../e2e/embedded.ts'
import { cells, servedTool } from './served.ts'
import { runCommand, runTool } from './tool.ts'

const DOCUMENT = `\uFEFF{
  // What we sell.
  "plans": {
    "plan:team@1": {
      "features": {
        "feature:calls": { "tiers": [{ "upto": 100, "price": 0.5 }, { "upto": 5000 }], "mode": "volume", "aggregate": "max" },
        "feature:seats": { "base": 1000.5 }, /* a fee */
      },
    },
  },
}`

const { api, url, tool, json } = await servedTool(t)
const folder = folderOf(t)
const fileOf = (name: string, content: unknown): string => {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}
const features = (upto: number) => ({ features: { 'feature:calls': { tiers: [{ upto }] } } })

t.test('push prints Tier\'s lines; pushed again they fail, with Tier\'s sentence', async t => {
  const path = fileOf('pricing.json', DOCUMENT)
  t.match(await tool('push', path), {
    code: 0,
    stderr: '',
    stdout: 'ok\tplan:team@1\tfeature:calls\t-\t[created]\nok\tplan:team@1\tfeature:seats\t-\t[created]\n'
  })
  t.match(await tool('push', path), {
    code: 1,
    stdout: ['calls', 'seats'].map(name => `failed\tplan:team@1\tfeature:${name}\t-\t[plan already exists]\n`).join(''),
    stderr: 'tollgate: illegal attempt to push features to existing plan(s); aborting.\n' +
      'tollgate: a plan never changes: push it as a new version\n'
  })
  const again = await tool('push', path, '--json')
  t.match([again.code, JSON.parse(again.stdout).results.length], [1, 2])
})

t.test('ls and pull show it', async t => {
  const rows = cells((await tool('ls')).stdout)
  t.strictSame(rows[0], ['PLAN', 'FEATURE', 'MODE', 'AGG', 'BASE'])
  t.strictSame(rows.filter(([plan]) => plan === 'plan:team@1'), [
    ['plan:team@1', 'feature:calls', 'volume', 'max', '0'], ['plan:team@1', 'feature:seats', 'licensed', '-', '1000.5']
  ])
  t.ok(rows.some(row => row.join(' ') === 'plan:pro@1 feature:bytes graduated sum 0'), 'metered without tiers')
  t.match((await json('ls')).features.at(-1), { plan: 'plan:team@1', feature: 'feature:seats', mode: 'licensed', aggregate: null, base: 1000.5 })
  t.strictSame(await json('pull'), await api.pull())
  t.strictSame(JSON.parse((await tool('pull')).stdout), await api.pull())
})

t.test('what was pulled from one environment is pushed into another', async t => {
  const elsewhere = await api.as('prv_elsewhere_0123456789abcdef')
  const other = await elsewhere.app.listen({ host: '127.0.0.1', port: 0 })
  const { stdout } = await tool('pull')
  const pushed = await runTool(t, ['push', '-'], { env: { TOLLGATE_URL: other, TOLLGATE_KEY: 'prv_elsewhere_0123456789abcdef' }, input: stdout })
  t.match(pushed, { code: 0, stderr: '' })
  t.strictSame(await elsewhere.pull(), await api.pull())
  t.match(await runTool(t, ['push', '-', '--url', other], { input: stdout }), { code: 1, stdout: '', stderr: 'tollgate: Unauthorized (unauthorized)\n' })
})

t.test('a document comes from a URL, too, which does not get the key', async t => {
  const asked: Array<string | undefined> = []
  const server = createServer(({ url: path = '', headers }, response) => {
    asked.push(headers.authorization)
    if (path === '/moved') response.writeHead(302, { location: '/pricing.json' }).end()
    else if (path === '/pricing.json') response.end(JSON.stringify({ plans: { 'plan:web@0': features(1) } }))
    else if (path === '/large') response.end('x'.repeat(5 * 1024 * 1024))
    else response.writeHead(404).end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.match(await tool('push', `${origin}/moved`, '--key', 'prv_test_0123456789abcdef'), { code: 0, stdout: /^ok\tplan:web@0/ })
  t.strictSame(asked, [undefined, undefined])
  t.match(await tool('push', `${origin}/none`), { code: 1, stderr: `tollgate: cannot read ${origin}/none: it answered 404\n` })
  t.match(await tool('push', `${origin}/large`), { code: 1, stdout: '', stderr: /^tollgate: cannot read \S+: .*size/ })
  t.match(await tool('push', 'http://127.0.0.1:1/x'), { code: 1, stderr: /^tollgate: cannot read http:\/\/127\.0\.0\.1:1\/x: .*ECONNREFUSED/ })
})

t.test('what cannot be read, or is no plan, is said with its place', async t => {
  const cases: Array<[words: string[], stderr: RegExp]> = [
    [['/nowhere.json'], /^tollgate: cannot read \/nowhere\.json: there is no such file\n$/],
    [[folder], /^tollgate: cannot read \S+: .*directory/],
    [[fileOf('comma.json', '{\n  // a comment\n  "plans": {} {}\n}')], /comma\.json is not JSON: line 3, column 15: /],
    [[fileOf('empty.json', '')], /empty\.json is not JSON: it is empty\n$/],
    [[fileOf('large.json', 'x'.repeat(5 * 1024 * 1024))], /large\.json is larger than 4 MiB\n$/],
    [[fileOf('wrong.json', { plans: { 'plan:x@0': {}, y: {} } })],
      /^tollgate: plans\["plan:x@0"\]: plans must have at least one feature \(invalid_request\)\ntollgate: \/plans\/y: plan name must/]
  ]
  await Promise.all(cases.map(async ([words, stderr]) => t.match(await tool('push', ...words), { code: 1, stdout: '', stderr })))
  t.match(await tool('push'), { code: 2, stderr: /^tollgate: push needs <file\|url\|->\n/ })
  t.match(await tool('push', fileOf('mixed.json', { plans: { 'plan:bad@0': { interval: '@hourly', ...features(1) }, 'plan:good@0': features(1) } })), {
    code: 1,
    stdout: 'failed\tplan:bad@0\tfeature:calls\t-\t[unknown interval: "@hourly"]\nok\tplan:good@0\tfeature:calls\t-\t[created]\n',
    stderr: 'tollgate: 1 feature was not pushed\n'
  })
})

t.test('a dry run says what would happen, and what a new version changes for whom', async t => {
  await api.subscribe('org:a', 'plan:free@0')
  const before = await api.rows()
  const path = fileOf('next.json', {
    plans: {
      'plan:free@1': { interval: '@yearly', features: { 'feature:calls': { tiers: [{ upto: 20, price: 2 }] }, 'feature:new': { type: 'metered' } } },
      'plan:pro@2': { features: { 'feature:calls': { tiers: [{ upto: 1000 }] }, 'feature:bytes': { type: 'metered' }, 'feature:sso': {} } },
      'plan:fresh@0': features(1)
    }
  })
  t.match(await tool('push', path, '--dry-run'), {
    code: 0,
    stderr: '',
    stdout: [
      'created  plan:free@1, after plan:free@0; 1 org holds that',
      '  ~ interval @monthly -> @yearly',
      '  ~ feature:calls  limit 10 -> 20; reset month -> year; tiers [{"price":2}]; mode graduated',
      '  + feature:new  type metered; limit unlimited; reset year; overage false; aggregate sum; combine highest',
      '  - feature:sso  type boolean',
      'created  plan:pro@2, after plan:pro@1; 0 orgs hold that',
      '  = the same',
      'created  plan:fresh@0',
      '  + feature:calls',
      ''
    ].join('\n')
  })
  const answer = await json('push', path, '--dry-run')
  t.match(answer.plans, [{ outcome: 'created', earlier: { orgs: 1 } }, { earlier: { orgs: 0 } }, { earlier: null }])
  t.strictSame(await api.rows(), before, 'nothing was written')
})

t.test('a dry run fails where the push would', async t => {
  const path = fileOf('clash.json', { plans: { 'plan:free@0': features(99), 'plan:bad@1': { interval: '@hourly', ...features(1) }, 'plan:new@9': features(1) } })
  t.match(await tool('push', path, '--dry-run'), {
    code: 1,
    stdout: [
      'exists   plan:free@0, and says something else: push it as a new version',
      'refused  plan:bad@1: unknown interval: "@hourly"',
      'created  plan:new@9',
      '  + feature:calls',
      ''
    ].join('\n'),
    stderr: 'tollgate: 2 of 3 plans would not be created\n'
  })
  const pulled = fileOf('pulled.json', await api.pull())
  t.match(await tool('push', pulled, '--dry-run'), { code: 1, stdout: /^(exists {3}\S+, and says the same\n)+$/ })
  t.match(await runCommand(['push', path, '--dry-run', '--url', url, '--clock', 'clock-none']), { code: 1, stderr: /clock_not_found/ })
})
