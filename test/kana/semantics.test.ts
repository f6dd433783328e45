import t from 'tap'
import { type Body, openApi } from '../fixtures/api.ts'
import { can, CREATE_PACKAGE, limited, published, record, scenesOn, shown, subscribe, used } from './scene.ts'

/** Section 2 of Kana's contract: what its calls mean. */
const api = await openApi(t)
const fresh = scenesOn(api, 'semantics')

t.test('S4, S5, S6: package status: created DRAFT; users subscribe to PUBLISHED only; what is ARCHIVED does not change', async t => {
  const kana = await fresh()
  t.strictSame((await kana.ask(CREATE_PACKAGE, { input: { id: 'p', features: { id: 'calls' } } })).createPackage, { id: 'p', status: 'DRAFT' })
  const statusOf = async (status: string): Promise<string[]> =>
    (await kana.ask('query ($s: String) { packages(status: $s) { id } }', { s: status })).packages.map(({ id }: Body) => id)
  const update = async () => await kana.graphql('mutation { updatePackage(id: "p", input: { metadata: { a: { b: [1] } } }) { metadata } }')
  t.strictSame([await statusOf('PUBLISHED'), await statusOf('DRAFT'), await statusOf('ALL')], [[], ['p'], ['p']])
  t.match(await update(), { data: { updatePackage: { metadata: { a: { b: [1] } } } } }, 'of a draft')
  await kana.v1('POST', '/plans/plan:p@0/publish')
  t.match(await update(), { data: { updatePackage: {} } }, 'of a published one, too: that is no pricing')
  await kana.v1('POST', '/plans/plan:p@0/archive')
  t.match(await update(), { errors: [{ message: /archived/ }] })
  t.strictSame([await statusOf('PUBLISHED'), await statusOf('ARCHIVED')], [[], ['p']])
})

t.test('S12: several packages with one feature: the highest limit alone counts, unlimited above all', async t => {
  const kana = await fresh()
  await published(kana, 'base', limited(1000))
  await published(kana, 'extra', limited(500, { overageEnabled: true }), { isAddon: true })
  await published(kana, 'more', limited(2000, { overageEnabled: true }), { isAddon: true })
  await published(kana, 'all', null, { isAddon: true })
  const budget = async (): Promise<unknown> => {
    const { consumption } = await can(kana)
    return [consumption.budget, consumption.overageEnabled]
  }
  await subscribe(kana, 'base', 'extra')
  t.strictSame(await budget(), [1000, false], 'not 1500, and the other one\'s overage does not count')
  await subscribe(kana, 'more')
  t.strictSame(await budget(), [2000, true])
  await subscribe(kana, 'all')
  t.strictSame(await budget(), [null, false])
})

t.test('S3, S8, S9, S10: subscribe: all or nothing, base before or with add-ons, an add-on once, results in the order asked for', async t => {
  const kana = await fresh()
  await published(kana, 'base', limited(10))
  await published(kana, 'boost', limited(20), { isAddon: true })
  const refused = await kana.graphql('mutation { subscribe(packageIds: ["boost", "nope", "base"], userId: "u") { id } }')
  t.match(refused, { errors: [{ message: 'Package Id not found for app' }] })
  t.strictSame((await kana.ask('{ subscriptions(userId: "u") { id } }')).subscriptions, [])
  t.match(await subscribe(kana, 'boost', 'base'), [{ id: '1', status: 'ACTIVE', package: { id: 'boost' } }, { id: '2', package: { id: 'base' } }])
  t.match(await subscribe(kana, 'boost'), [{ id: '1' }], 'a retry finds the one that is live')
  await kana.at('2022-08-11')
  await kana.v1('DELETE', '/subscriptions/1')
  t.match(await subscribe(kana, 'boost'), [{ id: '3' }], 'one that was ended is taken anew')
  t.match((await kana.ask('{ subscriptions { id userId status } }')).subscriptions,
    [{ id: '1', userId: 'u', status: 'CANCELLED' }, { id: '2', status: 'ACTIVE' }, { id: '3', status: 'ACTIVE' }])
})

t.test('S11: statuses: those that Stripe has, as they are; what will end is not cancelled yet', async t => {
  const kana = await fresh()
  await published(kana, 'base', limited(10))
  const [{ id }] = await subscribe(kana, 'base') as [Body]
  const change = async (body: Body): Promise<unknown> => {
    const { id: next } = await kana.v1('PATCH', `/subscriptions/${id}`, body)
    return (await kana.ask('query ($id: String!) { subscription(id: $id) { status metadata } }', { id: String(next) })).subscription
  }
  t.strictSame(await change({ metadata: { seat: { row: 7 } } }), { status: 'ACTIVE', metadata: { seat: { row: 7 } } })
  t.match(await change({ status: 'trialing' }), { status: 'TRIALING', metadata: { seat: { row: 7 } } })
  t.match(await change({ status: 'cancelled', endsAt: '2022-09-01T00:00:00Z' }), { status: 'ACTIVE' })
  t.equal((await can(kana)).access, true)
  await kana.at('2022-09-01')
  t.match((await kana.ask('{ subscriptions(userId: "u") { status } }')).subscriptions, [{ status: 'CANCELLED' }])
  t.strictSame(await can(kana), { access: false, reason: 'The user has no active subscription to a package with this feature.', consumption: null })
})

t.test('S11: a status that gives no access takes it, and carries the metadata along', async t => {
  const kana = await fresh()
  await published(kana, 'base', limited(10))
  await subscribe(kana, 'base')
  await kana.at('2022-08-11')
  const { id, metadata } = await kana.v1('PATCH', '/subscriptions/1', { status: 'unpaid', metadata: { a: 1 } })
  t.strictSame([id, metadata], [2, { a: 1 }])
  t.match((await kana.ask('{ subscriptions(userId: "u") { status metadata } }')).subscriptions,
    [{ status: 'CANCELLED', metadata: { a: 1 } }, { status: 'UNPAID', metadata: { a: 1 } }])
  t.equal((await can(kana)).access, false)
  for (const status of ['past_due', 'incomplete', 'incomplete_expired']) {
    await kana.v1('PATCH', '/subscriptions/2', { status })
    t.match(await kana.ask('{ subscription(id: "2") { status } }'), { subscription: { status: status.toUpperCase() } })
    t.equal((await can(kana)).access, false, status)
  }
})

t.test('S16, S17, S19: recordUsage: beyond a limit, back again, never below 0, and SET', async t => {
  const kana = await fresh()
  await published(kana, 'base', limited(10))
  await subscribe(kana, 'base')
  const done = { recorded: true, reason: null }
  t.strictSame(await record(kana, 5), done)
  t.strictSame(await record(kana, -8), done)
  t.strictSame([await record(kana, 2), await used(kana)], [done, 2], '-8 after 5, then 2: the total stops at 0')
  t.strictSame([await record(kana, 100, 'SET'), await used(kana)], [done, 100])
  t.strictSame((await can(kana)).reason,
    'The user has a subscription to a package with this consumable feature but has no allowance remaining and overage is not enabled.')
  t.strictSame([await record(kana, 10, 'SET'), (await can(kana, 0)).access, (await can(kana, 1)).access], [done, true, false])
})

t.test('S18, S21: not entitled: recorded false with a reason; createUsageEvent is false', async t => {
  const kana = await fresh()
  const refused = { recorded: false, reason: 'The user has no active subscription to a package with this feature.' }
  t.strictSame(await record(kana, 1), refused)
  t.equal((await kana.ask('mutation { createUsageEvent(userId: "u", featureId: "calls", delta: 1) }')).createUsageEvent, false)
  t.strictSame(await shown(kana), { current: null, past: [] })
})

t.test('S20: of a binary feature no usage is counted: recorded false, and no event', async t => {
  const kana = await fresh()
  await published(kana, 'secure', null, { features: [{ id: 'sso' }] })
  await subscribe(kana, 'secure')
  t.strictSame(await can(kana, 1, 'sso'),
    { access: true, reason: 'The user has a subscription to a package with this binary feature.', consumption: null })
  t.match((await kana.ask('{ package(id: "secure") { features { type limit resetPeriod overageEnabled } } }')).package.features,
    [{ type: 'BINARY', limit: null, resetPeriod: null, overageEnabled: null }])
  const refused = { recorded: false, reason: 'The user has access to this binary feature, of which no usage is counted.' }
  for (const action of ['ADD', 'SET']) t.strictSame(await record(kana, 1, action, 'sso'), refused)
  t.equal((await kana.ask('mutation { createUsageEvent(userId: "u", featureId: "sso", delta: 1) }')).createUsageEvent, false)
  t.strictSame((await kana.v1('GET', '/events?org=org:u')).events, [])
})

t.test('S14: limits: none is unlimited, 0 is none, and overage lets all through', async t => {
  const kana = await fresh()
  await published(kana, 'zero', limited(0, { resetPeriod: 'DAY' }))
  await published(kana, 'paid', limited(0, { resetPeriod: 'YEAR', overageEnabled: true }), { isAddon: true })
  await subscribe(kana, 'zero')
  t.match(await can(kana), { access: false, consumption: { budget: 0 } })
  await subscribe(kana, 'paid')
  t.match(await can(kana), { access: true, consumption: { budget: 0, overageEnabled: true } })
  const { packages } = await kana.ask('{ packages { id features { limit resetPeriod overageEnabled } } }')
  t.strictSame(packages, [
    { id: 'paid', features: [{ limit: '0', resetPeriod: 'YEAR', overageEnabled: true }] },
    { id: 'zero', features: [{ limit: '0', resetPeriod: 'DAY', overageEnabled: false }] }
  ])
  const pulled = await kana.v1('GET', '/pull')
  t.strictSame(pulled.plans['plan:zero@0'].features, { 'feature:calls': { limit: 0, reset: 'day' } })
})

t.test('S22, S25, S26: periods count from the subscription, month ends included; a new base brings its own', async t => {
  const kana = await fresh('2024-01-31T10:00:00.500Z')
  await published(kana, 'base', limited(10))
  await published(kana, 'next', limited(20))
  await subscribe(kana, 'base')
  await record(kana, 3)
  await kana.at('2024-03-15')
  t.strictSame(await shown(kana), {
    current: { periodStart: '2024-02-29T10:00:00.500Z', periodEnd: '2024-03-31T10:00:00.500Z', consumption: { used: 0, budget: 10 } },
    past: [{ periodStart: '2024-01-31T10:00:00.500Z', periodEnd: '2024-02-29T10:00:00.500Z', consumption: { used: 3, budget: 10 } }]
  })
  await record(kana, 4)
  await kana.v1('DELETE', '/subscriptions/1')
  t.strictSame(await shown(kana), { current: null, past: [] })
  await subscribe(kana, 'next')
  t.strictSame(await shown(kana), {
    current: { periodStart: '2024-03-15T00:00:00.000Z', periodEnd: '2024-04-15T00:00:00.000Z', consumption: { used: 0, budget: 20 } }, past: []
  }, 'what was used before it does not count')
})

t.test('S27: updateUser: a new id, and all that is held and used follows', async t => {
  const kana = await fresh()
  await published(kana, 'base', limited(10))
  await subscribe(kana, 'base')
  await record(kana, 3)
  const { updateUser } = await kana.ask('mutation { updateUser(id: "u", input: { id: "w", name: "W", metadata: { a: 1 } }) { id name email metadata } }')
  t.strictSame(updateUser, { id: 'w', name: 'W', email: null, metadata: { a: 1 } })
  const { canUseFeature } = await kana.ask('{ canUseFeature(userId: "w", featureId: "calls") { consumption { used } } }')
  t.equal(canUseFeature.consumption.used, 3)
  t.match(await kana.graphql('{ canUseFeature(userId: "u", featureId: "calls") { access } }'), { errors: [{ message: 'User Id not found for app' }] })
  t.strictSame((await kana.ask('{ users { id } }')).users, [{ id: 'w' }, { id: 'v' }])
  t.match((await kana.v1('GET', '/events?org=org:w')).events, [{ n: 3 }])
  t.match(await kana.graphql('mutation { updateUser(id: "w", input: { email: "a@b.c" }) { id } }'), { errors: [{ message: /"email" is not defined/ }] })
})

t.test('older spellings', async t => {
  const kana = await fresh()
  await published(kana, '7', limited(10))
  t.strictSame((await kana.ask('mutation { createFeature(featureIdentifier: "old", name: "Old") { identifier name type } }')).createFeature,
    { identifier: 'old', name: 'Old', type: 'BINARY' })
  t.strictSame((await kana.ask('{ plans { id name } }')).plans, [{ id: '7', name: 'plan:7@0' }])
  t.strictSame((await kana.ask('mutation { subscribe(planIds: [7], userId: "u") { plan { id } } }')).subscribe, [{ plan: { id: '7' } }])
  t.match(await kana.graphql('{ paymentLink(packageIds: ["7"]) { url } }'), { errors: [{ extensions: { exception: { name: 'SubscriptionLinkError' } } }] })
  const price = { provider: 'STRIPE', id: 'price_1', amount: 1999, currency: 'jpy', interval: null }
  await kana.v1('PUT', '/plans/plan:7@0/prices', { prices: [price] })
  t.strictSame((await kana.ask('{ package(id: "7") { prices { amount displayAmount interval } } }')).package.prices,
    [{ amount: 1999, displayAmount: '1999', interval: null }], 'yen have no minor unit')
  t.match((await kana.ask('{ paymentLink(packageIds: ["7"]) { url } }')).paymentLink.url, /^http:\/\/localhost:80\/checkout\//)
})

t.test('S30: a link: whoever confirms is subscribed, and becomes a user if none was named', async t => {
  const kana = await fresh()
  await published(kana, 'base', limited(10))
  await published(kana, 'boost', limited(20), { isAddon: true })
  for (const id of ['base', 'boost']) {
    await kana.v1('PUT', `/plans/plan:${id}@0/prices`, { prices: [{ provider: 'STRIPE', id: `price_${id}`, amount: 100, currency: 'usd', interval: 'month' }] })
    await kana.v1('POST', '/billing-templates', { id, plan: `plan:${id}@0`, price: `price_${id}` })
  }
  const linkTo = async (templateId: string, userId?: string): Promise<string> => (await kana.ask(`mutation ($t: String!, $u: String) {
    generateSubscriptionLink(templateId: $t, userId: $u, successUrl: "https://example.com/thanks", cancelUrl: "https://example.com/no") { url } }`,
  { t: templateId, ...(userId !== undefined && { u: userId }) })).generateSubscriptionLink.url
  const confirm = async (url: string): Promise<number> => (await api.app.inject({ method: 'POST', url: new URL(url).pathname })).statusCode
  const look = async (url: string): Promise<string> => (await api.app.inject({ url: new URL(url).pathname })).payload

  const base = await linkTo('base', 'u')
  t.equal(await confirm(await linkTo('boost', 'u')), 409, 'an add-on without a base')
  t.match(await look(base), 'org:u')
  t.equal(await confirm(base), 303)
  t.equal(await confirm(await linkTo('boost', 'u')), 303)
  t.match((await kana.ask('{ subscriptions(userId: "u") { package { id } } }')).subscriptions, [{ package: { id: 'base' } }, { package: { id: 'boost' } }],
    'it is added, and replaces nothing')
  t.equal(await confirm(await linkTo('base', 'u')), 409, 'a second base')

  const anybody = await linkTo('base')
  t.match(await look(anybody), 'a new account')
  t.equal((await kana.ask('{ users { id } }')).users.length, 2, 'nobody as yet')
  t.equal(await confirm(anybody), 303)
  await confirm(anybody)
  const { users } = await kana.ask('{ users { id } }')
  t.match(users, [{ id: 'u' }, { id: 'v' }, { id: /^user-/ }])
  t.match((await kana.ask('query ($u: String) { subscriptions(userId: $u) { status } }', { u: users[2].id })).subscriptions, [{ status: 'ACTIVE' }])
})

t.end()
