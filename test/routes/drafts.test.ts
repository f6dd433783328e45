import t from 'tap'
import { type Body, openApi, type Reply } from '../fixtures/api.ts'
import { everyPage, NOT_CURSORS } from '../fixtures/pages.ts'

const api = await openApi(t)
const elsewhere = await api.as('prv_elsewhere_0123456789abcdef')
const calls = (upto: number): Body => ({ 'feature:calls': { tiers: [{ upto }] } })

const at = (plan: string, verb = ''): string => `/v1/plans/${encodeURIComponent(plan)}${verb}`
const put = async (plan: string, payload: Body): Promise<Body> => (await api.send({ method: 'PUT', url: at(plan), payload })).body
const read = async (plan: string): Promise<Body> => (await api.get(at(plan))).body
const publish = async (plan: string): Promise<Body> => (await api.send({ method: 'POST', url: at(plan, '/publish') })).body
const archive = async (plan: string): Promise<Body> => (await api.send({ method: 'POST', url: at(plan, '/archive') })).body
const remove = async (plan: string): Promise<Reply> => await api.send({ method: 'DELETE', url: at(plan) })

t.test('a draft is created from a document, read in its form, and replaced as often as its owner likes', async t => {
  const document = { title: 'Pro', currency: 'eur', interval: '@yearly', addon: true, anchor: 'calendar', features: calls(10) }
  const created = (await api.post('/v1/plans', { plans: { 'plan:pro@1': document } })).body
  const { createdAt, updatedAt, ...rest } = created
  t.strictSame(rest, { plan: 'plan:pro@1', status: 'draft', ...document })
  t.strictSame(await read('plan:pro@1'), created)
  const replaced = async (document: Body): Promise<Body> => {
    const { updatedAt: at, ...rest } = await put('plan:pro@1', document)
    t.ok(at >= updatedAt, 'it was updated')
    return rest
  }
  t.strictSame(await replaced({ features: calls(20) }),
    { plan: 'plan:pro@1', status: 'draft', createdAt, title: 'plan:pro@1', features: calls(20) }, 'what is left out is reset')
  t.strictSame(await replaced({ features: { 'feature:other': {} } }),
    { plan: 'plan:pro@1', status: 'draft', createdAt, title: 'plan:pro@1', features: { 'feature:other': {} } })
  t.hasStrict(await put('plan:pro@2', { features: calls(1) }), { plan: 'plan:pro@2', status: 'draft' }, 'put also creates')
})

t.test('a draft is held by nobody, and is not pulled', async t => {
  await put('plan:secret@0', { features: calls(10) })
  const refused = { status: 400, code: 'plan_unavailable', message: 'plan:secret@0 is a draft: publish it first' }
  t.hasStrict(await api.subscribe('org:a', 'plan:secret@0'), { ...refused, errors: [{ pointer: '/phases/0/features/0' }] })
  t.hasStrict(await api.subscribe('org:a', 'feature:calls@plan:secret@0'), refused)
  t.hasStrict(await api.settings({ defaultPlan: 'plan:secret@0' }), { ...refused, errors: [{ pointer: '/defaultPlan' }] })
  t.hasStrict((await api.post('/v1/checkout', { org: 'org:a', features: ['plan:secret@0'], success_url: 'https://a.example' })).body,
    { ...refused, errors: [{ pointer: '/features/0' }] })
  t.hasStrict(await api.whois('org:a'), { code: 'org_not_found' }, 'nothing was stored')
  t.notOk('plan:secret@0' in (await api.pull()).plans)
})

t.test('a draft that was refused, changed, then published counts as it was published', async t => {
  await put('plan:late@0', { features: calls(10) })
  await api.subscribe('org:late', 'plan:late@0')
  await read('plan:late@0')
  await put('plan:late@0', { features: calls(77) })
  t.hasStrict(await publish('plan:late@0'), { status: 'published', features: calls(77) })
  t.strictSame(await api.subscribe('org:late', 'plan:late@0'), {})
  t.hasStrict(await api.can('org:late', 'feature:calls'), { limit: 77 }, 'no draft was remembered')
  t.strictSame((await api.pull()).plans['plan:late@0'].features, calls(77))
})

t.test('a published plan never changes: it is neither replaced, created anew nor deleted', async t => {
  await api.push({ 'plan:fixed@0': { features: calls(10) } })
  const before = await read('plan:fixed@0')
  const refused = { status: 409, code: 'plan_conflict', errors: [{ pointer: '?plan' }] }
  t.hasStrict(await put('plan:fixed@0', { features: calls(99) }),
    { ...refused, message: 'plan:fixed@0 is published, and never changes: create another version' })
  t.hasStrict((await remove('plan:fixed@0')).body,
    { ...refused, message: 'plan:fixed@0 is published, and somebody may hold it: archive it instead' })
  t.hasStrict((await api.post('/v1/plans', { plans: { 'plan:fixed@0': { features: calls(1) } } })).body,
    { ...refused, message: 'plan:fixed@0 exists already: it is published', errors: [{ pointer: '/plans/plan:fixed@0' }] })
  await archive('plan:fixed@0')
  t.hasStrict(await put('plan:fixed@0', { features: calls(99) }), refused, 'nor once it is archived')
  t.hasStrict((await remove('plan:fixed@0')).body, refused)
  const { updatedAt, ...after } = await read('plan:fixed@0')
  t.ok(updatedAt >= before.updatedAt)
  t.strictSame({ ...after, updatedAt: before.updatedAt }, { ...before, status: 'archived' })
})

t.test('create refuses what exists, also as a draft; a push leaves a draft as it is', async t => {
  await put('plan:mine@0', { features: calls(10) })
  t.hasStrict((await api.post('/v1/plans', { plans: { 'plan:mine@0': { features: calls(1) } } })).body,
    { status: 409, code: 'plan_conflict', message: 'plan:mine@0 exists already: it is a draft' })
  t.hasStrict(await api.push({ 'plan:mine@0': { features: calls(1) } }), { results: [{ status: 'failed', reason: 'plan already exists' }] })
  t.hasStrict(await read('plan:mine@0'), { status: 'draft', features: calls(10) })
})

t.test('publishing twice is publishing once', async t => {
  await put('plan:twice@0', { features: calls(10) })
  const answers = await Promise.all([publish('plan:twice@0'), publish('plan:twice@0'), publish('plan:twice@0')])
  for (const answer of answers) t.hasStrict(answer, { plan: 'plan:twice@0', status: 'published' })
})

t.test('an archived plan takes no new subscription; who holds it keeps it, also through other changes', async t => {
  await api.push({ 'plan:old@0': { features: calls(10) }, 'plan:extra@0': { addon: true, features: calls(5) } })
  await api.subscribe('org:loyal', 'plan:old@0')
  await api.subscribe('org:soon', { features: ['plan:old@0'], effective: '2999-01-01' })
  t.hasStrict(await archive('plan:old@0'), { plan: 'plan:old@0', status: 'archived' })
  t.hasStrict(await archive('plan:old@0'), { status: 'archived' }, 'twice is once')

  const refused = { status: 400, code: 'plan_unavailable', message: 'plan:old@0 is archived: it takes no new subscriptions' }
  t.hasStrict(await api.subscribe('org:new', 'plan:old@0'), { ...refused, errors: [{ pointer: '/phases/0/features/0' }] })
  t.hasStrict(await api.subscribe('org:new', { features: ['plan:extra@0'] }, { features: ['plan:old@0'], effective: '2998-01-01' }),
    { ...refused, errors: [{ pointer: '/phases/1/features/0' }] })
  t.hasStrict(await api.settings({ defaultPlan: 'plan:old@0' }), { ...refused, errors: [{ pointer: '/defaultPlan' }] })
  const buy = async (org: string): Promise<Body> =>
    (await api.post('/v1/checkout', { org, features: ['plan:old@0'], success_url: 'https://a.example' })).body
  t.hasStrict(await buy('org:new'), { ...refused, errors: [{ pointer: '/features/0' }] })
  t.type((await buy('org:loyal')).url, 'string')
  t.notOk('plan:old@0' in (await api.pull()).plans)

  t.strictSame(await api.subscribe('org:loyal', 'plan:old@0', 'plan:extra@0'), {})
  t.hasStrict(await api.can('org:loyal', 'feature:calls'), { limit: 15 })
  t.strictSame(await api.subscribe('org:soon', { features: ['plan:old@0'], effective: '2998-01-01' }), {}, 'who is to hold it may have it earlier')
  await api.subscribe('org:loyal', 'plan:extra@0')
  t.hasStrict(await api.subscribe('org:loyal', 'plan:old@0'), refused, 'who gave it up does not get it back')

  t.hasStrict(await publish('plan:old@0'), { status: 'published' })
  t.strictSame(await api.subscribe('org:new', 'plan:old@0'), {}, 'published again, it is available again')
})

t.test('the plan to which new orgs are subscribed is not archived', async t => {
  await api.push({ 'plan:welcome@0': { features: calls(10) } })
  await api.settings({ defaultPlan: 'plan:welcome@0' })
  t.hasStrict(await archive('plan:welcome@0'), {
    status: 409, code: 'plan_conflict', message: 'plan:welcome@0 is the default plan of test: choose another one first', errors: [{ pointer: '?plan' }]
  })
  await api.settings({})
  t.hasStrict(await archive('plan:welcome@0'), { status: 'archived' })
})

t.test('a draft that is deleted is gone, and its name is free', async t => {
  await put('plan:gone@0', { features: calls(10) })
  t.hasStrict(await archive('plan:gone@0'), { status: 409, code: 'plan_conflict', message: 'plan:gone@0 is a draft, which nobody can hold: delete it instead' })
  const { status, body } = await remove('plan:gone@0')
  t.strictSame([status, body], [200, {}])
  const missing = { status: 404, code: 'not_found', message: 'there is no plan:gone@0', errors: [{ pointer: '?plan' }] }
  for (const answer of [await read('plan:gone@0'), await publish('plan:gone@0'), await archive('plan:gone@0'), (await remove('plan:gone@0')).body]) {
    t.hasStrict(answer, missing)
  }
  t.hasStrict(await api.push({ 'plan:gone@0': { features: calls(1) } }), { results: [{ reason: 'created' }] })
})

t.test('plans are listed by name and version, in pages that go on where they ended', async t => {
  await elsewhere.push(Object.fromEntries(['b@1', 'a@2', 'a@10', 'c@0'].map(name => [`plan:${name}`, { features: calls(1) }])))
  let added = 0
  const pages = await everyPage(elsewhere, '/v1/plans', 'plans', { limit: '1' }, async () => {
    added += 1
    if (added < 4) await elsewhere.push({ [`plan:a@1${added}`]: { features: calls(1) }, [`plan:0@${added}`]: { features: calls(1) } })
  })
  t.strictSame(pages.map(page => page.length).filter(length => length !== 1), [])
  const listed = pages.flat().map(({ plan }) => plan)
  t.equal(new Set(listed).size, listed.length, 'none comes twice')
  for (const plan of ['plan:a@10', 'plan:a@2', 'plan:b@1', 'plan:c@0']) t.ok(listed.includes(plan), plan)
  t.strictSame(listed, [...listed].sort(), 'in order')
})

t.test('a list is chosen by status, name, feature and kind', async t => {
  const other = await api.as('prv_chosen_0123456789abcdef')
  await other.push({
    'plan:base@1': { features: calls(1) },
    'plan:base@2': { features: { 'feature:sso': {} } },
    'plan:boost@1': { addon: true, features: calls(1) }
  })
  await other.send({ method: 'PUT', url: at('plan:base@3'), payload: { features: calls(1) } })
  await other.send({ method: 'POST', url: at('plan:base@1', '/archive') })
  const listed = async (query: Record<string, string>): Promise<string[]> =>
    (await other.get('/v1/plans', query)).body.plans.map(({ plan }: Body) => plan)
  t.strictSame(await listed({}), ['plan:base@1', 'plan:base@2', 'plan:base@3', 'plan:boost@1'])
  t.strictSame(await listed({ status: 'draft' }), ['plan:base@3'])
  t.strictSame(await listed({ status: 'published' }), ['plan:base@2', 'plan:boost@1'])
  t.strictSame(await listed({ status: 'archived' }), ['plan:base@1'])
  t.strictSame(await listed({ name: 'plan:base' }), ['plan:base@1', 'plan:base@2', 'plan:base@3'])
  t.strictSame(await listed({ feature: 'feature:calls' }), ['plan:base@1', 'plan:base@3', 'plan:boost@1'])
  t.strictSame(await listed({ feature: 'feature:nope' }), [])
  t.strictSame(await listed({ addon: 'true' }), ['plan:boost@1'])
  t.strictSame(await listed({ addon: 'false', name: 'plan:base', status: 'published', feature: 'feature:sso' }), ['plan:base@2'])
})

t.test('environments do not see each other\'s plans', async t => {
  await put('plan:private@0', { features: calls(10) })
  for (const [method, verb] of [['GET', ''], ['DELETE', ''], ['POST', '/publish'], ['POST', '/archive']] as const) {
    t.hasStrict((await elsewhere.send({ method, url: at('plan:private@0', verb) })).body, { status: 404, code: 'not_found' }, `${method} ${verb}`)
  }
  t.hasStrict(await read('plan:private@0'), { status: 'draft' })
})

t.test('a document that makes no sense is refused, naming every bad place, and nothing is stored', async t => {
  const before = await api.rows()
  const bad = { color: 'red', features: { 'feature:a': { tiers: [{ upto: 0 }] }, c: {} } }
  t.strictSame((await put('plan:bad@0', bad)).errors, [
    { pointer: '/color', detail: 'unknown field "color"' },
    { pointer: '/features/feature:a/tiers/0/upto', detail: 'features["feature:a"].tiers[0]: upto must be greater than zero' },
    { pointer: '/features/c', detail: "feature name must start with 'feature:'" }
  ])
  t.hasStrict(await put('plan:bad@0', {}), { status: 400, errors: [{ pointer: '/features', detail: 'plans must have at least one feature' }] })
  t.hasStrict(await put('plan:bad@0', { interval: '@hourly', features: calls(1) }), { status: 400, code: 'invalid_request', message: 'unknown interval: "@hourly"' })
  const document = (plans: unknown): unknown => ({ plans })
  const posts: Array<[unknown, string]> = [
    [document({}), '/plans'], [document({ 'plan:x@0': { features: calls(1) }, 'plan:x@1': { features: calls(1) } }), '/plans'],
    [document({ 'x@0': { features: calls(1) } }), '/plans/x@0'], [document([]), '/plans'], [{ plan: {} }, '/plan'],
    [document({ 'plan:a/b@0': { features: { 'feature:a': { tiers: [{ price: 0.1111111111111 }] } } } }), '/plans/plan:a~1b@0']
  ]
  for (const [body, pointer] of posts) {
    t.hasStrict((await api.post('/v1/plans', body)).body, { status: 400, code: 'invalid_request', errors: [{ pointer }] }, JSON.stringify(body))
  }
  for (const payload of ['[]', '1', 'null', '']) {
    const { body } = await api.send({ method: 'PUT', url: at('plan:bad@0'), payload, headers: { 'content-type': 'application/json' } })
    t.hasStrict(body, { status: 400, code: 'invalid_request' }, payload)
  }
  t.strictSame(await api.rows(), before)
})

t.test('ids and queries that make no sense are refused, naming the place', async t => {
  for (const plan of ['plan:x', 'x@1', 'plan:@1', 'plan:a b@1', 'plan:x@', 'plan:x@é', 'plan:%00@1'.replace('%00', '\0'), 'plan:\u202e@1']) {
    for (const [method, verb] of [['GET', ''], ['PUT', ''], ['DELETE', ''], ['POST', '/publish'], ['POST', '/archive']] as const) {
      const { body } = await api.send({ method, url: at(plan, verb), ...(method === 'PUT' && { payload: { features: calls(1) } }) })
      t.hasStrict(body, { status: 400, code: 'invalid_request', errors: [{ pointer: '?plan' }] }, `${method} ${plan}${verb}`)
    }
  }
  const queries: Array<[Record<string, string>, string]> = [
    [{ status: 'live' }, '?status'], [{ name: 'pro' }, '?name'], [{ name: 'plan:pro@1' }, '?name'], [{ name: 'plan:\0' }, '?name'],
    [{ feature: 'calls' }, '?feature'], [{ addon: 'yes' }, '?addon'], [{ limit: '501' }, '?limit'], [{ org: 'org:a' }, '?org'],
    ...NOT_CURSORS.map(cursor => [{ cursor }, '?cursor'] as [Record<string, string>, string])
  ]
  for (const [query, pointer] of queries) {
    t.hasStrict((await api.get('/v1/plans', query)).body, { status: 400, code: 'invalid_request', errors: [{ pointer }] }, JSON.stringify(query))
  }
})

t.end()
