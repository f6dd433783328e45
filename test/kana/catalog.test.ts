import t from 'tap'
import { type Body, openApi } from '../fixtures/api.ts'
import { can, limited, published, record, scenesOn, shown, subscribe } from './scene.ts'

/** Section 2 of Kana's contract, what there is: features, packages, ids, users; and how what is used of them adds up. */
const api = await openApi(t)
const fresh = scenesOn(api, 'catalog')

t.test('S2: unit labels are for CONSUMABLE features, null elsewhere', async t => {
  const kana = await fresh()
  const labels = { unitLabel: 'page', unitLabelPlural: 'pages' }
  const make = async (input: Body): Promise<Body> =>
    (await kana.ask('mutation ($input: CreateFeatureInput!) { createFeature(input: $input) { unitLabel unitLabelPlural } }', { input })).createFeature
  t.strictSame(await make({ id: 'pages', type: 'CONSUMABLE', ...labels }), labels)
  const none = { unitLabel: null, unitLabelPlural: null }
  t.strictSame(await make({ id: 'theme', type: 'BINARY', ...labels }), none)
  await published(kana, 'p', null, { features: [{ id: 'pages' }, { id: 'theme' }] })
  t.strictSame((await kana.ask('{ package(id: "p") { features { unitLabel unitLabelPlural } } }')).package.features, [labels, none])
})

t.test('S3: at most one base package, and any number of add-ons', async t => {
  const kana = await fresh()
  for (const id of ['base', 'other']) await published(kana, id, limited(1))
  for (const id of ['a', 'b', 'c']) await published(kana, id, limited(2), { isAddon: true })
  t.equal((await subscribe(kana, 'base', 'a', 'b', 'c')).length, 4)
  t.match(await kana.graphql('mutation { subscribe(userId: "u", packageIds: ["other"]) { id } }'), { errors: [{ message: 'Cannot subscribe to multiple tiers' }] })
})

t.test('S7: an add-on that no base package names is open to all; one that is named, on those only', async t => {
  const kana = await fresh()
  for (const id of ['base', 'other']) await published(kana, id, limited(1))
  for (const id of ['free', 'named']) await published(kana, id, limited(2), { isAddon: true })
  await kana.v1('PUT', '/plans/plan:other@0/addons', { addons: ['plan:named@0'] })
  t.match(await subscribe(kana, 'base', 'free'), [{ status: 'ACTIVE' }, { status: 'ACTIVE' }])
  t.match(await kana.graphql('mutation { subscribe(userId: "u", packageIds: ["named"]) { id } }'), { errors: [{ message: /^Cannot subscribe to addon/ }] })
  t.strictSame(await kana.ask('mutation { subscribe(userId: "v", packageIds: ["other", "named"]) { status } }'),
    { subscribe: [{ status: 'ACTIVE' }, { status: 'ACTIVE' }] })
})

t.test('S13, S26: consumption: used, budget and overageEnabled; none of BINARY features, whose usage shows nothing', async t => {
  const kana = await fresh()
  await published(kana, 'p', null, { features: [{ id: 'calls', entitlement: limited(10, { overageEnabled: true }) }, { id: 'sso' }] })
  await subscribe(kana, 'p')
  await record(kana, 3)
  t.strictSame((await can(kana)).consumption, { used: 3, budget: 10, overageEnabled: true })
  t.equal((await can(kana, 1, 'sso')).consumption, null)
  t.strictSame(await shown(kana, 'sso'), { current: null, past: [] })
})

t.test('S22: DAY, MONTH and YEAR: counted from the subscription to the millisecond, the end not included', async t => {
  const kana = await fresh('2024-02-29T10:00:00.250Z')
  for (const resetPeriod of ['DAY', 'MONTH', 'YEAR']) {
    const id = resetPeriod.toLowerCase()
    await kana.ask('mutation ($id: String!) { createFeature(input: { id: $id, type: CONSUMABLE }) { id } }', { id })
    await published(kana, `p-${id}`, null, { isAddon: id !== 'day', features: [{ id, entitlement: { limit: 5, resetPeriod } }] })
  }
  await subscribe(kana, 'p-day', 'p-month', 'p-year')
  for (const [id, end, next] of [
    ['day', '2024-03-01T10:00:00.250Z', '2024-03-02T10:00:00.250Z'],
    ['month', '2024-03-29T10:00:00.250Z', '2024-04-29T10:00:00.250Z'],
    ['year', '2025-02-28T10:00:00.250Z', '2026-02-28T10:00:00.250Z']
  ] as const) {
    await kana.at(new Date(Date.parse(end) - 1).toISOString())
    await record(kana, 1, 'ADD', id)
    t.match((await shown(kana, id)).current, { periodEnd: end, consumption: { used: 1 } })
    await kana.at(end)
    await record(kana, 2, 'ADD', id)
    const { current, past: [last] } = await shown(kana, id)
    t.match(current, { periodStart: end, periodEnd: next, consumption: { used: 2 } }, id)
    t.match(last, { periodEnd: end, consumption: { used: 1 } }, id)
  }
})

t.test('S23: the reset period has nothing to do with the interval of a price', async t => {
  const kana = await fresh('2024-01-01T00:00:00Z')
  await published(kana, 'p', limited(5, { resetPeriod: 'DAY' }))
  await kana.v1('PUT', '/plans/plan:p@0/prices', { prices: [{ provider: 'STRIPE', id: 'price_1', amount: 1, currency: 'usd', interval: 'year' }] })
  await subscribe(kana, 'p')
  t.equal((await shown(kana)).current.periodEnd, '2024-01-02T00:00:00.000Z')
})

t.test('S24: every package of Kana resets; a plan of ours need not, and its period has no end', async t => {
  const kana = await fresh()
  t.match(await kana.graphql('mutation { createPackage(input: { id: "p", features: { id: "calls", entitlement: { limit: 1 } } }) { id } }'),
    { errors: [{ message: 'Field "EntitlementInput.resetPeriod" of required type "ResetPeriod!" was not provided.' }] })
  await kana.v1('POST', '/plans', { plans: { 'plan:once@0': { features: { 'feature:calls': { limit: 3, reset: 'never' } } } } })
  await kana.v1('POST', '/plans/plan:once@0/publish')
  t.strictSame((await kana.ask('{ package(id: "once") { features { limit resetPeriod } } }')).package.features, [{ limit: '3', resetPeriod: null }])
  await subscribe(kana, 'once')
  await record(kana, 2)
  await kana.at('2032-01-01')
  t.match(await shown(kana), { current: { periodEnd: null, consumption: { used: 2, budget: 3 } }, past: [] })
})

t.test('S28: ids are the caller\'s, as texts; those of subscriptions are counted, as texts', async t => {
  const kana = await fresh()
  const odd = 'auth0|5f7c Zoë'
  await published(kana, '007', limited(1))
  t.strictSame((await kana.ask('mutation ($id: String!) { createUser(input: { id: $id }) { id } }', { id: odd })).createUser, { id: odd })
  const take = 'mutation ($u: String!) { subscribe(userId: $u, packageIds: ["007"]) { id userId package { id } } }'
  t.strictSame((await kana.ask(take, { u: odd })).subscribe, [{ id: '1', userId: odd, package: { id: '007' } }])
  t.strictSame((await kana.ask(take, { u: 'u' })).subscribe, [{ id: '2', userId: 'u', package: { id: '007' } }])
  t.match(await kana.graphql('mutation { createUser(input: { id: 124 }) { id } }'), { errors: [{ message: 'String cannot represent a non string value: 124' }] })
})

t.test('S31: many users may have one e-mail address', async t => {
  const kana = await fresh()
  const create = 'mutation ($id: String!) { createUser(input: { id: $id, email: "one@example.com" }) { id } }'
  for (const id of ['a', 'b']) await kana.ask(create, { id })
  t.strictSame((await kana.ask('{ users { id email } }')).users.filter(({ email }: Body) => email !== null),
    [{ id: 'a', email: 'one@example.com' }, { id: 'b', email: 'one@example.com' }])
})

t.test('S35: canUseFeature has four reasons; the documented one stands for allowance and overage', async t => {
  const kana = await fresh()
  const reason = async (featureId: string): Promise<string> => (await can(kana, 1, featureId)).reason
  t.equal(await reason('calls'), 'The user has no active subscription to a package with this feature.')
  await published(kana, 'p', null, { features: [{ id: 'calls', entitlement: limited(1) }, { id: 'sso' }] })
  await published(kana, 'more', limited(1, { overageEnabled: true }), { isAddon: true })
  await subscribe(kana, 'p')
  const allowed = 'The user has a subcription to a package with this consumable feature and either has an allowance remaining or overage is enabled.'
  t.equal(await reason('calls'), allowed)
  t.equal(await reason('sso'), 'The user has a subscription to a package with this binary feature.')
  await record(kana, 1)
  t.equal(await reason('calls'), 'The user has a subscription to a package with this consumable feature but has no allowance remaining and overage is not enabled.')
  await subscribe(kana, 'more')
  t.equal(await reason('calls'), allowed)
})

t.end()
