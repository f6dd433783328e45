import t from 'tap'
import { type Body, openApi } from '../fixtures/api.ts'
import { everyPage, NOT_CURSORS } from '../fixtures/pages.ts'

const api = await openApi(t)
const elsewhere = await api.as('prv_elsewhere_0123456789abcdef')
const calls = { 'feature:calls': { tiers: [{ upto: 10 }] } }
await api.push({
  'plan:free@0': { features: { ...calls, 'feature:sso': {} } },
  'plan:pro@1': { features: { ...calls, 'feature:sso': { type: 'metered' }, 'feature:a/b': {} } }
})
await elsewhere.push({ 'plan:other@0': { features: { 'feature:other': {} } } })

const names = (features: Body[]): string[] => features.map(({ feature }) => feature)

t.test('features are listed by name, each with its types and the plans that name it', async t => {
  const { body } = await api.get('/v1/features')
  t.strictSame(body.features.map(({ createdAt, ...rest }: Body) => rest), [
    { feature: 'feature:a/b', types: ['boolean'], plans: ['plan:pro@1'], planCount: 1, onOutage: 'lastKnown' },
    { feature: 'feature:calls', types: ['metered'], plans: ['plan:free@0', 'plan:pro@1'], planCount: 2, onOutage: 'lastKnown' },
    { feature: 'feature:sso', types: ['boolean', 'metered'], plans: ['plan:free@0', 'plan:pro@1'], planCount: 2, onOutage: 'lastKnown' }
  ])
  t.equal(body.nextCursor, null)
})

t.test('one feature is read by its name, whatever characters that has', async t => {
  const { body } = await api.get(`/v1/features/${encodeURIComponent('feature:a/b')}`)
  t.hasStrict(body, { feature: 'feature:a/b', types: ['boolean'], plans: ['plan:pro@1'] })
})

t.test('what is answered of a feature during an outage can be said, and is shown', async t => {
  const patch = async (feature: string, payload: Body, from = api): Promise<Body> =>
    (await from.send({ method: 'PATCH', url: `/v1/features/${encodeURIComponent(feature)}`, payload })).body
  t.hasStrict(await patch('feature:a/b', { onOutage: 'open' }), { feature: 'feature:a/b', onOutage: 'open', planCount: 1 })
  t.hasStrict((await api.get(`/v1/features/${encodeURIComponent('feature:a/b')}`)).body, { onOutage: 'open' })
  t.hasStrict(await patch('feature:a/b', { onOutage: 'lastKnown' }), { onOutage: 'lastKnown' })
  t.hasStrict(await patch('feature:calls', { onOutage: 'closed' }, elsewhere), { status: 404, code: 'not_found', errors: [{ pointer: '?feature' }] })
  t.hasStrict(await patch('feature:calls', { onOutage: 'ajar' }), { status: 400, errors: [{ pointer: '/onOutage' }] })
  t.hasStrict(await patch('feature:calls', {}), { status: 400, errors: [{ pointer: '/onOutage' }] })
  t.hasStrict((await api.get('/v1/features/feature:calls')).body, { onOutage: 'lastKnown' })
})

t.test('a plan chooses its features; one that does not exist has none', async t => {
  const of = async (plan: string): Promise<string[]> => names((await api.get('/v1/features', { plan })).body.features)
  t.strictSame(await of('plan:free@0'), ['feature:calls', 'feature:sso'])
  t.strictSame(await of('plan:nope@0'), [])
})

t.test('environments do not see each other\'s features', async t => {
  t.strictSame(names((await elsewhere.get('/v1/features')).body.features), ['feature:other'])
  t.hasStrict((await elsewhere.get('/v1/features/feature:calls')).body, { status: 404, code: 'not_found' })
})

t.test('pages go on where they ended, whatever is added meanwhile', async t => {
  let added = 0
  const pages = await everyPage(api, '/v1/features', 'features', { limit: '1' }, async ([last]) => {
    added += 1
    if (added < 4) await api.push({ [`plan:added@${added}`]: { features: { [`feature:${'0'.repeat(added)}`]: {}, [`${last?.feature}+`]: {} } } })
  })
  const listed = names(pages.flat())
  t.ok(pages.every(page => page.length === 1))
  t.equal(new Set(listed).size, listed.length, 'none comes twice')
  for (const name of ['feature:a/b', 'feature:calls', 'feature:sso']) t.ok(listed.includes(name), `${name} is not left out`)
  t.notOk(listed.includes('feature:0'), 'what comes before a page that was read is not in a later one')
})

t.test('a feature of very many plans names the first hundred, and counts them all', async t => {
  await api.push(Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`plan:many@${1000 + i}`, { features: { 'feature:many': {} } }])))
  const { body } = await api.get('/v1/features/feature:many')
  t.strictSame([body.plans.length, body.plans[0], body.plans[99], body.planCount], [100, 'plan:many@1000', 'plan:many@1099', 120])
})

t.test('what makes no sense is refused, naming the place', async t => {
  const refusals: Array<[url: string, status: number, code: string, pointer: string]> = [
    ['/v1/features/feature:nope', 404, 'not_found', '?feature'],
    ['/v1/features/nope', 400, 'invalid_request', '?feature'],
    ['/v1/features/feature:a%00', 400, 'invalid_request', '?feature'],
    ['/v1/features/feature:a%20b', 400, 'invalid_request', '?feature'],
    [`/v1/features/feature:${'x'.repeat(301)}`, 400, 'invalid_request', '?feature'],
    ['/v1/features?plan=pro', 400, 'invalid_request', '?plan'],
    ['/v1/features?plan=plan:pro', 400, 'invalid_request', '?plan'],
    ['/v1/features?plan=plan:%00@1', 400, 'invalid_request', '?plan'],
    ['/v1/features?limit=0', 400, 'invalid_request', '?limit'],
    ['/v1/features?limit=501', 400, 'invalid_request', '?limit'],
    ['/v1/features?limit=1000', 400, 'invalid_request', '?limit'],
    ['/v1/features?limit=ten', 400, 'invalid_request', '?limit'],
    ['/v1/features?name=x', 400, 'invalid_request', '?name'],
    ...NOT_CURSORS.map(cursor => [`/v1/features?cursor=${cursor}`, 400, 'invalid_request', '?cursor'] as [string, number, string, string])
  ]
  for (const [url, status, code, pointer] of refusals) {
    t.hasStrict((await api.send({ method: 'GET', url })).body, { status, code, errors: [{ pointer }] }, url)
  }
})

t.end()
