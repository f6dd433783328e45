import t from 'tap'
import { adminSchema } from '../../src/kana/admin-schema.ts'
import { openApi } from '../fixtures/api.ts'
import { can, limited, published, record, scenesOn, shown, subscribe, used } from './scene.ts'

/** Where Kana's documents contradict each other, what was decided: the rows D1 to D15 of its contract. */
const api = await openApi(t)
const fresh = scenesOn(api, 'conflicts')

t.test('D1: a limit goes in as a number and comes out as text, null where there is none; /v1 has a number', async t => {
  const kana = await fresh()
  await published(kana, 'some', limited(1000), { features: [{ id: 'calls', entitlement: limited(1000) }, { id: 'sso' }] })
  await published(kana, 'all', null)
  const { packages } = await kana.ask('{ packages { id features { id limit } } }')
  t.strictSame(packages, [
    { id: 'all', features: [{ id: 'calls', limit: null }] },
    { id: 'some', features: [{ id: 'calls', limit: '1000' }, { id: 'sso', limit: null }] }
  ])
  const text = 'mutation { createPackage(input: { id: "t", features: { id: "calls", entitlement: { limit: "1000.5", resetPeriod: DAY } } }) { id } }'
  t.match(await kana.graphql(text), { errors: [{ message: /Int cannot represent/ }] })
  await subscribe(kana, 'some')
  t.equal((await kana.v1('GET', '/can?org=org:u&feature=feature:calls')).limit, 1000)
})

t.test('D2: updateUser answers under its own name', async t => {
  const kana = await fresh()
  t.strictSame(await kana.ask('mutation { updateUser(id: "u", input: { name: "N" }) { id name } }'), { updateUser: { id: 'u', name: 'N' } })
})

t.test('D3: a new subscription to an add-on is ACTIVE, and has metadata when they are asked for', async t => {
  const kana = await fresh()
  await published(kana, 'base', limited(1))
  await published(kana, 'extra', limited(2), { isAddon: true })
  const ask = async (fields: string) => (await kana.ask(`mutation { subscribe(userId: "u", packageIds: ["base", "extra"]) { ${fields} } }`)).subscribe
  t.strictSame(await ask('status'), [{ status: 'ACTIVE' }, { status: 'ACTIVE' }])
  t.strictSame((await kana.ask('{ subscriptions(userId: "u") { status metadata } }')).subscriptions,
    [{ status: 'ACTIVE', metadata: {} }, { status: 'ACTIVE', metadata: {} }])
})

t.test('D4, D6, S29: prices: none until one is linked, in minor units and as shown; paid once, the interval is null', async t => {
  const kana = await fresh()
  const create = 'mutation { createPackage(input: { id: "p", features: { id: "calls" } }) { prices { id } } }'
  t.strictSame((await kana.ask(create)).createPackage, { prices: [] })
  const prices = [
    { provider: 'STRIPE', id: 'price_1', amount: 5000, currency: 'gbp', interval: 'month' },
    { provider: 'STRIPE', id: 'price_2', amount: 3500, currency: 'gbp', interval: null }
  ]
  await kana.v1('PUT', '/plans/plan:p@0/prices', { prices })
  t.strictSame((await kana.ask('{ package(id: "p") { prices { id provider amount displayAmount currency interval } } }')).package.prices,
    prices.map((price, i) => ({ ...price, displayAmount: ['50.00', '35.00'][i] })))
})

t.test('D5: answers have what was asked for, and no more', async t => {
  const kana = await fresh()
  await published(kana, 'p', limited(1))
  const { updateFeature } = await kana.ask('mutation { updateFeature(id: "calls", input: { name: "Calls" }) { name packages { id } } }')
  t.strictSame(updateFeature, { name: 'Calls', packages: [{ id: 'p' }] })
  await subscribe(kana, 'p')
  t.strictSame((await kana.ask('{ subscription(id: "1") { package { features { name } } } }')).subscription, { package: { features: [{ name: 'Calls' }] } })
})

t.test('D7: a link is made under both of its names', async t => {
  const kana = await fresh()
  await published(kana, 'p', limited(1))
  await kana.v1('PUT', '/plans/plan:p@0/prices', { prices: [{ provider: 'STRIPE', id: 'price_1', amount: 1, currency: 'usd', interval: null }] })
  await kana.v1('POST', '/billing-templates', { id: 'template', plan: 'plan:p@0', price: 'price_1' })
  for (const name of ['generateSubscriptionLink', 'generateSubscriptionLinks']) {
    const { [name]: { url } } = await kana.ask(`mutation { ${name}(templateId: "template", successUrl: "https://example.com/a", cancelUrl: "https://example.com/b") { url } }`)
    t.match(url, /^http:\/\/localhost:80\/checkout\//)
  }
})

t.test('D8: usage is recorded under its three names, with arguments and with an input', async t => {
  const kana = await fresh()
  await published(kana, 'p', limited(10))
  await subscribe(kana, 'p')
  t.strictSame(await record(kana, 1), { recorded: true, reason: null })
  for (const name of ['createUsageEvent', 'createusageevent']) {
    t.strictSame(await kana.ask(`mutation { ${name}(userId: "u", featureId: "calls", delta: 1) }`), { [name]: true })
    t.strictSame(await kana.ask(`mutation { ${name}(input: { userId: "u", featureId: "calls" }) }`), { [name]: true })
    t.match(await kana.graphql(`mutation { ${name}(userId: "u") }`), { errors: [{ message: /needs userId and featureId/ }] })
  }
  t.equal(await used(kana), 5)
})

t.test('D9: feature and canUseFeature are two queries, of one feature', async t => {
  const kana = await fresh()
  await published(kana, 'p', limited(10))
  await subscribe(kana, 'p')
  const { feature, canUseFeature } = await kana.ask(`{
    feature(id: "calls") { id entitlement(userId: "u") { access reason consumption { used budget overageEnabled } } }
    canUseFeature(userId: "u", featureId: "calls") { access reason consumption { used budget overageEnabled } } }`)
  t.strictSame(feature, { id: 'calls', entitlement: canUseFeature })
})

t.test('D10: "data" is where the SDK puts its result: nothing has a field of that name', async t => {
  const fields = Object.values(adminSchema.getTypeMap()).flatMap(type => 'getFields' in type ? Object.keys(type.getFields()) : [])
  t.ok(fields.includes('canUseFeature'))
  t.notOk(fields.includes('data'))
  t.match(await (await fresh()).graphql('{ user(id: "u") { id data { id } } }'), { errors: [{ message: /Cannot query field "data"/ }] })
})

t.test('D11: includeFeatures changes nothing: features are there when they are asked for', async t => {
  const kana = await fresh()
  await published(kana, 'p', limited(10))
  for (const includeFeatures of [true, false]) {
    const { package: one, packages } = await kana.ask('query ($f: Boolean) { package(id: "p", includeFeatures: $f) { features { id } } packages(includeFeatures: $f) { features { id } } }',
      { f: includeFeatures })
    t.strictSame([one, ...packages], [{ features: [{ id: 'calls' }] }, { features: [{ id: 'calls' }] }])
  }
})

t.test('D12: subscribe answers with the type that the queries have', async t => {
  const kana = await fresh()
  await published(kana, 'p', limited(10))
  const { subscribe: [taken] } = await kana.ask('mutation { subscribe(userId: "u", packageIds: ["p"]) { __typename id } }')
  t.strictSame(taken, (await kana.ask('{ subscription(id: "1") { __typename id } }')).subscription)
  t.equal(taken.__typename, 'PackageSubscription')
})

t.test('D13: showUsage has current and past, not usages and since', async t => {
  const kana = await fresh()
  t.strictSame(await shown(kana), { current: null, past: [] })
  for (const stale of ['usages', 'since']) {
    t.match(await kana.graphql(`{ showUsage(userId: "u", featureId: "calls") { ${stale} } }`), { errors: [{ message: `Cannot query field "${stale}" on type "ShowUsageData".` }] })
  }
})

t.test('D14, S1: a feature\'s id and type stay, in every package', async t => {
  const kana = await fresh()
  for (const change of ['id: "other"', 'type: BINARY']) {
    t.match(await kana.graphql(`mutation { updateFeature(id: "calls", input: { ${change} }) { id } }`), { errors: [{ message: /is not defined by type "UpdateFeatureInput"/ }] })
  }
  await published(kana, 'p', null, { features: [{ id: 'sso', entitlement: limited(7) }, { id: 'calls' }] })
  t.strictSame((await kana.ask('{ package(id: "p") { features { id type limit } } }')).package.features,
    [{ id: 'calls', type: 'CONSUMABLE', limit: null }, { id: 'sso', type: 'BINARY', limit: null }])
  await subscribe(kana, 'p')
  t.match([await can(kana), await can(kana, 1, 'sso')], [{ access: true, consumption: { used: 0 } }, { access: true, consumption: null }])
})

t.end()
