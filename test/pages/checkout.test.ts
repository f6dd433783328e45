import t from 'tap'
import { openApi } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'
import { postgresProgramsMissing, privatePostgres } from '../fixtures/postgres.ts'
import { checkoutSpecification } from './checkout-specification.ts'
import { linkFor, pathOf, visitor } from './checkout-visitor.ts'

const LIVE = 'prv_live_0123456789abcdef'
const HOSTILE = '<script>alert(1)</script>"\'><img src=x onerror=alert(1)>&amp;</style></title>{{7*7}}'

const api = await openApi(t)
const { open, confirm } = visitor(api)
await api.push({
  'plan:free@0': { title: 'Free', features: { 'feature:calls': { tiers: [{ upto: 10 }] } } },
  'plan:evil@1': { title: HOSTILE, features: { 'feature:<b>"\'&': { title: HOSTILE, base: 1 } } }
})

withEachLedger(t, 'the checkout', checkoutSpecification)

t.test('a changed link is refused with a page that says why, whichever part was changed, and nothing happens', async t => {
  const url = await linkFor(api, 'org:changed', { features: ['plan:free@0'] })
  const before = await api.rows()
  const [, , environment = '', token = ''] = pathOf(url).split('/')
  const other = token.startsWith('A') ? 'B' : 'A'
  const paths = [
    `${environment}/${other}${token.slice(1)}`, `${environment}/${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`,
    `${environment}/${token.slice(0, 30)}${token.charAt(30) === 'A' ? 'B' : 'A'}${token.slice(31)}`, `${environment}/${token.slice(0, -1)}`,
    `${environment}/${token}A`, `${environment}/${token}/`, `${environment}/${token}/x`, `live/${token}`, `Test/${token}`, `%74est/${token}x`, `/${token}`,
    token, environment, `${environment}/`, '', `${environment}/${'A'.repeat(64)}`, `${environment}/${'A'.repeat(5_000)}`, `${environment}/%00`
  ]
  for (const path of paths) {
    for (const answer of [await open(`/checkout/${path}`), await confirm(`/checkout/${path}`)]) {
      t.strictSame([answer.status, answer.heading], [400, 'This link is not right'], path)
      t.match(answer.headers['content-type'], /^text\/html/)
    }
  }
  t.strictSame(await api.rows(), before)
  t.equal((await open(url)).status, 200, 'the link itself is none the worse')
})

t.test('a link of one ledger is nothing to another', async t => {
  const url = await linkFor(api, 'org:elsewhere', { features: ['plan:free@0'] })
  t.equal((await visitor(await openApi(t, { newLedger: true })).open(url)).status, 400)
})

t.test('hostile titles, ids and addresses are text', async t => {
  const address = 'https://app.example.com/a?b="><script>alert(1)</script>&c=\'d'
  const url = await linkFor(api, 'org:<b>"\'&', { features: ['plan:evil@1'], success_url: address, cancel_url: address })
  const { status, raw, text } = await open(url)
  t.equal(status, 200)
  const { length } = raw.match(/<[a-z/!][^>]*>/gi) ?? []
  t.strictSame([...new Set((raw.match(/<[a-z]+/gi) ?? []))].sort(), [
    '<a', '<bdi', '<body', '<button', '<div', '<form', '<h', '<head', '<html', '<li', '<main', '<meta', '<p', '<section', '<span', '<strong',
    '<style', '<title', '<ul'
  ])
  t.ok(length > 20)
  t.match(text, HOSTILE)
  const { headers } = await confirm(url)
  t.equal(headers.location, 'https://app.example.com/a?b=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&c=%27d')
})

t.test('every page forbids scripts, frames, caches and referrers, and asks nothing of anyone', async t => {
  const url = await linkFor(api, 'org:headers', { features: ['plan:free@0'] })
  const answers = [await open(url), await open('/checkout/test/x'), await confirm(url), await open(url)]
  for (const answer of answers) {
    t.hasStrict(answer.headers, {
      'cache-control': 'no-store', 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY'
    })
    const policy = String(answer.headers['content-security-policy'])
    const parts = [/default-src 'none'/, /style-src 'sha256-[\w+/]{43}='/, /frame-ancestors 'none'/, /base-uri 'none'/, /form-action /]
    for (const part of parts) t.match(policy, part)
    t.notMatch(policy, /script-src|unsafe/)
    t.notMatch(answer.raw, /<script|<link|<img|src=|url\(|@import/i)
  }
})

t.test('only a form confirms: looking does not, and other bodies are refused', async t => {
  const url = await linkFor(api, 'org:form', { features: ['plan:free@0'] })
  for (const method of ['GET', 'HEAD'] as const) t.equal((await api.app.inject({ method, url: pathOf(url) })).statusCode, 200)
  const post = async (type: string, payload: string): Promise<number> =>
    (await api.app.inject({ method: 'POST', url: pathOf(url), headers: { 'content-type': type }, payload })).statusCode
  t.strictSame([await post('application/json', '{}'), await post('text/plain', 'x'), await post('multipart/form-data; boundary=x', 'x')], [415, 415, 415])
  t.equal(await post('application/x-www-form-urlencoded', 'x='.padEnd(2_000, 'x')), 413)
  t.hasStrict(await api.phase('org:form'), { code: 'not_found' })
  t.equal(await post('application/x-www-form-urlencoded', ''), 303)
})

t.test('a link is never written to the log', async t => {
  const lines: string[] = []
  const logged = await api.as('prv_test_0123456789abcdef', { write: line => { lines.push(line) } })
  const url = await linkFor(logged, 'org:logged', { features: ['plan:free@0'] })
  for (const path of [url, `${url}x`]) for (const act of [visitor(logged).open, visitor(logged).confirm]) await act(path)
  t.equal(lines.length, 5)
  t.notMatch(lines.join(''), pathOf(url).slice(-64))
})

t.test('environment live refuses it with the setting that would allow it, before anything is stored', async t => {
  const live = await api.as(LIVE)
  const allowed = await api.as(LIVE, undefined, { manualCheckoutInLive: true })
  await live.push({ 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } } })
  const before = await api.rows()
  for (const features of [['plan:free@0'], []]) {
    const { body } = await live.post('/v1/checkout', { org: 'org:live', features, success_url: 'https://app.example.com' })
    t.hasStrict(body, { status: 403, code: 'no_payment_provider' })
    t.match(body.message, 'MANUAL_CHECKOUT_IN_LIVE=true')
  }
  t.strictSame(await api.rows(), before)

  const url = await linkFor(allowed, 'org:live', { features: ['plan:free@0'] })
  for (const answer of [await visitor(live).open(url), await visitor(live).confirm(url)]) {
    t.strictSame([answer.status, answer.heading], [403, 'This page is switched off'], 'also once it is no longer allowed')
    t.match(answer.text, 'MANUAL_CHECKOUT_IN_LIVE')
  }
  t.equal((await visitor(allowed).confirm(url)).status, 303)
  t.strictSame((await live.phase('org:live')).plans, ['plan:free@0'])
})

t.test('while the ledger is away the page asks for patience, and the link works afterwards', { skip: postgresProgramsMissing }, async t => {
  const server = await privatePostgres(t)
  const api = await openApi(t, { databaseUrl: server.url })
  const { open, confirm } = visitor(api)
  await api.push({ 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } } })
  const url = await linkFor(api, 'org:away', { features: ['plan:free@0'] })
  await server.stop('fast')
  for (const answer of [await open(url), await confirm(url)]) {
    t.strictSame([answer.status, answer.heading], [503, 'Please try again'])
    t.match(answer.headers['retry-after'], /^[1-9]/)
    t.notMatch(answer.raw, /select|insert|ECONN|127\.0\.0\.1/)
  }
  t.equal((await open(`${url.slice(0, -4)}AAAA`)).status, 400, 'a changed link is told so without the ledger')
  await server.start()
  t.equal((await confirm(url)).status, 303)
  t.strictSame((await api.phase('org:away')).plans, ['plan:free@0'])
})

t.end()
