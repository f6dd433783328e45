import t from 'tap'
import { type Body, openApi } from '../fixtures/api.ts'

const api = await openApi(t)
await api.push({
  'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] }, 'feature:volume': { tiers: [{}] }, 'feature:sso': {} } }
})
for (const org of ['org:a', 'org:b']) await api.subscribe(org, 'plan:free@0')
await api.report('org:a', 'feature:calls', 4)

async function results (questions: unknown[]): Promise<Body[]> {
  const { status, body } = await api.post('/v1/can', { questions })
  t.equal(status, 200)
  return body.results
}

t.test('several features in one query: a verdict for each, in order', async t => {
  const features = ['feature:sso', 'feature:calls', 'feature:unheard-of', 'feature:calls']
  const reply = await api.send({ method: 'GET', url: `/v1/can?org=org:a&n=7&${features.map(name => `feature=${name}`).join('&')}` })
  t.equal(reply.body.org, 'org:a')
  t.strictSame(reply.body.features.map(({ feature, ok, reason }: Body) => [feature, ok, reason]), [
    ['feature:sso', true, 'granted'], ['feature:calls', false, 'limit_reached'], ['feature:unheard-of', false, 'feature_not_found'],
    ['feature:calls', false, 'limit_reached']
  ])
  t.equal(reply.headers.ratelimit, undefined)
})

t.test('a query has at most 100 features, and each must be one', async t => {
  const ask = async (names: string[]): Promise<Body> =>
    (await api.send({ method: 'GET', url: `/v1/can?org=org:a&${names.map(name => `feature=${name}`).join('&')}` })).body
  const many = Array.from({ length: 101 }, (_, i) => `feature:f${i}`)
  t.equal((await ask(many.slice(1))).features.length, 100)
  t.hasStrict(await ask(many), { status: 400, code: 'invalid_request', errors: [{ pointer: '?feature' }] })
  t.hasStrict(await ask(['feature:calls', 'calls']), { status: 400, code: 'invalid_request', errors: [{ pointer: '?feature' }] })
  t.hasStrict(await ask(['feature:calls', `feature:${'x'.repeat(300)}`]), { status: 400, errors: [{ pointer: '?feature/1' }] })
})

t.test('questions are answered in order, each as if it were the only one', async t => {
  const questions = [
    { org: 'org:b', feature: 'feature:calls', n: 10 }, { org: 'org:a', feature: 'feature:calls', n: 7 }, { org: 'org:a', feature: 'feature:calls' },
    { org: 'org:a', feature: 'feature:volume', n: '1000000000000000000' }, { org: 'org:a', feature: 'feature:calls', n: null },
    { org: 'org:b', feature: 'feature:unheard-of' }
  ]
  const answers = await results(questions)
  const alone = await Promise.all(questions.map(async ({ org, feature, n }) => await api.can(org, feature, n === null ? 0 : n)))
  t.strictSame(answers, alone)
  t.strictSame(answers.map(({ ok }) => ok), [true, false, true, true, true, false])
})

t.test('a bad question is answered with what is wrong with it, and harms no other', async t => {
  const good = { org: 'org:a', feature: 'feature:calls' }
  const cases: Array<[question: unknown, code: string, pointer: string]> = [
    [{ ...good, n: -1 }, 'invalid_amount', '/n'],
    [{ ...good, n: 'many' }, 'invalid_amount', '/n'],
    [{ ...good, n: true }, 'invalid_request', '/n'],
    [{ ...good, features: 'feature:calls' }, 'invalid_request', '/features'],
    [{ ...good, org: 'acme' }, 'invalid_request', '/org'],
    [{ ...good, org: 'org:nul\u0000' }, 'invalid_id', '/org'],
    [{ ...good, feature: 'feature:\ud800' }, 'invalid_request', '/feature'],
    [{ feature: 'feature:calls' }, 'invalid_request', '/org'],
    [{ org: 'org:a' }, 'invalid_request', '/feature'],
    [{ ...good, org: 'org:nobody' }, 'org_not_found', '/org'],
    ['org:a', 'invalid_request', ''],
    [null, 'invalid_request', '']
  ]
  const answers = await results(cases.flatMap(([question]) => [question, good]))
  t.equal(answers.length, 2 * cases.length)
  for (const [i, [question, code, pointer]] of cases.entries()) {
    t.hasStrict(answers[2 * i], { status: 400, code, errors: [{ pointer: `/questions/${2 * i}${pointer}` }] }, JSON.stringify(question))
    t.hasStrict(answers[2 * i + 1], { ok: true, used: 4 })
  }
})

t.test('a number of more digits than numbers have is refused as such, and alone', async t => {
  const raw = '{"questions":[{"org":"org:a","feature":"feature:calls","n":0.30000000000000004},' +
    '{"org":"org:a","feature":"feature:calls","n":1},{"org":"org:1234567890123456789","feature":"feature:calls","n":100000000000000.00001}]}'
  const { body: { results: [first, second, third] } } = await api.post('/v1/can', raw)
  const refused = { code: 'invalid_amount', message: /at most 15 significant digits as a number; send more as a string/ }
  t.match(first, { ...refused, errors: [{ pointer: '/questions/0/n' }] })
  t.hasStrict(second, { ok: true, used: 4 })
  t.match(third, { ...refused, errors: [{ pointer: '/questions/2/n' }] })
})

t.test('what is wrong with the request as a whole is an error', async t => {
  const question = { org: 'org:a', feature: 'feature:calls' }
  const cases: Array<[body: unknown, pointer: string]> = [
    [{}, '/questions'], [{ questions: 'all' }, '/questions'], [{ questions: [question], org: 'org:a' }, '/org'],
    [{ questions: Array.from({ length: 1_001 }, () => question) }, '/questions'], [[question], '']
  ]
  for (const [body, pointer] of cases) {
    t.hasStrict((await api.post('/v1/can', body)).body, { status: 400, code: 'invalid_request', errors: [{ pointer }] })
  }
  t.strictSame(await results([]), [])
  const large = { questions: [{ ...question, n: 'x'.repeat(1024 * 1024) }] }
  t.hasStrict((await api.post('/v1/can', large)).body, { status: 413, code: 'body_too_large' })
})

t.test('an unknown org is answered by the default plan, and nothing is written', async t => {
  await api.settings({ defaultPlan: 'plan:free@0' })
  const before = await api.rows()
  const answers = await results([{ org: 'org:new', feature: 'feature:calls' }, { org: 'org:new', feature: 'feature:calls', n: 11 }])
  t.strictSame(answers.map(({ ok, limit }) => [ok, limit]), [[true, 10], [false, 10]])
  t.strictSame(await api.rows(), before)
  await api.settings({})
})

t.end()
