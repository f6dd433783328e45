import { randomUUID } from 'node:crypto'
import t from 'tap'
import * as sdk from 'tier'
import { Tier } from 'tier/client'
import { openSdk } from './sdk-specification.ts'

/** What Tier's SDK does by itself that leans on the server: the items of section 6 of Tier's contract, with a real client on top. */

type OrgName = `org:${string}`
const { api, url, client } = await openSdk(t, { manualCheckoutInLive: true })
const { apiKey } = client
/** The model of Tier's demo for Node: it converts temperatures. */
const MODEL = {
  plans: {
    'plan:free@1': { title: 'Free', features: { 'feature:convert': { tiers: [{ upto: 10 }] } } },
    'plan:pro@1': { title: 'Pro', features: { 'feature:convert': { tiers: [{ upto: 100, base: 1000 }, { price: 1 }] } } }
  }
} as const
await sdk.push(MODEL as never)

let orgs = 0
const nextOrg = (): OrgName => `org:behaves-${(orgs += 1)}`

/** A client that notes its requests. */
function watched (members: object = {}): { client: Tier, requests: string[] } {
  const requests: string[] = []
  const fetchImpl = async (input: string, init: RequestInit) => {
    requests.push(`${init.method ?? 'GET'} ${new URL(input).pathname}`)
    return await fetch(input, init)
  }
  return { client: new Tier({ baseURL: url, apiKey, fetchImpl: fetchImpl as never, ...members }), requests }
}

t.test('6 item 1: can asks once for the limits, and is ok below the limit', async t => {
  const { client, requests } = watched()
  const org = nextOrg()
  await client.subscribe(org, 'plan:free@1')
  requests.length = 0
  t.equal((await client.can(org, 'feature:convert')).ok, true)
  t.strictSame(requests, ['GET /v1/limits'])
  await client.report(org, 'feature:convert', 9)
  t.equal((await client.can(org, 'feature:convert')).ok, true, '9 of 10')
  await client.report(org, 'feature:convert')
  t.equal((await client.can(org, 'feature:convert')).ok, false, '10 of 10')
})

t.test('6 item 1: can is ok with err on any refusal, also of the key; and never rejects for who holds nothing', async t => {
  for (const [caller, code] of [[client, 'org_not_found'], [new Tier({ baseURL: url, apiKey: 'wrong' }), 'unauthorized']] as const) {
    const { ok, err } = await caller.can('org:nobody', 'feature:convert')
    t.strictSame([ok, err?.code], [true, code])
  }
  const org = nextOrg()
  await client.cancel(org)
  const { ok, err } = await client.can(org, 'feature:convert')
  t.strictSame([ok, err], [false, undefined])
})

t.test('6 item 2: an answer knows what it is about, and reports; it has no limit, used or remaining', async t => {
  const org = nextOrg()
  await client.subscribe(org, 'plan:free@1')
  const access = await client.can(org, 'feature:convert')
  t.strictSame([access.ok, access.feature, access.org, access.client, access.err], [true, 'feature:convert', org, client, undefined])
  for (const member of ['limit', 'used', 'remaining']) t.notOk(member in access, member)
  await access.report()
  await access.report(6)
  t.equal((await client.lookupLimit(org, 'feature:convert')).used, 7)
  await access.report(2, { at: new Date(), clobber: true })
  t.equal((await client.lookupLimit(org, 'feature:convert')).used, 2)
})

t.test('6 item 3: lookupLimit finds a feature by its bare name, and no other that begins like it', async t => {
  await client.push({ plans: { 'plan:names@0': { features: { 'feature:conv': { tiers: [{ upto: 3 }] }, 'feature:convert': { tiers: [{ upto: 4 }] } } } } } as never)
  const org = nextOrg()
  await client.subscribe(org, 'plan:names@0')
  for (const [feature, limit] of [['feature:conv', 3], ['feature:convert', 4], ['feature:con', 0]] as const) {
    t.strictSame(await client.lookupLimit(org, feature), { feature, used: 0, limit })
  }
})

t.test('6 item 5: functions drop options that methods keep: a payment method, and a billing address', async t => {
  const org = nextOrg()
  const options = { paymentMethodID: 'pm_x' }
  await sdk.subscribe(org, 'plan:free@1', options)
  await sdk.schedule(org, [{ features: ['plan:free@1'] }], options)
  await t.rejects(client.subscribe(org, 'plan:free@1', options), { code: 'invalid_payment_method' })
  await t.rejects(client.schedule(org, [{ features: ['plan:free@1'] }], options), { code: 'invalid_payment_method' })
  const checkout = { features: 'plan:pro@1', requireBillingAddress: true } as const
  for (const { url } of [await sdk.checkout(org, 'https://app.example.com', checkout), await client.checkout(org, 'https://app.example.com', checkout)]) {
    t.equal((await fetch(url)).status, 200)
  }
})

t.test('6 item 5: functions without client options use what the environment says', async t => {
  const org = nextOrg()
  await sdk.updateOrg(org, { email: 'a@example.com', name: '', description: '', phone: '', metadata: {} })
  await sdk.subscribe(org, 'plan:free@1')
  t.strictSame(await sdk.whoami(), await client.whoami())
  t.strictSame(await sdk.whois(org), await client.whois(org))
  t.strictSame(await sdk.lookupOrg(org), await client.lookupOrg(org))
  t.strictSame(await sdk.lookupPhase(org), await client.lookupPhase(org))
  t.strictSame(await sdk.lookupPaymentMethods(org), { org, methods: [] })
  t.hasStrict(await sdk.push(MODEL as never), { results: [{ status: 'failed', reason: 'plan already exists' }, { status: 'failed' }] })
})

t.test('6 item 6: the client checks nothing: what is wrong is told by the server, with the field', async t => {
  for (const [work, message, pointer] of [
    [async () => await client.subscribe('acme' as OrgName, 'plan:free@1'), 'org must be prefixed with "org:"', '/org'],
    [async () => await client.subscribe('org:acme', 'free' as never), "plan name must start with 'plan:'", '/phases/0/features/0'],
    [async () => await client.report('org:acme', 'convert' as never), "feature name must start with 'feature:'", '/feature'],
    [async () => await client.push({ plans: { 'plan:none@0': { features: {} } } }), 'plans["plan:none@0"]: plans must have at least one feature',
      '/plans/plan:none@0/features']
  ] as const) {
    const error: unknown = await work().catch((error: unknown) => error)
    if (!sdk.isTierError(error)) throw new Error(`it was not refused: ${message}`)
    t.strictSame([error.status, error.code, error.message, error.responseData.errors[0].pointer], [400, 'invalid_request', message, pointer])
  }
})

t.test('6 item 7: the client\'s debug output never has the key', async t => {
  const printed: string[] = []
  const { info } = console
  console.info = (...words: unknown[]) => printed.push(JSON.stringify(words))
  t.teardown(() => { console.info = info })
  const { client } = watched({ debug: true })
  await client.subscribe('org:debug', 'plan:free@1')
  await client.lookupLimits('org:debug')
  t.equal(printed.length, 2)
  t.notMatch(printed.join(), apiKey)
  t.notMatch(printed.join(), Buffer.from(`${apiKey}:`).toString('base64'))
})

t.test('9.4 a real program: ten conversions are free, the eleventh is refused, and a change of plan lets it go on', async t => {
  t.equal((await sdk.whoami()).id, 'live')
  t.strictSame(Object.keys((await sdk.pullLatest()).plans).filter(plan => plan in MODEL.plans), Object.keys(MODEL.plans), 'its page of prices')
  const org: OrgName = `org:${randomUUID()}`
  await sdk.subscribe(org, 'plan:free@1', { info: { email: 'user@example.com', name: 'user', description: '', phone: '', metadata: {} } })
  const convert = async (fahrenheit: number): Promise<number | 'payment required'> => {
    const access = await sdk.can(org, 'feature:convert')
    if (!access.ok) return 'payment required'
    await access.report()
    return (fahrenheit - 32) * 5 / 9
  }
  for (let i = 0; i < 10; i += 1) t.equal(await convert(212), 100)
  t.equal(await convert(212), 'payment required')
  t.equal((await sdk.lookupPhase(org)).plans?.[0], 'plan:free@1')
  await sdk.subscribe(org, 'plan:pro@1')
  t.equal(await convert(212), 100)
  t.equal((await sdk.lookupPhase(org)).plans?.[0], 'plan:pro@1', 'what its login reads')
  t.strictSame(await sdk.limit(org, 'feature:convert'), { feature: 'feature:convert', used: 11, limit: 2 ** 63 })
  t.strictSame((await api.get('/v1/cost', { org })).body.total, { usd: 1000 }, '11 of the 100 that its base pays for')
})

t.end()
