import t from 'tap'
import { type Body, dateOf, openApi } from '../fixtures/api.ts'

const api = await openApi(t)
await api.on('2023-01-31')
await api.push({
  'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] }, 'feature:sso': {}, 'feature:docs': { tiers: [{}] } } },
  'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }] }, 'feature:exports': { tiers: [{ upto: 5 }] } } },
  'plan:daily@0': { interval: '@daily', features: { 'feature:calls': { tiers: [{ upto: 2 }] } } }
})

let orgs = 0
/** Subscribed to `plan` since the given date. */
async function newOrg (date: string, plan = 'plan:free@0'): Promise<string> {
  orgs += 1
  await api.on(date)
  await api.subscribe(`org:u${orgs}`, plan)
  return `org:u${orgs}`
}

/** `start end used/limit` of each window. */
const shown = (windows: Body[]): string[] => windows.map(({ start, end, used, limit }) => `${dateOf(start)} ${dateOf(end)} ${used}/${limit}`)
const past = async (org: string, query = {}): Promise<string[]> => shown((await api.usage(org, 'feature:calls', query)).past)

t.test('the current window, then past ones, newest first, those without usage too', async t => {
  const org = await newOrg('2023-01-31')
  await api.report(org, 'feature:calls', 4)
  await api.on('2023-04-15')
  await api.report(org, 'feature:calls', 12)
  await api.on('2023-05-15')
  t.strictSame(await api.usage(org, 'feature:calls', { limit: '1' }), {
    org,
    feature: 'feature:calls',
    current: {
      start: '2023-04-30T00:00:00.000Z', end: '2023-05-31T00:00:00.000Z', used: 0, reserved: 0, limit: 10, remaining: 10, overage: 0
    },
    past: [{
      start: '2023-03-31T00:00:00.000Z', end: '2023-04-30T00:00:00.000Z', used: 12, reserved: 0, limit: 10, remaining: 0, overage: 2
    }],
    nextCursor: '2023-03-31T00:00:00.000Z'
  })
  t.strictSame(await past(org), ['2023-03-31 2023-04-30 12/10', '2023-02-28 2023-03-31 0/10', '2023-01-31 2023-02-28 4/10'])
})

t.test('an event reported into a past window changes that figure and no other', async t => {
  const org = await newOrg('2023-01-31')
  await api.report(org, 'feature:calls', 4)
  await api.on('2023-04-15')
  await api.report(org, 'feature:calls', 1)
  const late = await api.report(org, 'feature:calls', 2, { at: '2023-02-27T12:00:00Z' })
  t.hasStrict(late, { used: 6, window: { start: '2023-01-31T00:00:00.000Z', end: '2023-02-28T00:00:00.000Z' } })
  t.strictSame(await past(org), ['2023-02-28 2023-03-31 0/10', '2023-01-31 2023-02-28 6/10'])
  t.equal((await api.can(org, 'feature:calls')).used, 1)
  t.hasStrict(await api.report(org, 'feature:calls', 3, { at: '2023-02-28T00:00:00Z' }), { used: 3 }, 'its end belongs to the next')
  t.strictSame(await past(org), ['2023-02-28 2023-03-31 3/10', '2023-01-31 2023-02-28 6/10'])
})

t.test('usage from before the subscription lies in windows counted backwards', async t => {
  const org = await newOrg('2023-03-31')
  t.hasStrict(await api.report(org, 'feature:calls', 7, { at: '2022-12-30T00:00:00Z' }), {
    used: 7, limit: 10, window: { start: '2022-11-30T00:00:00.000Z', end: '2022-12-31T00:00:00.000Z' }
  })
  t.strictSame(await past(org), ['2023-02-28 2023-03-31 0/10', '2023-01-31 2023-02-28 0/10', '2022-12-31 2023-01-31 0/10', '2022-11-30 2022-12-31 7/10'])
  t.equal((await api.can(org, 'feature:calls')).used, 0)
})

t.test('a past window has the limit it had at its end', async t => {
  const org = await newOrg('2023-01-01')
  await api.report(org, 'feature:calls', 5)
  await api.on('2023-02-15')
  await api.report(org, 'feature:calls', 20)
  await api.subscribe(org, 'plan:pro@0')
  await api.on('2023-03-20')
  await api.subscribe(org, 'plan:free@0')
  await api.on('2023-04-02')
  t.strictSame(await past(org), ['2023-03-01 2023-04-01 0/10', '2023-02-01 2023-03-01 20/100', '2023-01-01 2023-02-01 5/10'])
})

t.test('a change of the reset cuts the window there, and the next begins at 0', async t => {
  const org = await newOrg('2023-01-01')
  await api.on('2023-02-03T12:00:00.000Z')
  await api.report(org, 'feature:calls', 5)
  await api.subscribe(org, 'plan:daily@0')
  t.hasStrict(await api.can(org, 'feature:calls'), { used: 0, limit: 2, resetsAt: '2023-02-04T00:00:00.000Z' })
  await api.report(org, 'feature:calls', 1)
  await api.on('2023-02-05')
  t.strictSame(await past(org), [
    '2023-02-04 2023-02-05 0/2', '2023-02-03T12:00:00.000Z 2023-02-04 1/2', '2023-02-01 2023-02-03T12:00:00.000Z 5/10', '2023-01-01 2023-02-01 0/10'
  ])
})

t.test('pages taken one after the other are the whole, at any size', async t => {
  const org = await newOrg('2021-01-31')
  for (const month of ['02', '05', '06', '11']) await api.report(org, 'feature:calls', Number(month), { at: `2020-${month}-15T00:00:00Z` })
  await api.on('2023-05-15')
  const whole = await api.usage(org, 'feature:calls', { limit: '100' })
  t.equal(whole.nextCursor, null)
  t.equal(whole.past.length, 39)
  t.strictSame(shown(whole.past).filter(text => !text.endsWith(' 0/10')), [
    '2020-10-31 2020-11-30 11/10', '2020-05-31 2020-06-30 6/10', '2020-04-30 2020-05-31 5/10', '2020-01-31 2020-02-29 2/10'
  ])
  for (const limit of ['1', '7', '13', '39']) {
    const pages: Body[] = []
    let cursor: string | null = null
    do {
      const page: Body = await api.usage(org, 'feature:calls', { limit, ...(cursor !== null && { cursor }) })
      pages.push(...page.past)
      cursor = page.nextCursor
    } while (cursor !== null)
    t.strictSame(pages, whole.past, `pages of ${limit}`)
  }
  t.equal((await api.usage(org, 'feature:calls')).past.length, 12, 'a page is a year of months unless asked otherwise')
})

t.test('from and to choose the past windows that overlap them', async t => {
  const org = await newOrg('2023-01-01')
  await api.on('2023-07-15')
  const months = async (query: Record<string, string>): Promise<string[]> => (await past(org, query)).map(text => text.slice(5, 7))
  t.strictSame(await months({}), ['06', '05', '04', '03', '02', '01'])
  t.strictSame(await months({ from: '2023-04-15T00:00:00Z' }), ['06', '05', '04'])
  t.strictSame(await months({ to: '2023-03-01T00:00:00Z' }), ['02', '01'], 'to is not part of it')
  t.strictSame(await months({ to: '2023-03-01T00:00:00.001Z' }), ['03', '02', '01'])
  t.strictSame(await months({ from: '2023-02-10T00:00:00Z', to: '2023-04-10T00:00:00Z' }), ['04', '03', '02'])
  t.strictSame(await months({ from: '2023-05-01T00:00:00Z', to: '2023-05-01T00:00:00Z' }), [])
  t.strictSame(await months({ from: '2024-01-01T00:00:00Z' }), [])
  t.strictSame(await months({ from: '2023-02-10T00:00:00Z', limit: '2', cursor: '2023-05-01T00:00:00.000Z' }), ['04', '03'])
  t.equal((await api.usage(org, 'feature:calls', { from: '2023-05-01T00:00:00Z', limit: '2' })).nextCursor, null, 'nothing is left behind from')
})

t.test('without a feature: every metered one that is or was held', async t => {
  const org = await newOrg('2023-01-01', 'plan:pro@0')
  await api.report(org, 'feature:exports', 3)
  await api.on('2023-02-15')
  await api.subscribe(org, 'plan:free@0')
  const { features } = await api.usage(org)
  t.strictSame((features as Body[]).map(({ feature, current }) => [feature, current === null]), [
    ['feature:calls', false], ['feature:docs', false], ['feature:exports', true]
  ])
  const exports = (features as Body[]).find(({ feature }) => feature === 'feature:exports')
  t.equal(shown(exports?.past).at(-1), '2023-01-01 2023-02-01 3/5', 'what is no longer held keeps its past')
})

t.test('a boolean feature has no windows', async t => {
  const org = await newOrg('2023-01-01')
  await api.on('2023-06-01')
  t.strictSame(await api.usage(org, 'feature:sso'), { org, feature: 'feature:sso', current: null, past: [], nextCursor: null })
})

t.test('a feature that is only planned has no usage yet', async t => {
  const org = await newOrg('2023-01-01')
  await api.subscribe(org, { features: ['plan:pro@0'], effective: '2023-03-01' })
  const { features } = await api.usage(org)
  t.strictSame((features as Body[]).map(({ feature }) => feature), ['feature:calls', 'feature:docs'])
  t.hasStrict(await api.usage(org, 'feature:exports'), { status: 400, code: 'feature_not_found' })
})

t.test('before a feature was held there are no windows of it, and nothing can be reported there', async t => {
  const org = await newOrg('2023-01-01')
  await api.on('2023-03-01')
  await api.subscribe(org, 'plan:pro@0')
  t.hasStrict(await api.report(org, 'feature:exports', 1, { at: '2023-01-15T00:00:00Z' }), { status: 400, code: 'feature_not_found' })
  t.strictSame((await api.usage(org, 'feature:exports')).past, [])
})

t.test('a question that is malformed or about nothing is refused, naming the parameter', async t => {
  const org = await newOrg('2023-01-01')
  const cases: Array<[query: Record<string, string>, code: string, pointer: string]> = [
    [{ feature: 'feature:exports' }, 'feature_not_found', '?feature'],
    [{ feature: 'exports' }, 'invalid_request', '?feature'],
    [{ from: 'yesterday' }, 'invalid_request', '?from'],
    [{ to: '2023-02-30T00:00:00Z' }, 'invalid_request', '?to'],
    [{ cursor: 'x' }, 'invalid_request', '?cursor'],
    [{ limit: '0' }, 'invalid_request', '?limit'],
    [{ limit: '101' }, 'invalid_request', '?limit'],
    [{ limit: '-1' }, 'invalid_request', '?limit'],
    [{ page: '1' }, 'invalid_request', '?page']
  ]
  for (const [query, code, pointer] of cases) {
    t.hasStrict((await api.get('/v1/usage', { org, ...query })).body, { status: 400, code, errors: [{ pointer }] }, JSON.stringify(query))
  }
})

t.end()
