import t from 'tap'
import { openApi, timeOf } from '../fixtures/api.ts'
import { costsOf } from './cost-specification.ts'

const api = await openApi(t)
const { costOf, linesOf } = costsOf(api)
const calls = (price: number, more = {}): object => ({ 'feature:calls': { tiers: [{ price }], ...more } })

await api.on('2024-01-01')
await api.push({
  'plan:one@0': { features: { ...calls(1), 'feature:seat': { base: 100 } } },
  'plan:two@0': { features: { ...calls(2), 'feature:seat': { base: 200 }, 'feature:sso': { base: 50 } } },
  'plan:based@0': { features: { 'feature:calls': { tiers: [{ price: 1, base: 10 }] } } },
  'plan:daily@0': { features: calls(3, { reset: 'day' }) },
  'plan:team@0': { features: { 'feature:members': { tiers: [{ price: 700 }], aggregate: 'perpetual' } } },
  'plan:calendar@0': { anchor: 'calendar', features: { ...calls(1), 'feature:seat': { base: 100 } } },
  'plan:open@0': { features: { 'feature:calls': { type: 'metered', base: 900 } } },
  'plan:fine@0': { features: calls(0.000000000001) }
})

let orgs = 0
async function newOrg (date: string, ...held: string[]): Promise<string> {
  orgs += 1
  await api.on(date)
  if (held.length > 0) await api.subscribe(`org:c${orgs}`, ...held)
  return `org:c${orgs}`
}

t.test('a window is priced as at its end: while it runs by what is held now, later by what was held then', async t => {
  const org = await newOrg('2024-01-01', 'plan:one@0')
  await api.report(org, 'feature:calls', 10)
  t.strictSame(await linesOf(org), ['calls@one@0 10 10 usd 2024-01-01 2024-02-01', 'seat@one@0 1 100 usd 2024-01-01 2024-02-01'])
  await api.on('2024-01-20')
  await api.subscribe(org, 'plan:two@0')
  const changed = [
    'calls@two@0 10 20 usd 2024-01-01 2024-02-01', 'seat@two@0 1 200 usd 2024-01-01 2024-02-01', 'sso@two@0 1 50 usd 2024-01-01 2024-02-01'
  ]
  t.strictSame(await linesOf(org), changed)
  t.strictSame(await linesOf(org, '2024-01-05T00:00:00Z'), changed, 'whichever instant of it is asked for')
  await api.on('2024-02-10')
  await api.subscribe(org, 'plan:one@0')
  t.strictSame(await linesOf(org, '2024-01-05T00:00:00Z'), changed, 'a later change leaves it alone')
})

t.test('a change that is planned does not change the price until it comes', async t => {
  const org = await newOrg('2024-01-01', 'plan:one@0')
  await api.report(org, 'feature:calls', 10)
  await api.subscribe(org, { effective: '2024-01-20', features: ['plan:two@0'] })
  t.hasStrict(await costOf(org), { lines: [{ plan: 'plan:one@0', amount: 10 }, { plan: 'plan:one@0' }], total: { usd: 110 } })
  await api.on('2024-01-20')
  t.hasStrict(await costOf(org), { lines: [{ plan: 'plan:two@0', amount: 20 }, { plan: 'plan:two@0' }, {}], total: { usd: 270 } })
})

t.test('who cancels owes the windows in which something was held, and none after', async t => {
  const org = await newOrg('2024-01-01', 'plan:two@0')
  await api.report(org, 'feature:calls', 10)
  await api.on('2024-01-20')
  await api.subscribe(org, {})
  const owed = [
    'calls@two@0 10 20 usd 2024-01-01 2024-02-01', 'seat@two@0 1 200 usd 2024-01-01 2024-02-01', 'sso@two@0 1 50 usd 2024-01-01 2024-02-01'
  ]
  t.strictSame(await linesOf(org), owed)
  await api.on('2024-02-10')
  t.strictSame(await costOf(org), { org, at: '2024-02-10T00:00:00.000Z', lines: [], total: {} })
  t.strictSame(await linesOf(org, '2024-01-02T00:00:00Z'), owed)
})

t.test('a trial costs nothing, and what comes after it does', async t => {
  const org = await newOrg('2024-01-01')
  await api.subscribe(org, { features: ['plan:two@0'], trial: true }, { effective: '2024-02-01', features: ['plan:two@0'] })
  await api.report(org, 'feature:calls', 10)
  const free = { trial: true, tiers: [], amount: 0 }
  t.hasStrict(await costOf(org), { lines: [{ quantity: 10, ...free }, free, free], total: { usd: 0 } })
  await api.on('2024-02-01')
  await api.report(org, 'feature:calls', 1)
  t.hasStrict(await costOf(org), { lines: [{ quantity: 1, trial: false, amount: 2 }, {}, {}], total: { usd: 252 } })
  t.hasStrict(await costOf(org, '2024-01-15T00:00:00Z'), { total: { usd: 0 } })
})

t.test('from before the first subscription, usage is owed where there is some, and no fee', async t => {
  const org = await newOrg('2024-03-01', 'plan:based@0', 'plan:two@0')
  await api.report(org, 'feature:calls', 7, { at: '2024-01-15T00:00:00Z' })
  t.strictSame(await linesOf(org, '2024-01-10T00:00:00Z'), ['calls@based@0 7 17 usd 2024-01-01 2024-02-01'])
  t.strictSame(await linesOf(org, '2024-02-10T00:00:00Z'), [])
  t.equal((await linesOf(org)).length, 4)
})

t.test('a feature that came later was not owed before', async t => {
  const org = await newOrg('2024-01-01', 'plan:team@0')
  await api.on('2024-03-01')
  await api.subscribe(org, 'plan:team@0', 'plan:based@0')
  t.strictSame(await linesOf(org, '2024-02-10T00:00:00Z'), ['members@team@0 0 0 usd 1970-01-01 null'])
  t.equal((await linesOf(org)).length, 2)
})

t.test('each feature is priced in its own window, whatever the interval of the plan', async t => {
  const org = await newOrg('2024-01-01', 'plan:daily@0')
  await api.report(org, 'feature:calls', 5)
  await api.on('2024-01-02')
  await api.report(org, 'feature:calls', 1)
  t.strictSame(await linesOf(org), ['calls@daily@0 1 3 usd 2024-01-02 2024-01-03'])
  t.strictSame(await linesOf(org, '2024-01-01T23:00:00Z'), ['calls@daily@0 5 15 usd 2024-01-01 2024-01-02'])
  await api.on('2024-01-02T12:00:00.000Z')
  await api.subscribe(org, 'plan:based@0')
  t.strictSame(await linesOf(org), ['calls@based@0 0 10 usd 2024-01-02T12:00:00.000Z 2024-02-01'], 'the change of the reset cut the window')
  t.strictSame(await linesOf(org, '2024-01-02T11:00:00Z'), ['calls@daily@0 1 3 usd 2024-01-02 2024-01-02T12:00:00.000Z'])
})

t.test('what never resets is owed at the instant asked for, while it is held', async t => {
  const org = await newOrg('2024-01-01', 'plan:team@0')
  await api.report(org, 'feature:members', 5)
  await api.on('2024-06-15')
  t.strictSame(await linesOf(org), ['members@team@0 5 3500 usd 1970-01-01 null'])
  await api.subscribe(org, {})
  t.strictSame(await linesOf(org), [])
  t.strictSame(await linesOf(org, '2024-03-15T00:00:00Z'), ['members@team@0 5 3500 usd 1970-01-01 null'])
})

t.test('fees follow the calendar where the plan does, in the time zone of the subscription', async t => {
  const org = await newOrg('2024-01-15', 'plan:calendar@0')
  t.strictSame(await linesOf(org), ['calls@calendar@0 0 0 usd 2024-01-01 2024-02-01', 'seat@calendar@0 1 100 usd 2024-01-01 2024-02-01'])
  t.strictSame(await linesOf(org, '2023-12-31T00:00:00Z'), [])
})

t.test('of a plan of which one feature is held, that feature is owed', async t => {
  const org = await newOrg('2024-01-01', 'feature:sso@plan:two@0', 'plan:one@0')
  t.strictSame((await linesOf(org)).map(line => line.split(' ')[0]), ['sso@two@0', 'calls@one@0', 'seat@one@0'])
})

t.test('a metered feature without tiers costs its fee, however much is used', async t => {
  const org = await newOrg('2024-01-01', 'plan:open@0', 'plan:based@0')
  await api.report(org, 'feature:calls', 1000)
  t.strictSame(await linesOf(org), ['calls@open@0 1 900 usd 2024-01-01 2024-02-01', 'calls@based@0 0 10 usd 2024-01-01 2024-02-01'])
})

t.test('figures are exact, however fine or large', async t => {
  const org = await newOrg('2024-01-01', 'plan:fine@0')
  await api.report(org, 'feature:calls', '10000000000000500000.00000001')
  const { raw } = await api.get('/v1/cost', { org })
  t.match(raw, '"quantity":10000000000000500000.00000001,"price":1e-12,"base":0,"amount":10000000.00000050000000000001}]')
  t.match(raw, '"amount":10000000}],"total":{"usd":10000000}}')
})

t.test('an org that was never seen owes what the default plan costs unused, and nothing is written', async t => {
  await api.on('2024-01-01', 'plan:based@0')
  const before = await api.rows()
  t.strictSame(await linesOf('org:unseen'), ['calls@based@0 0 10 usd 2024-01-01 2024-02-01'])
  t.strictSame(await linesOf('org:unseen', '2023-05-01T00:00:00Z'), [])
  t.strictSame(await api.rows(), before)
})

t.test('without a subscription nothing is owed', async t => {
  await api.on('2024-01-01')
  await api.post('/v1/subscribe', { org: 'org:bare', info: { name: 'Bare' } })
  t.strictSame(await costOf('org:bare'), { org: 'org:bare', at: timeOf('2024-01-01'), lines: [], total: {} })
})

t.test('a question that is malformed or about nobody is refused, naming the parameter', async t => {
  const org = await newOrg('2024-01-01', 'plan:one@0')
  const cases: Array<[query: Record<string, string>, code: string, pointer: string]> = [
    [{}, 'invalid_request', '?org'],
    [{ org: 'c1' }, 'invalid_request', '?org'],
    [{ org: 'org:a\u0000' }, 'invalid_id', '?org'],
    [{ org: 'org:nobody' }, 'org_not_found', '?org'],
    [{ org, at: 'yesterday' }, 'invalid_request', '?at'],
    [{ org, at: '1969-12-31T23:59:59Z' }, 'invalid_request', '?at'],
    [{ org, at: '2024-01-01T00:05:00.001Z' }, 'invalid_request', '?at'],
    [{ org, feature: 'feature:calls' }, 'invalid_request', '?feature']
  ]
  for (const [query, code, pointer] of cases) {
    t.hasStrict((await api.get('/v1/cost', query)).body, { status: 400, code, errors: [{ pointer }] }, JSON.stringify(query))
  }
  t.equal((await costOf(org, '2024-01-01T00:05:00Z')).at, '2024-01-01T00:05:00.000Z', 'clocks differ')
})

t.end()
