import t, { type Test } from 'tap'
import { type Api, type ApiOptions, type Body, openApi } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'

const SUCCESS = 'https://app.example.com/welcome'
const CANCEL = 'https://app.example.com/pricing'
const LINK = 'mutation ($userId: String, $templateId: String!) ' +
  `{ generateSubscriptionLink(userId: $userId, templateId: $templateId, successUrl: "${SUCCESS}", cancelUrl: "${CANCEL}") { url } }`

interface Caller {
  readonly graphql: (query: string, variables?: Body) => Promise<Body>
  /** As a browser has it: without a key, and it does not follow. */
  readonly open: (url: string) => Promise<{ status: number, page: string }>
  readonly confirm: (url: string) => Promise<{ status: number, location: string | null, page: string }>
}

/** Over a real connection, as everybody outside meets it. */
async function callerOf (api: Api, authorization: string): Promise<Caller> {
  const address = await api.app.listen({ port: 0 })
  return {
    graphql: async (query, variables = {}) => await (await fetch(`${address}/graphql`, {
      method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body: JSON.stringify({ query, variables })
    })).json() as Body,
    open: async url => {
      const response = await fetch(url)
      return { status: response.status, page: await response.text() }
    },
    confirm: async url => {
      const response = await fetch(url, { method: 'POST', body: new URLSearchParams(), redirect: 'manual' })
      return { status: response.status, location: response.headers.get('location'), page: await response.text() }
    }
  }
}

async function sell (api: Api): Promise<void> {
  await api.push({
    'plan:pro@0': { title: 'Pro', features: { 'feature:calls': { tiers: [{ upto: 100 }] } } },
    'plan:max@0': { title: 'Max', features: { 'feature:calls': { tiers: [{ upto: 200 }] } } }
  })
  for (const plan of ['pro', 'max']) {
    const price = { provider: 'STRIPE', id: `price_${plan}`, amount: 5_000, currency: 'gbp', interval: 'month' }
    await api.send({ method: 'PUT', url: `/v1/plans/plan:${plan}@0/prices`, payload: { prices: [price] } })
    await api.post('/v1/billing-templates', { id: `${plan}-monthly`, plan: `plan:${plan}@0`, price: price.id })
  }
}

async function specification (t: Test, api: Api, key: string): Promise<void> {
  const { graphql, open, confirm } = await callerOf(api, key)
  await api.on('2024-01-10')
  await sell(api)
  const linkTo = async (templateId: string, userId?: string): Promise<string> => {
    const { data, errors } = await graphql(LINK, { templateId, userId })
    if (data === null) throw new Error(JSON.stringify(errors))
    return data.generateSubscriptionLink.url
  }
  const orgs = async (): Promise<Body[]> => (await api.get('/v1/orgs')).body.orgs

  await t.test('the page subscribes the user on confirm, once, and leads on', async t => {
    await graphql('mutation { createUser(input: { id: "124" }) { id } }')
    const url = await linkTo('pro-monthly', '124')
    const { status, page } = await open(url)
    t.equal(status, 200)
    t.match(page, 'Confirm Pro')
    t.match(page, CANCEL)
    t.strictSame((await graphql('{ subscriptions(userId: "124") { id } }')).data.subscriptions, [], 'to look at it changes nothing')
    for (let time = 0; time < 2; time += 1) t.hasStrict(await confirm(url), { status: 303, location: SUCCESS })
    t.strictSame((await graphql('{ subscriptions(userId: "124") { status package { id } } }')).data.subscriptions, [{ status: 'ACTIVE', package: { id: 'pro' } }])
    t.hasStrict((await graphql('{ canUseFeature(userId: "124", featureId: "calls") { access } }')).data, { canUseFeature: { access: true } })
    t.equal((await open(url)).status, 410, 'it works once')
  })

  await t.test('without a user, whoever confirms becomes one', async t => {
    const before = (await orgs()).length
    const url = await linkTo('pro-monthly')
    t.equal((await open(url)).status, 200)
    t.equal((await orgs()).length, before, 'only whoever confirms')
    t.hasStrict(await confirm(url), { status: 303, location: SUCCESS })
    t.hasStrict(await confirm(url), { status: 303 })
    const made = (await orgs()).slice(before)
    t.strictSame(made.map(({ plans }) => plans), [['plan:pro@0']])
    t.match(made[0]?.org, /^org:user-[\da-f-]{36}$/)
    const [, id] = /^org:(.*)$/.exec(made[0]?.org) ?? []
    t.strictSame((await graphql('query ($id: String!) { user(id: $id) { id } }', { id })).data, { user: { id } }, 'as a user of Kana\'s')
  })

  await t.test('a paymentLink is for packages with a price, and leads nowhere afterwards', async t => {
    const { data } = await graphql('{ paymentLink(packageIds: ["max"]) { url } }')
    const { status, location } = await confirm(data.paymentLink.url)
    t.strictSame([status, location], [200, null])
    t.strictSame((await orgs()).at(-1)?.plans, ['plan:max@0'])
  })

  await t.test('a second base package cannot be added: the page says so, and nothing changes', async t => {
    await graphql('mutation { createUser(input: { id: "125" }) { id } }')
    const [first, second] = [await linkTo('pro-monthly', '125'), await linkTo('max-monthly', '125')]
    await confirm(first)
    const { status, page } = await confirm(second)
    t.equal(status, 409)
    t.match(page, 'This cannot be added')
    t.strictSame((await api.get('/v1/orgs/org:125')).body.plans, ['plan:pro@0'])
  })

  await t.test('a link that has expired, or was changed, does nothing', async t => {
    await graphql('mutation { createUser(input: { id: "126" }) { id } }')
    const url = await linkTo('pro-monthly', '126')
    t.equal((await open(`${url.slice(0, -1)}${url.endsWith('A') ? 'B' : 'A'}`)).status, 400)
    await api.on('2024-01-11')
    for (const seen of [await open(url), await confirm(url)]) {
      t.equal(seen.status, 410)
      t.match(seen.page, 'This link has expired')
    }
    t.strictSame((await api.get('/v1/orgs/org:126')).body.plans, [])
  })

  await t.test('a template or a user that is not there makes no link', async t => {
    t.hasStrict((await graphql(LINK, { templateId: 'nothing' })).errors, [{ extensions: { exception: { name: 'SubscriptionLinkError' } } }])
    t.hasStrict((await graphql(LINK, { templateId: 'pro-monthly', userId: 'nobody' })).errors, [{ extensions: { exception: { name: 'UserNotFoundError' } } }])
  })
}

const TEST_KEY = 'prv_test_0123456789abcdef'
const LIVE_KEY = 'prv_live_0123456789abcdef'
withEachLedger(t, 'subscription links', async (t, api) => await specification(t, api, TEST_KEY), { adminKey: TEST_KEY })

t.test('in live, no page takes the place of a payment, unless the setting allows it', async t => {
  const live = async (settings: ApiOptions): Promise<{ caller: Caller, api: Api }> => {
    const api = await openApi(t, { adminKey: LIVE_KEY, ...settings })
    await sell(api)
    return { api, caller: await callerOf(api, LIVE_KEY) }
  }
  const { caller: refused } = await live({})
  t.match(await refused.graphql(LINK, { templateId: 'pro-monthly' }), {
    data: null, errors: [{ message: /environment live refuses it/, extensions: { exception: { name: 'SubscriptionLinkError' } } }]
  })
  const { caller: allowed, api } = await live({ manualCheckoutInLive: true })
  const { data } = await allowed.graphql(LINK, { templateId: 'pro-monthly' })
  t.hasStrict(await allowed.confirm(data.generateSubscriptionLink.url), { status: 303, location: SUCCESS })
  t.equal((await api.get('/v1/orgs')).body.orgs.length, 1)
})
