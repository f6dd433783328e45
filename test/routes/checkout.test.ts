import t from 'tap'
import { type Body, openApi } from '../fixtures/api.ts'

const api = await openApi(t)
await api.push({ 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } } })
const WELCOME = 'https://app.example.com/welcome'

const checkout = async (sent: Body, headers: Record<string, string> = {}): Promise<Body> =>
  (await api.post('/v1/checkout', { org: 'org:a', success_url: WELCOME, ...sent }, headers)).body

t.test('3.7 checkout answers a URL of this service, and creates the org as Tier does', async t => {
  const { url, ...rest } = await checkout({
    features: ['plan:free@0'], cancel_url: WELCOME, trial_days: 14, require_billing_address: true, tax: { automatic: true, collect_id: true }
  }, { host: '127.0.0.1:8080' })
  t.match(url, /^http:\/\/127\.0\.0\.1:8080\/checkout\/test\/[\w-]{64}$/)
  t.strictSame(rest, {})
  t.equal((await api.whois('org:a')).org, 'org:a')
  t.strictSame(await api.limits('org:a'), { org: 'org:a', usage: [] }, 'which holds nothing yet')
  t.not((await checkout({})).url, (await checkout({})).url, 'each is a link of its own')
})

t.test('what is refused names its field, and writes nothing', async t => {
  const before = await api.rows()
  const cases: Array<[sent: Body, code: string, pointer: string]> = [
    [{ org: 'acme' }, 'invalid_request', '/org'],
    [{ org: 'org:new\u0000' }, 'invalid_id', '/org'],
    [{ org: undefined }, 'invalid_request', '/org'],
    [{ success_url: undefined }, 'invalid_request', '/success_url'],
    [{ features: ['plan:nope@0'] }, 'TERR1020', '/features/0'],
    [{ features: ['plan:free@0', 'feature:nope@plan:free@0'] }, 'TERR1020', '/features/1'],
    [{ features: ['free'] }, 'invalid_request', '/features/0'],
    [{ features: ['feature:calls'] }, 'invalid_request', '/features/0'],
    [{ features: ['plan:free@0', 'plan:free@0'] }, 'feature_not_found', '/features/1'],
    [{ features: ['plan:free@0', 'feature:calls@plan:free@0'] }, 'feature_not_found', '/features/1'],
    [{ features: 'plan:free@0' }, 'invalid_request', '/features'],
    [{ features: ['plan:free@0'], trial_days: -1 }, 'invalid_request', '/trial_days'],
    [{ features: ['plan:free@0'], trial_days: 1.5 }, 'invalid_request', '/trial_days'],
    [{ features: ['plan:free@0'], trial_days: 731 }, 'invalid_request', '/trial_days'],
    [{ trial_days: 14 }, 'invalid_request', '/trial_days'],
    [{ tax: { automatic: 'yes' } }, 'invalid_request', '/tax/automatic'],
    [{ tax: { rate: 7 } }, 'invalid_request', '/tax/rate'],
    [{ cancelUrl: WELCOME }, 'invalid_request', '/cancelUrl']
  ]
  for (const [sent, code, pointer] of cases) {
    t.hasStrict(await checkout({ org: 'org:new', ...sent }), { status: 400, code, errors: [{ pointer }] }, JSON.stringify(sent))
  }
  t.strictSame(await api.rows(), before)
})

t.test('only the web is led to, by whole addresses, and nobody\'s password is shown', async t => {
  const before = await api.rows()
  for (const url of [
    '', 'app.example.com', '/welcome', '//app.example.com', 'javascript:alert(1)', 'JavaScript://x%0Aalert(1)', ' javascript:alert(1)', 'data:text/html,x',
    'file:///etc/passwd', 'ftp://h', 'https:', 'https://', 'https:app.example.com', ' https://h', 'https://h\n', 'ht\ntps://h', 'https://h/\u0000', 'https://a b',
    'https://user:password@h', 'https://user@h', 'https://h/\ud800', 'https://h:99999', 'https://[::1', `https://h/${'x'.repeat(2_048)}`, `https://h/${'é'.repeat(1_000)}`
  ]) {
    // An empty one to cancel by is none, as Go's clients send it.
    for (const member of url === '' ? ['success_url'] : ['success_url', 'cancel_url']) {
      t.hasStrict(await checkout({ org: 'org:new', [member]: url }), { status: 400, code: 'invalid_request', errors: [{ pointer: `/${member}` }] }, JSON.stringify(url))
    }
  }
  t.strictSame(await api.rows(), before)
  for (const url of ['http://localhost:3000', 'HTTPS://App.Example.com/a?b=c#d', 'http://[::1]:3000/', 'https://例え.jp/é', 'https://h/?to=javascript:x']) {
    t.type((await checkout({ success_url: url, cancel_url: url })).url, 'string', url)
  }
})

t.test('the address of the page: where the caller reached us, or the setting PUBLIC_URL', async t => {
  for (const host of ['localhost:8080', 'tollgate.example.com', '[::1]:8080']) {
    t.ok((await checkout({}, { host })).url.startsWith(`http://${host}/checkout/`), host)
  }
  for (const host of ['a/b', 'a?b', 'a#b', 'u:p@evil.example.com', 'a b', 'a"b', 'h:99999', '<b>']) {
    t.hasStrict(await checkout({}, { host }), { status: 400, code: 'invalid_request', errors: [{ pointer: 'host' }] }, host)
  }
  const key = 'prv_test_0123456789abcdef'
  const behindProxy = await api.as(key, undefined, { publicUrl: 'https://tollgate.example.com/billing' })
  const { body } = await behindProxy.post('/v1/checkout', { org: 'org:a', success_url: WELCOME }, { host: 'evil.example.com' })
  t.match(body.url, /^https:\/\/tollgate\.example\.com\/billing\/checkout\/test\//)
})

t.test('3.2 payment methods: an empty list without a payment provider, never null', async t => {
  await api.subscribe('org:pays', 'plan:free@0')
  t.strictSame((await api.get('/v1/payment_methods', { org: 'org:pays' })).body, { org: 'org:pays', methods: [] })
  t.hasStrict((await api.get('/v1/payment_methods', { org: 'org:nobody' })).body, { status: 400, code: 'org_not_found', message: 'org not found' })
  t.hasStrict((await api.get('/v1/payment_methods', { org: 'pays' })).body, { status: 400, code: 'invalid_request', errors: [{ pointer: '?org' }] })
  t.hasStrict((await api.get('/v1/payment_methods')).body, { status: 400 })
})

t.test('subscribe takes what Tier\'s SDK sends of payments; a method that the org does not have is refused first', async t => {
  const phases = [{ features: ['plan:free@0'] }]
  const invoice = { invoice_settings: { default_payment_method: '' } }
  const subscribe = async (org: string, sent: Body): Promise<Body> => (await api.post('/v1/subscribe', { org, ...sent })).body
  t.strictSame(await subscribe('org:sdk', { phases, info: { name: 'Acme', ...invoice }, tax: { automatic: true } }), {})
  t.strictSame(await subscribe('org:sdk', { info: { email: 'a@b.example', ...invoice } }), {})
  t.hasStrict(await api.whois('org:sdk', { include: 'info' }), { name: 'Acme', email: 'a@b.example' })
  const before = await api.rows()
  for (const [sent, pointer] of [
    [{ phases, payment_method_id: 'pm_x' }, '/payment_method_id'],
    [{ phases, info: { payment_method: 'pm_x' } }, '/info/payment_method'],
    [{ info: { invoice_settings: { default_payment_method: 'pm_x' } } }, '/info/invoice_settings/default_payment_method']
  ] as const) {
    t.hasStrict(await subscribe('org:new', sent), {
      status: 400, code: 'invalid_payment_method', message: "No such PaymentMethod: 'pm_x'", errors: [{ pointer }]
    })
  }
  t.strictSame(await api.rows(), before)
})

t.end()
