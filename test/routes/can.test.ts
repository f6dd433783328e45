import t from 'tap'
import { openApi } from '../fixtures/api.ts'

const api = await openApi(t)
await api.on('2024-03-10')
await api.push({
  'plan:free@0': {
    features: {
      'feature:calls': { tiers: [{ upto: 10 }] },
      'feature:soft': { tiers: [{ upto: 10 }], overage: true },
      'feature:volume': { tiers: [{}] },
      'feature:peak': { tiers: [{ upto: 10 }], aggregate: 'max' },
      'feature:seats': { tiers: [{ upto: 10 }], aggregate: 'last', reset: 'never' },
      'feature:visits': { tiers: [{ upto: 2 }], aggregate: 'count' },
      'feature:sso': {}
    }
  },
  'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }] }, 'feature:exports': { tiers: [{ upto: 5 }] } } }
})

let orgs = 0
async function newOrg (plan = 'plan:free@0'): Promise<string> {
  orgs += 1
  await api.on('2024-03-10')
  await api.subscribe(`org:c${orgs}`, plan)
  return `org:c${orgs}`
}

async function verdict (org: string, feature: string, n?: number | string): Promise<[boolean, string]> {
  const { ok, reason } = await api.can(org, feature, n)
  return [ok, reason]
}

t.test('a verdict is complete', async t => {
  const org = await newOrg()
  await api.report(org, 'feature:calls', 4)
  t.strictSame(await api.can(org, 'feature:calls'), {
    ok: true,
    reason: 'within_limit',
    org,
    feature: 'feature:calls',
    used: 4,
    reserved: 0,
    limit: 10,
    remaining: 6,
    overage: 0,
    resetsAt: '2024-04-10T00:00:00.000Z',
    degraded: false
  })
})

t.test('asking records nothing', async t => {
  const org = await newOrg()
  const before = await api.rows()
  for (let i = 0; i < 12; i += 1) await api.can(org, 'feature:calls')
  await api.can(org)
  t.strictSame(await api.rows(), before)
  t.equal((await api.can(org, 'feature:calls')).used, 0)
})

t.test('n is how much more: up to the limit and no further, to the last decimal', async t => {
  const org = await newOrg()
  await api.report(org, 'feature:calls', '9.5')
  t.strictSame(await verdict(org, 'feature:calls', '0.5'), [true, 'within_limit'])
  t.strictSame(await verdict(org, 'feature:calls', '0.500000001'), [false, 'limit_reached'])
  t.strictSame(await verdict(org, 'feature:calls'), [false, 'limit_reached'], 'n is 1 when it is left out')
  t.strictSame(await verdict(org, 'feature:calls', 0), [true, 'within_limit'])
})

t.test('at the limit one more is refused, and nothing more is allowed', async t => {
  const org = await newOrg()
  await api.report(org, 'feature:calls', 10)
  t.strictSame(await verdict(org, 'feature:calls'), [false, 'limit_reached'])
  t.strictSame(await verdict(org, 'feature:calls', 0), [true, 'within_limit'])
  await api.report(org, 'feature:calls', 1)
  t.strictSame(await verdict(org, 'feature:calls', 0), [true, 'no_increase'], 'past the limit, what adds nothing is not refused')
})

t.test('overage allows what lies above the limit and says how much', async t => {
  const org = await newOrg()
  t.strictSame(await verdict(org, 'feature:soft', 11), [true, 'overage'])
  await api.report(org, 'feature:soft', 14)
  t.hasStrict(await api.can(org, 'feature:soft'), { ok: true, reason: 'overage', used: 14, limit: 10, remaining: 0, overage: 4 })
  t.hasStrict((await api.usage(org, 'feature:soft')).current, { overage: 4, remaining: 0 })
})

t.test('unlimited is null', async t => {
  const org = await newOrg()
  await api.report(org, 'feature:volume', 5)
  t.hasStrict(await api.can(org, 'feature:volume', '1000000000000'), {
    ok: true, reason: 'unlimited', used: 5, limit: null, remaining: null, overage: 0
  })
})

t.test('a boolean feature is held or not', async t => {
  const org = await newOrg()
  t.hasStrict(await api.can(org, 'feature:sso'), { ok: true, reason: 'granted', used: 0, limit: null, remaining: null, resetsAt: null })
  t.hasStrict(await api.can(org, 'feature:sso', 50), { ok: true, reason: 'granted' })
  const other = await newOrg('plan:pro@0')
  t.strictSame(await verdict(other, 'feature:sso'), [false, 'feature_not_found'])
})

t.test('a feature that is not held is a verdict, not an error', async t => {
  const org = await newOrg()
  for (const feature of ['feature:exports', 'feature:nobody-has-it']) {
    t.strictSame(await api.can(org, feature), {
      ok: false,
      reason: 'feature_not_found',
      org,
      feature,
      used: 0,
      reserved: 0,
      limit: 0,
      remaining: 0,
      overage: 0,
      resetsAt: null,
      degraded: false
    })
  }
})

t.test('each aggregate asks what the total would be', async t => {
  const org = await newOrg()
  await api.report(org, 'feature:peak', 8)
  t.strictSame(await verdict(org, 'feature:peak', 10), [true, 'within_limit'], 'a maximum of 10')
  t.strictSame(await verdict(org, 'feature:peak', 11), [false, 'limit_reached'])
  await api.report(org, 'feature:seats', 12)
  t.strictSame(await verdict(org, 'feature:seats', 11), [true, 'no_increase'], 'fewer than now, though still too many')
  t.strictSame(await verdict(org, 'feature:seats', 13), [false, 'limit_reached'])
  await api.report(org, 'feature:visits', 100)
  t.strictSame(await verdict(org, 'feature:visits', 100), [true, 'within_limit'], 'a visit is one, whatever its amount')
  await api.report(org, 'feature:visits')
  t.strictSame(await verdict(org, 'feature:visits'), [false, 'limit_reached'])
})

t.test('without a feature: a verdict for all that is held, by name', async t => {
  const org = await newOrg()
  await api.report(org, 'feature:calls', 10)
  const { features } = await api.can(org)
  const shown = (features as Array<Record<string, unknown>>).map(({ feature, ok, reason }) => [feature, ok, reason])
  t.strictSame(shown, [
    ['feature:calls', false, 'limit_reached'],
    ['feature:peak', true, 'within_limit'],
    ['feature:seats', true, 'within_limit'],
    ['feature:soft', true, 'within_limit'],
    ['feature:sso', true, 'granted'],
    ['feature:visits', true, 'within_limit'],
    ['feature:volume', true, 'unlimited']
  ])
  const { features: [calls] } = await api.can(org, undefined, 0)
  t.hasStrict(calls, { ok: true, reason: 'within_limit' }, 'n counts for all of them')
})

t.test('when the window ends, usage is at 0 again', async t => {
  const org = await newOrg()
  await api.report(org, 'feature:calls', 10)
  await api.on('2024-04-09T23:59:59.999Z')
  t.hasStrict(await api.can(org, 'feature:calls'), { ok: false, used: 10, resetsAt: '2024-04-10T00:00:00.000Z' })
  await api.on('2024-04-10')
  t.hasStrict(await api.can(org, 'feature:calls'), { ok: true, used: 0, resetsAt: '2024-05-10T00:00:00.000Z' })
})

t.test('what is planned is not held yet', async t => {
  const org = await newOrg()
  await api.subscribe(org, { features: ['plan:pro@0'], effective: '2024-04-01' })
  t.strictSame(await verdict(org, 'feature:exports'), [false, 'feature_not_found'])
  t.hasStrict(await api.report(org, 'feature:exports'), { code: 'feature_not_found' })
  t.equal((await api.can(org, 'feature:calls')).limit, 10)
  await api.on('2024-04-01')
  t.strictSame(await verdict(org, 'feature:exports'), [true, 'within_limit'])
  t.equal((await api.can(org, 'feature:calls')).limit, 100)
})

t.test('a feature whose total is as high as totals go still has a verdict, and so have the others', async t => {
  const org = await newOrg()
  await api.report(org, 'feature:volume', '9999999999999999999999999999')
  t.match((await api.get('/v1/can', { org, feature: 'feature:volume' })).raw, /"used":9999999999999999999999999999,/)
  t.equal((await api.can(org)).features?.length, 7)
})

t.test('a question that is malformed is refused, naming the parameter', async t => {
  const org = await newOrg()
  const cases: Array<[query: Record<string, string>, code: string, pointer: string]> = [
    [{ org, feature: 'feature:calls', n: '-1' }, 'invalid_amount', '?n'],
    [{ org, feature: 'feature:calls', n: 'x' }, 'invalid_amount', '?n'],
    [{ org, feature: 'feature:calls', n: '' }, 'invalid_amount', '?n'],
    [{ org, feature: 'feature:calls', n: '1e3' }, 'invalid_amount', '?n'],
    [{ org, feature: 'calls' }, 'invalid_request', '?feature'],
    [{ org: 'acme' }, 'invalid_request', '?org'],
    [{ org, features: 'feature:calls' }, 'invalid_request', '?features'],
    [{ feature: 'feature:calls' }, 'invalid_request', '?org']
  ]
  for (const [query, code, pointer] of cases) {
    t.hasStrict((await api.get('/v1/can', query)).body, { status: 400, code, errors: [{ pointer }] }, JSON.stringify(query))
  }
  const twice = await api.send({ method: 'GET', url: `/v1/can?org=${org}&org=org:other` })
  t.hasStrict(twice.body, { status: 400, errors: [{ pointer: '?org' }] }, 'the same parameter twice is not guessed at')
  t.hasStrict((await api.get('/v1/can', { org: 'org:nobody' })).body, { code: 'org_not_found', errors: [{ pointer: '?org' }] })
})

t.end()
