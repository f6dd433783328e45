import t from 'tap'
import { type Body, openApi } from '../fixtures/api.ts'
import { everyPage, NOT_CURSORS } from '../fixtures/pages.ts'
import { ask } from '../storage/ledger-fixture.ts'

const api = await openApi(t)
await api.on('2024-01-01')
await api.push({
  'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] }, 'feature:sso': {} } },
  'plan:pro@1': { features: { 'feature:calls': { tiers: [{ upto: 100 }] }, 'feature:volume': { tiers: [{}] } } }
})

let environments = 0
/** An environment of the test's own, with the plans above. */
async function elsewhere (): Promise<typeof api> {
  environments += 1
  const other = await api.as(`prv_other${environments}_0123456789abcdef`)
  await other.push((await api.pull()).plans)
  await other.on('2024-01-01')
  return other
}

const at = (org: string): string => `/v1/orgs/${encodeURIComponent(org)}`
const patch = async (org: string, payload: Body): Promise<Body> => (await api.send({ method: 'PATCH', url: at(org), payload })).body
const remove = async (org: string, confirm = org): Promise<Body> =>
  (await api.send({ method: 'DELETE', url: `${at(org)}?confirm=${encodeURIComponent(confirm)}` })).body
const names = (orgs: Body[]): string[] => orgs.map(({ org }) => org)

t.test('an org is read as it is: what is known of it, what it holds now, what it will hold', async t => {
  await api.on('2024-01-01')
  await api.subscribe('org:read', { features: ['plan:free@0', 'feature:volume@plan:pro@1'] }, { features: ['plan:pro@1'], effective: '2024-03-01' })
  await api.post('/v1/subscribe', { org: 'org:read', info: { name: 'Read', email: 'a@b.example', metadata: { a: '1' } } })
  const { body } = await api.get(at('org:read'))
  const first = (body.subscriptions as Body[])[0]?.id
  const subscription = (n: number, plan: string, feature: string | null, startsAt: string, endsAt: string | null): Body => ({
    id: first + n, org: 'org:read', plan, feature, status: 'active', startsAt, endsAt, anchorAt: '2024-01-01T00:00:00.000Z', timeZone: 'UTC'
  })
  t.strictSame(body, {
    org: 'org:read',
    timeZone: 'UTC',
    createdAt: '2024-01-01T00:00:00.000Z',
    info: { email: 'a@b.example', name: 'Read', metadata: { a: '1' } },
    plans: ['feature:volume@plan:pro@1', 'plan:free@0'],
    subscriptions: [
      subscription(0, 'plan:free@0', null, '2024-01-01T00:00:00.000Z', '2024-03-01T00:00:00.000Z'),
      subscription(1, 'plan:pro@1', 'feature:volume', '2024-01-01T00:00:00.000Z', '2024-03-01T00:00:00.000Z'),
      subscription(2, 'plan:pro@1', null, '2024-03-01T00:00:00.000Z', null)
    ]
  })
  await api.on('2024-03-02')
  t.hasStrict((await api.get(at('org:read'))).body, { plans: ['plan:pro@1'], subscriptions: [{ id: first + 2 }] }, 'what is over is left out')
})

t.test('strange ids are ids in a path, too', async t => {
  for (const org of ['org:auth0|5f7c', 'org:a/b', 'org:请求', 'org:a b', 'org:%41', `org:${'ü'.repeat(255)}`, 'org:..', 'org:a?b#c']) {
    await api.subscribe(org, 'plan:free@0')
    t.equal((await api.get(at(org))).body.org, org)
    t.strictSame(await remove(org), {}, org)
  }
})

t.test('orgs are listed by age, in pages that go on where they ended, whatever comes and goes', async t => {
  const other = await elsewhere()
  for (const org of ['org:c', 'org:a', 'org:b', 'org:d']) await other.subscribe(org, 'plan:free@0')
  let added = 0
  const pages = await everyPage(other, '/v1/orgs', 'orgs', { limit: '1' }, async ([last]) => {
    added += 1
    if (added > 3) return
    await other.subscribe(`org:new${added}`, 'plan:free@0')
    await other.send({ method: 'DELETE', url: `${at(last?.org)}?confirm=${last?.org}` })
  })
  t.strictSame(names(pages.flat()), ['org:c', 'org:a', 'org:b', 'org:d', 'org:new1', 'org:new2', 'org:new3'])
  t.ok(pages.every(page => page.length === 1))
  const { body } = await other.get('/v1/orgs')
  t.strictSame(body.orgs[0], { org: 'org:d', timeZone: 'UTC', createdAt: '2024-01-01T00:00:00.000Z', info: {}, plans: ['plan:free@0'] })
  t.equal(body.nextCursor, null)
})

t.test('a prefix chooses orgs by their id, in its order', async t => {
  const other = await elsewhere()
  const orgs = ['org:b', 'org:ab', 'org:a', 'org:a\u{10FFFD}', 'org:a\u{10FFFF}', 'org:aé', 'org:a%', 'org:a_', 'org:A', 'org:a\uD7FF', 'org:ac']
  for (const org of orgs) await other.subscribe(org, 'plan:free@0')
  const listed = async (prefix: string): Promise<string[]> => names((await everyPage(other, '/v1/orgs', 'orgs', { prefix, limit: '2' })).flat())
  const inOrder = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
  for (const prefix of ['org:', 'org:a', 'org:ab', 'org:a%', 'org:a_', 'org:a\u{10FFFF}', 'org:a\uD7FF', 'org:A', 'org:z']) {
    t.strictSame(await listed(prefix), orgs.filter(org => org.startsWith(prefix)).sort(inOrder), prefix)
  }
})

t.test('a plan or a feature chooses who holds it now', async t => {
  const other = await elsewhere()
  await other.subscribe('org:free', 'plan:free@0')
  await other.subscribe('org:pro', 'plan:pro@1')
  await other.subscribe('org:part', 'feature:volume@plan:pro@1')
  await other.subscribe('org:both', 'plan:free@0', 'plan:pro@1')
  await other.subscribe('org:later', { features: ['plan:free@0'] }, { features: ['plan:pro@1'], effective: '2024-06-01' })
  await other.subscribe('org:left', 'plan:pro@1')
  await other.on('2024-02-01')
  await other.subscribe('org:left', {})
  const listed = async (query: Record<string, string>): Promise<string[]> =>
    names((await everyPage(other, '/v1/orgs', 'orgs', { limit: '1', ...query })).flat())
  t.strictSame(await listed({ plan: 'plan:pro@1' }), ['org:pro', 'org:both'])
  t.strictSame(await listed({ plan: 'plan:free@0' }), ['org:free', 'org:both', 'org:later'])
  t.strictSame(await listed({ feature: 'feature:calls' }), ['org:free', 'org:pro', 'org:both', 'org:later'])
  t.strictSame(await listed({ feature: 'feature:volume' }), ['org:pro', 'org:part', 'org:both'])
  t.strictSame(await listed({ feature: 'feature:calls', plan: 'plan:pro@1' }), ['org:pro', 'org:both'])
  t.strictSame(await listed({ feature: 'feature:calls', prefix: 'org:l' }), ['org:later'])
  t.strictSame(await listed({ plan: 'plan:nope@1' }), [])
  t.strictSame(await listed({ feature: 'feature:nope' }), [])
  await other.on('2024-06-02')
  t.strictSame(await listed({ plan: 'plan:pro@1' }), ['org:pro', 'org:both', 'org:later'])
})

t.test('environments do not see each other\'s orgs', async t => {
  const [one, two] = [await elsewhere(), await elsewhere()]
  await one.subscribe('org:mine', 'plan:free@0')
  t.strictSame(names((await two.get('/v1/orgs')).body.orgs), [])
  t.hasStrict((await two.get(at('org:mine'))).body, { status: 404, code: 'not_found' })
  t.hasStrict((await two.send({ method: 'DELETE', url: `${at('org:mine')}?confirm=org:mine` })).body, { status: 404 })
  t.equal((await one.get(at('org:mine'))).body.org, 'org:mine')
})

t.test('a new time zone counts from now: the window under way is cut, past ones and what they were stay', async t => {
  await api.on('2024-01-15')
  await api.subscribe('org:moves', 'plan:free@0')
  await api.report('org:moves', 'feature:calls', 3)
  await api.on('2024-02-20')
  await api.report('org:moves', 'feature:calls', 4)
  const windows = ({ current, past }: Body): unknown[] => [current, ...past].map(({ start, end, used }: Body) => [start, end, used])
  const before = windows(await api.usage('org:moves', 'feature:calls'))
  t.hasStrict(await patch('org:moves', { timeZone: 'america/new_york' }), {
    timeZone: 'America/New_York', plans: ['plan:free@0'], subscriptions: [{ timeZone: 'America/New_York', startsAt: '2024-02-20T00:00:00.000Z' }]
  })
  t.strictSame(windows(await api.usage('org:moves', 'feature:calls')), [
    ['2024-02-20T00:00:00.000Z', '2024-03-14T23:00:00.000Z', 0],
    ['2024-02-15T00:00:00.000Z', '2024-02-20T00:00:00.000Z', 4],
    ...before.slice(1)
  ], 'New York\'s clocks went forward on 10 March')
  const first = await patch('org:moves', { timeZone: 'America/New_York' })
  t.strictSame(await patch('org:moves', { timeZone: 'America/New_York' }), first, 'the same zone again changes nothing')
  await api.subscribe('org:moves', { features: ['plan:pro@1'] })
  t.hasStrict((await api.get(at('org:moves'))).body.subscriptions, [{ plan: 'plan:pro@1', timeZone: 'America/New_York' }], 'and holds for what comes')
})

t.test('a time zone that is none is refused', async t => {
  await api.subscribe('org:zone', 'plan:free@0')
  for (const timeZone of ['', 'Mars/Olympus', '+01:00', 'Europe/Berlin\0', 'x'.repeat(65), '\ud800', null, 1]) {
    const payload = JSON.stringify({ timeZone })
    const { body } = await api.send({ method: 'PATCH', url: at('org:zone'), payload, headers: { 'content-type': 'application/json' } })
    t.hasStrict(body, { status: 400, code: 'invalid_request', errors: [{ pointer: '/timeZone' }] }, payload)
  }
  t.hasStrict(await patch('org:zone', {}), { status: 400, errors: [{ pointer: '/timeZone' }] })
  t.hasStrict(await patch('org:zone', { timeZone: 'UTC', name: 'x' }), { status: 400, errors: [{ pointer: '/name' }] })
  t.equal((await api.get(at('org:zone'))).body.timeZone, 'UTC')
})

t.test('an org is deleted once its id is given again, and not otherwise', async t => {
  await api.subscribe('org:delete', 'plan:free@0')
  const before = await api.rows()
  const refused = {
    status: 400,
    code: 'invalid_request',
    errors: [{ pointer: '?confirm', detail: 'confirm must be the id of the org again: it is deleted with everything it has used' }]
  }
  for (const query of ['', '?confirm=', '?confirm=org:other', '?confirm=true', '?confirm=org:delete%20']) {
    t.hasStrict((await api.send({ method: 'DELETE', url: at('org:delete') + query })).body, refused, query)
  }
  t.hasStrict((await api.send({ method: 'DELETE', url: `${at('org:delete')}?confirm=org:delete&confirm=org:delete` })).body, { status: 400 })
  t.strictSame(await api.rows(), before)
  t.strictSame(await remove('org:delete'), {})
  t.hasStrict(await remove('org:delete'), { status: 404, code: 'not_found', message: 'there is no org:delete', errors: [{ pointer: '?org' }] })
  t.notOk(names((await api.get('/v1/orgs', { prefix: 'org:d' })).body.orgs).includes('org:delete'))
  t.notOk(names((await api.get('/v1/orgs', { plan: 'plan:free@0' })).body.orgs).includes('org:delete'))
})

t.test('its name, address and metadata go at once', async t => {
  await api.post('/v1/subscribe', { org: 'org:person', info: { name: 'A Person', email: 'a@b.example' } })
  const holders = async (): Promise<unknown[]> =>
    await ask(api.database, "select name from orgs where info::text like '%Person%' or name like '%person%'")
  t.strictSame(await holders(), ['org:person'])
  await remove('org:person')
  t.strictSame(await holders(), [])
})

t.test('ids and queries that make no sense are refused, naming the place', async t => {
  for (const org of ['x', 'org:', 'org: a', 'org:\0', 'org:\u202e', `org:${'x'.repeat(256)}`, 'deleted:1']) {
    for (const method of ['GET', 'PATCH', 'DELETE'] as const) {
      const { body } = await api.send({ method, url: at(org), ...(method === 'PATCH' && { payload: { timeZone: 'UTC' } }) })
      t.hasStrict(body, { status: 400, errors: [{ pointer: '?org' }] }, `${method} ${org}`)
    }
  }
  const missing = { status: 404, code: 'not_found', errors: [{ pointer: '?org' }] }
  t.hasStrict((await api.get(at('org:nobody'))).body, missing)
  t.hasStrict(await patch('org:nobody', { timeZone: 'UTC' }), missing)
  await api.settings({ defaultPlan: 'plan:free@0' })
  t.hasStrict((await api.get(at('org:nobody'))).body, missing, 'a default plan makes no org before something is reported for it')
  await api.settings({})
  const queries: Array<[Record<string, string>, string]> = [
    [{ prefix: 'a' }, '?prefix'], [{ prefix: 'org' }, '?prefix'], [{ prefix: '' }, '?prefix'], [{ prefix: 'org:\0' }, '?prefix'],
    [{ prefix: 'org:\u202e' }, '?prefix'], [{ prefix: `org:${'x'.repeat(256)}` }, '?prefix'], [{ plan: 'pro' }, '?plan'], [{ plan: 'plan:pro' }, '?plan'],
    [{ feature: 'calls' }, '?feature'], [{ feature: 'feature:\0' }, '?feature'], [{ limit: '0' }, '?limit'], [{ limit: '501' }, '?limit'],
    [{ status: 'active' }, '?status'],
    ...NOT_CURSORS.flatMap(cursor => [[{ cursor }, '?cursor'], [{ cursor, prefix: 'org:' }, '?cursor']] as Array<[Record<string, string>, string]>)
  ]
  for (const [query, pointer] of queries) {
    t.hasStrict((await api.get('/v1/orgs', query)).body, { status: 400, code: 'invalid_request', errors: [{ pointer }] }, JSON.stringify(query))
  }
  const far = Buffer.from(JSON.stringify(['orgs', Number.MAX_SAFE_INTEGER])).toString('base64url')
  t.strictSame((await api.get('/v1/orgs', { cursor: far })).body, { orgs: [], nextCursor: null }, 'past the last key there can be')
})

t.end()
