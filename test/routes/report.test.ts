import t from 'tap'
import { openApi, type Body } from '../fixtures/api.ts'

const api = await openApi(t)
await api.on('2024-03-10')
await api.push({
  'plan:free@0': {
    features: {
      'feature:calls': { tiers: [{ upto: 10 }] },
      'feature:volume': { tiers: [{}] },
      'feature:peak': { tiers: [{ upto: 10 }], aggregate: 'max' },
      'feature:latest': { tiers: [{ upto: 10 }], aggregate: 'last' },
      'feature:visits': { tiers: [{ upto: 10 }], aggregate: 'count' },
      'feature:sso': {}
    }
  }
})

/** An org that no other test has. */
let orgs = 0
async function newOrg (): Promise<string> {
  orgs += 1
  await api.subscribe(`org:r${orgs}`, 'plan:free@0')
  return `org:r${orgs}`
}

const used = async (org: string, feature: string): Promise<number> => (await api.can(org, feature)).used

t.test('the answer says what was counted, where, and what is left', async t => {
  const org = await newOrg()
  const { id, ...answer } = await api.report(org, 'feature:calls', 3)
  t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.strictSame(answer, {
    org,
    feature: 'feature:calls',
    used: 3,
    reserved: 0,
    limit: 10,
    remaining: 7,
    window: { start: '2024-03-10T00:00:00.000Z', end: '2024-04-10T00:00:00.000Z' },
    duplicate: false
  })
  t.hasStrict(await api.report(org, 'feature:volume', 3), { used: 3, limit: null, remaining: null }, 'null is unlimited')
})

t.test('n is 1 when it is left out and 0 when it is null', async t => {
  const org = await newOrg()
  t.equal((await api.report(org, 'feature:calls')).used, 1)
  t.equal((await api.report(org, 'feature:calls', null)).used, 1)
  t.equal((await api.report(org, 'feature:calls', 0)).used, 1)
})

t.test('amounts are exact: fractions, 15 digits as a number, 28 as text', async t => {
  const org = await newOrg()
  const raw = async (n: number | string): Promise<string | undefined> => {
    const reply = await api.post('/v1/report', { org, feature: 'feature:volume', n, clobber: true })
    return /"used":([^,]+)/.exec(reply.raw)?.[1]
  }
  t.equal(await raw(0.1), '0.1')
  t.equal(await raw('12.50'), '12.5')
  t.equal(await raw(999_999_999_999_999), '999999999999999')
  t.equal(await raw(0.000000001), '0.000000001')
  t.equal(await raw(1e21), '1000000000000000000000')
  t.equal(await raw('9007199254740993'), '9007199254740993')
  t.equal(await raw('1234567890123456789.123456789'), '1234567890123456789.123456789')
  t.equal(await raw('9999999999999999999999999999'), '9999999999999999999999999999')
})

t.test('an amount that cannot be exact is refused, naming n', async t => {
  const org = await newOrg()
  const amounts = [
    '', 'ten', ' 1', '1 ', '+1', '1e3', '0x10', '1,000', '.5', '5.', 'NaN', 'Infinity', '--1', '１',
    '12345678901234567890123456789', '0.0000000001', 1e-10, 1e28, 1e300, 9_007_199_254_740_992, 123456.7890123456
  ]
  for (const n of amounts) {
    const answer = await api.report(org, 'feature:volume', n)
    t.hasStrict(answer, { status: 400, code: 'invalid_amount', errors: [{ pointer: '/n' }] }, JSON.stringify(n))
  }
  for (const n of [true, [], {}, [1]]) {
    t.hasStrict((await api.post('/v1/report', { org, feature: 'feature:volume', n })).body, { status: 400, errors: [{ pointer: '/n' }] })
  }
  t.equal(await used(org, 'feature:volume'), 0)
})

t.test('a total of 10^28 is refused, and the one before it stays', async t => {
  const org = await newOrg()
  await api.report(org, 'feature:volume', '9999999999999999999999999999')
  t.hasStrict(await api.report(org, 'feature:volume'), { status: 400, code: 'invalid_amount' })
  t.match((await api.get('/v1/usage', { org, feature: 'feature:volume' })).raw, /"used":9999999999999999999999999999,/)
})

t.test('a negative amount corrects a sum, never below zero, and nothing else', async t => {
  const org = await newOrg()
  await api.report(org, 'feature:calls', 5)
  t.equal((await api.report(org, 'feature:calls', -1.5)).used, 3.5)
  t.equal((await api.report(org, 'feature:calls', -10)).used, 0)
  t.equal((await api.report(org, 'feature:calls', 2)).used, 2, 'what fell below zero is forgotten')
  for (const feature of ['feature:peak', 'feature:latest', 'feature:visits']) {
    t.hasStrict(await api.report(org, feature, -1), { status: 400, code: 'invalid_amount', errors: [{ pointer: '/n' }] }, feature)
  }
  t.hasStrict(await api.report(org, 'feature:calls', -1, { clobber: true }), { status: 400, code: 'invalid_amount' })
})

t.test('each aggregate adds up in its own way', async t => {
  const org = await newOrg()
  const all = async (feature: string): Promise<number[]> => {
    const figures: number[] = []
    for (const n of [3, 7, 5]) figures.push((await api.report(org, feature, n)).used)
    return figures
  }
  t.strictSame(await all('feature:calls'), [3, 10, 15])
  t.strictSame(await all('feature:peak'), [3, 7, 7])
  t.strictSame(await all('feature:latest'), [3, 7, 5])
  t.strictSame(await all('feature:visits'), [1, 2, 3])
  const before = { at: '2024-03-09T23:00:00Z' }
  t.equal((await api.report(org, 'feature:latest', 9, before)).window.end, '2024-03-10T00:00:00.000Z', 'another window')
  t.equal(await used(org, 'feature:latest'), 5)
})

t.test('clobber sets the total whatever was reported before', async t => {
  const org = await newOrg()
  await api.report(org, 'feature:calls', 8)
  t.equal((await api.report(org, 'feature:calls', 2, { clobber: true })).used, 2)
  t.equal((await api.report(org, 'feature:calls', 1, { clobber: false })).used, 3)
  t.equal((await api.report(org, 'feature:calls', null, { clobber: true })).used, 0)
  t.hasStrict((await api.post('/v1/report', { org, feature: 'feature:calls', clobber: 'true' })).body,
    { status: 400, errors: [{ pointer: '/clobber' }] }, 'text is not taken for true')
})

t.test('at decides the window; absent, null and Go\'s zero time are now', async t => {
  const org = await newOrg()
  const start = async (at?: string | null): Promise<string> => (await api.report(org, 'feature:volume', 1, { at })).window.start.slice(0, 10)
  for (const now of [undefined, null, '0001-01-01T00:00:00Z']) t.equal(await start(now), '2024-03-10')
  t.equal(await start('2024-03-09T23:59:59.999Z'), '2024-02-10')
  t.equal(await start('2024-03-10T00:00:00Z'), '2024-03-10')
  t.equal(await start('2024-03-10T01:59:59+02:00'), '2024-02-10', 'an offset counts')
  t.equal(await start('2024-03-09T22:00:00.000000001-02:00'), '2024-03-10', 'beyond milliseconds it is cut')
  t.equal(await start('2024-03-10t00:00:00z'), '2024-03-10', 'RFC 3339 allows small letters')
  t.equal(await start('2024-03-10T00:05:00Z'), '2024-03-10', 'five minutes ahead')
})

t.test('an instant that is none, or is too far ahead, is refused', async t => {
  const org = await newOrg()
  const times = [
    '2024-03-10T00:05:00.001Z', '2025-01-01T00:00:00Z', '', 'now', '2024-03-10', '2024-03-10T00:00:00', '2024-02-30T00:00:00Z',
    '2024-03-10 00:00:00Z', '2024-03-09T24:00:00Z', '2024-03-09T23:59:60Z', '2024-03-10T00:00Z', '1969-12-31T23:59:59Z', '1710028800',
    '2024-03-09T00:00:00+24:00', '+002024-03-09T00:00:00Z'
  ]
  for (const at of times) {
    t.hasStrict(await api.report(org, 'feature:calls', 1, { at }), { status: 400, code: 'invalid_request', errors: [{ pointer: '/at' }] }, at)
  }
  t.hasStrict((await api.post('/v1/report', { org, feature: 'feature:calls', at: 1710028800 })).body, { status: 400, errors: [{ pointer: '/at' }] })
  t.equal(await used(org, 'feature:calls'), 0)
})

t.test('what cannot be reported is refused in Tier\'s words', async t => {
  const org = await newOrg()
  const cases: Array<[org: string, feature: string, code: string, message: string, pointer: string]> = [
    ['org:unseen', 'feature:calls', 'org_not_found', 'org not found', '/org'],
    [org, 'feature:other', 'feature_not_found', 'feature not found', '/feature'],
    [org, 'feature:sso', 'invalid_request', 'feature not reportable', '/feature'],
    ['acme', 'feature:calls', 'invalid_request', 'org must be prefixed with "org:"', '/org'],
    [org, 'calls', 'invalid_request', "feature name must start with 'feature:'", '/feature'],
    [org, 'feature:calls@plan:free@0', 'invalid_request', 'feature name must match [a-zA-Z0-9:]+', '/feature']
  ]
  for (const [org, feature, code, message, pointer] of cases) {
    const answer = await api.report(org, feature)
    t.hasStrict(answer, { status: 400, code, errors: [{ pointer }] }, `${org} ${feature}`)
    t.ok(answer.message.startsWith(message), answer.message)
  }
})

t.test('a field that is unknown or missing is refused by name', async t => {
  const org = await newOrg()
  const refused = async (body: Body): Promise<unknown> => {
    const { status, code, errors } = (await api.post('/v1/report', body)).body
    return [status, code, errors]
  }
  const report = { org, feature: 'feature:calls' }
  t.strictSame(await refused({ ...report, amount: 5 }), [400, 'invalid_request', [{ pointer: '/amount', detail: 'unknown field "amount"' }]])
  t.strictSame(await refused({ ...report, n: 1, N: 5 }), [400, 'invalid_request', [{ pointer: '/N', detail: 'unknown field "N"' }]])
  t.strictSame(await refused({ ...report, 'a/b~c': 1 }), [400, 'invalid_request', [{ pointer: '/a~1b~0c', detail: 'unknown field "a/b~c"' }]])
  t.strictSame(await refused({ org }), [400, 'invalid_request', [{ pointer: '/feature', detail: 'feature is required' }]])
  t.strictSame(await refused({}), [400, 'invalid_request',
    [{ pointer: '/org', detail: 'org must be prefixed with "org:"' }, { pointer: '/feature', detail: 'feature is required' }]])
  t.equal(await used(org, 'feature:calls'), 0)
})

t.test('the short path is the same call', async t => {
  const org = await newOrg()
  t.hasStrict((await api.post('/report', { org, feature: 'feature:calls', n: 2 })).body, { used: 2, duplicate: false })
  t.hasStrict((await api.get('/can', { org, feature: 'feature:calls' })).body, { used: 2 })
  t.hasStrict((await api.get('/usage', { org, feature: 'feature:calls' })).body, { current: { used: 2 } })
})

t.end()
