import t from 'tap'
import { type Body, dateOf, openApi } from '../fixtures/api.ts'

const api = await openApi(t)
await api.on('2024-01-01')
await api.push({
  'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] }, 'feature:sso': {} } },
  'plan:pro@1': { features: { 'feature:calls': { tiers: [{ upto: 10 }, { upto: 100 }] }, 'feature:volume': { tiers: [{}] } } }
})

let orgs = 0
async function newOrg (...held: string[]): Promise<string> {
  orgs += 1
  await api.on('2024-01-01')
  if (held.length > 0) await api.subscribe(`org:o${orgs}`, ...held)
  return `org:o${orgs}`
}

const info = async (org: string, sent: Body): Promise<Body> => (await api.post('/v1/subscribe', { org, info: sent })).body

t.test('subscribe answers an empty object', async t => {
  t.strictSame(await api.subscribe(await newOrg(), 'plan:free@0'), {})
})

t.test('3.3 limits: whole numbers, used rounded up, unlimited as the greatest int64', async t => {
  const org = await newOrg('plan:free@0', 'feature:volume@plan:pro@1')
  await api.report(org, 'feature:calls', '3.000000001')
  const { raw } = await api.get('/v1/limits', { org })
  t.equal(raw, `{"org":"${org}","usage":[{"feature":"feature:calls","used":4,"limit":10},` +
    '{"feature":"feature:sso","used":1,"limit":9223372036854775807},{"feature":"feature:volume","used":0,"limit":9223372036854775807}]}')
})

t.test('3.3 limits: the last tier is the limit, used is the true total, and one feature of two plans is one entry', async t => {
  const org = await newOrg('plan:free@0', 'plan:pro@1')
  await api.report(org, 'feature:calls', 15)
  t.strictSame((await api.limits(org)).usage[0], { feature: 'feature:calls', used: 15, limit: 100 })
})

t.test('3.3 limits: an empty list for who holds nothing, never null', async t => {
  const org = await newOrg('plan:free@0')
  await api.subscribe(org, {})
  t.strictSame(await api.limits(org), { org, usage: [] })
  const known = await newOrg()
  await info(known, { name: 'Known' })
  t.strictSame(await api.limits(known), { org: known, usage: [] })
})

t.test('3.4 phase: what is empty is left out', async t => {
  const org = await newOrg('plan:free@0')
  t.strictSame(await api.phase(org), {
    effective: '2024-01-01T00:00:00.000Z',
    features: ['feature:calls@plan:free@0', 'feature:sso@plan:free@0'],
    plans: ['plan:free@0'],
    current: { effective: '2024-01-01T00:00:00.000Z', end: '2024-02-01T00:00:00.000Z' }
  })
})

t.test('3.4 phase: plans, of which everything is held, and fragments of others', async t => {
  const org = await newOrg('plan:free@0', 'feature:volume@plan:pro@1')
  const { features, plans, fragments } = await api.phase(org)
  t.strictSame(features, ['feature:calls@plan:free@0', 'feature:sso@plan:free@0', 'feature:volume@plan:pro@1'])
  t.strictSame([plans, fragments], [['plan:free@0'], ['feature:volume@plan:pro@1']])
  const whole = await newOrg('feature:volume@plan:pro@1', 'feature:calls@plan:pro@1')
  t.strictSame((await api.phase(whole)).plans, ['plan:pro@1'], 'all of its features are the plan')
  t.equal((await api.phase(whole)).fragments, undefined)
})

t.test('3.4 phase: 404 for who holds nothing now', async t => {
  const org = await newOrg('plan:free@0')
  await api.subscribe(org, {})
  t.hasStrict(await api.phase(org), { status: 404, code: 'not_found', message: 'Not Found' })
  const later = await newOrg()
  await api.subscribe(later, { features: ['plan:free@0'], effective: '2024-02-01' })
  t.hasStrict(await api.phase(later), { status: 404, code: 'not_found' })
})

t.test('3.4 phases: the current one first, each until the next', async t => {
  const org = await newOrg('plan:free@0')
  await api.subscribe(org, { features: ['plan:pro@1'], effective: '2024-02-01' })
  const { current, phases } = await api.phases(org)
  t.strictSame(current, { effective: '2024-01-01T00:00:00.000Z', end: '2024-02-01T00:00:00.000Z' })
  t.strictSame((phases as Body[]).map(({ effective, end, plans }) => [effective, end, plans]), [
    ['2024-01-01T00:00:00.000Z', '2024-02-01T00:00:00.000Z', ['plan:free@0']], ['2024-02-01T00:00:00.000Z', undefined, ['plan:pro@1']]
  ])
})

t.test('3.4 features: in order of their names, then of their plans', async t => {
  const calls = { 'feature:a': {}, 'feature:a-b': {}, 'feature:a:b': {} }
  await api.push({ 'plan:one@10': { features: calls }, 'plan:one@9': { features: calls }, 'plan:one-b@0': { features: { 'feature:a': {} } } })
  const { features, plans } = await api.phase(await newOrg('plan:one-b@0', 'plan:one@9', 'plan:one@10'))
  t.strictSame(features, [
    'feature:a@plan:one@10', 'feature:a@plan:one@9', 'feature:a@plan:one-b@0',
    'feature:a-b@plan:one@10', 'feature:a-b@plan:one@9', 'feature:a:b@plan:one@10', 'feature:a:b@plan:one@9'
  ])
  t.strictSame(plans, ['plan:one@10', 'plan:one@9', 'plan:one-b@0'])
})

t.test('3.4 current: the billing period, repeated on every phase', async t => {
  const org = await newOrg('plan:free@0')
  await api.subscribe(org, { features: ['plan:pro@1'], effective: '2024-02-10' }, { effective: '2024-03-10' })
  const { current, phases } = await api.phases(org)
  t.strictSame(phases.map((phase: Body) => phase.current), [current, current, current])
  const later = await newOrg()
  await api.subscribe(later, { features: ['plan:free@0'], effective: '2024-02-01' })
  t.strictSame((await api.phases(later)).phases.map((phase: Body) => phase.current), [undefined], 'where nothing is in force, there is none')
})

t.test('3.4 pseudo phases: a trial, what is paid for from its end, and an empty phase where it is cancelled', async t => {
  const org = await newOrg()
  const features = ['plan:free@0']
  await api.subscribe(org, { features, trial: true }, { features, effective: '2024-01-15' }, { effective: '2024-03-01' })
  const { phases } = await api.phases(org)
  t.strictSame(phases.map(({ effective, end = null, trial, plans }: Body) => [dateOf(effective), dateOf(end), trial, plans]), [
    ['2024-01-01', '2024-01-15', true, features], ['2024-01-15', '2024-03-01', undefined, features], ['2024-03-01', null, undefined, undefined]
  ])
})

t.test('3.4 phases: an empty list for who holds nothing, never null, with Go\'s zero times', async t => {
  const org = await newOrg('plan:free@0')
  await api.subscribe(org, {})
  t.strictSame(await api.phases(org), { current: { effective: '0001-01-01T00:00:00Z', end: '0001-01-01T00:00:00Z' }, phases: [] })
})

t.test('3.2 whois: a stripe_id that stays, and what is known on request', async t => {
  const org = await newOrg()
  const sent = { email: 'a@b.example', name: 'Acme', description: 'Big', phone: '+1', metadata: { tier: 'gold' } }
  t.strictSame(await info(org, sent), {})
  const { stripe_id: id, ...bare } = await api.whois(org)
  t.strictSame(bare, { org })
  t.type(id, 'string')
  t.strictSame(await api.whois(org, { include: 'info' }), {
    org, stripe_id: id, ...sent, created: '2024-01-01T00:00:00.000Z', payment_method: '', invoice_settings: { default_payment_method: '' }
  })
  await api.subscribe(org, 'plan:free@0')
  t.equal((await api.whois(org)).stripe_id, id)
  const twice = await api.send({ method: 'GET', url: `/v1/whois?org=${org}&include=info&include=info` })
  t.hasStrict(twice.body, { name: 'Acme' }, 'include may be repeated')
})

t.test('3.2 info: empty texts and nulls change nothing, metadata is merged, an empty value deletes its key', async t => {
  const org = await newOrg()
  await info(org, { name: 'Acme', email: 'a@b.example', metadata: { a: '1', b: '2' } })
  await info(org, { name: '', email: null, metadata: { a: '', c: '3' } })
  await info(org, { metadata: null })
  const { name, email, metadata } = await api.whois(org, { include: 'info' })
  t.strictSame([name, email, metadata], ['Acme', 'a@b.example', { b: '2', c: '3' }])
})

t.test('3.2 info: what is refused leaves what was known', async t => {
  const org = await newOrg()
  await info(org, { name: 'Acme', metadata: { a: '1' } })
  t.hasStrict(await info(org, { email: 'nobody' }), { status: 400, code: 'invalid_email', message: 'invalid email' })
  t.hasStrict(await info(org, { name: 'New', metadata: { 'tier.x': '1' } }), { status: 400, code: 'invalid_metadata' })
  t.hasStrict(await info(org, { name: 'x'.repeat(1_001) }), { status: 400, code: 'invalid_request' })
  t.hasStrict(await info(org, { metadata: { a: 1 } }), { status: 400, errors: [{ pointer: '/info/metadata/a' }] })
  t.hasStrict(await info(org, { nickname: 'x' }), { status: 400, errors: [{ pointer: '/info/nickname', detail: 'unknown field "nickname"' }] })
  const { name, metadata } = await api.whois(org, { include: 'info' })
  t.strictSame([name, metadata], ['Acme', { a: '1' }])
})

t.test('3.2 info is stored also where the phases are refused, and neither makes no org', async t => {
  const org = await newOrg()
  for (const body of [{ org }, { org, phases: [] }]) t.strictSame((await api.post('/v1/subscribe', body)).body, {})
  t.hasStrict(await api.whois(org), { code: 'org_not_found' })
  const { body } = await api.post('/v1/subscribe', { org, info: { name: 'Acme' }, phases: [{ features: ['plan:nope@0'] }] })
  t.hasStrict(body, { status: 400, code: 'TERR1020', message: 'feature or plan not found' })
  t.equal((await api.whois(org, { include: 'info' })).name, 'Acme')
  const cancelled = await newOrg()
  t.strictSame(await api.subscribe(cancelled, {}), {}, 'cancelling what was never held is fine')
  t.equal((await api.whois(cancelled)).org, cancelled)
})

t.test('3.2 whoami says which environment the key opens', async t => {
  const { created, ...shown } = (await api.get('/v1/whoami')).body
  t.strictSame(shown, { id: 'test', email: '', key_source: 'none', isolated: true, url: '' })
  t.match(created, /^20.*Z$/)
})

t.end()
