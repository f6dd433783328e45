import t from 'tap'
import { openApi, type Reply } from '../fixtures/api.ts'

const api = await openApi(t)
await api.on('2024-03-10')
await api.push({
  'plan:free@0': {
    features: {
      'feature:calls': { tiers: [{ upto: 10 }] },
      'feature:seats': { tiers: [{ upto: 5 }], reset: 'never' },
      'feature:soft': { tiers: [{ upto: 10 }], overage: true },
      'feature:volume': { tiers: [{}] },
      'feature:sso': {}
    }
  }
})
await api.subscribe('org:acme', 'plan:free@0')
const MONTH_SECONDS = 31 * 86_400

async function asked (feature: string, n = '1', path = '/v1/can'): Promise<Reply> {
  return await api.get(path, { org: 'org:acme', feature, n })
}

function fields ({ headers }: Reply): unknown[] {
  return [headers['ratelimit-policy'], headers.ratelimit, headers['retry-after']]
}

t.test('a verdict says how much is left, also without /v1', async t => {
  await api.report('org:acme', 'feature:calls', '3.5')
  const expected = [`"feature:calls";q=10;w=${MONTH_SECONDS}`, `"feature:calls";r=6;t=${MONTH_SECONDS}`, undefined]
  t.strictSame(fields(await asked('feature:calls')), expected)
  t.strictSame(fields(await asked('feature:calls', '1', '/can')), expected)
})

t.test('who is refused hears when to come back: at the end of the window, by the clock of the environment', async t => {
  const refused = await asked('feature:calls', '7')
  t.equal(refused.status, 200)
  t.strictSame(fields(refused), [`"feature:calls";q=10;w=${MONTH_SECONDS}`, `"feature:calls";r=6;t=${MONTH_SECONDS}`, `${MONTH_SECONDS}`])
  await api.on('2024-04-09T23:59:58.500Z')
  t.strictSame(fields(await asked('feature:calls', '7')).slice(1), ['"feature:calls";r=6;t=2', '2'])
  await api.on('2024-03-10')
})

t.test('what never resets has no seconds, and no time to come back', async t => {
  t.strictSame(fields(await asked('feature:seats', '6')), ['"feature:seats";q=5', '"feature:seats";r=5', undefined])
})

t.test('past a limit with overage nothing is left, and nobody is refused', async t => {
  await api.report('org:acme', 'feature:soft', 12)
  t.strictSame(fields(await asked('feature:soft')).slice(1), [`"feature:soft";r=0;t=${MONTH_SECONDS}`, undefined])
})

t.test('nothing is told of what has no limit, of several features, and with an error', async t => {
  const none = [undefined, undefined, undefined]
  for (const feature of ['feature:volume', 'feature:sso', 'feature:unheard-of']) t.strictSame(fields(await asked(feature)), none, feature)
  t.strictSame(fields(await api.get('/v1/can', { org: 'org:acme' })), none)
  t.strictSame(fields(await api.get('/v1/can', { org: 'org:nobody', feature: 'feature:calls' })), none)
})

t.end()
