import * as sdk from 'tier'
import { Tier, TierWithClock } from 'tier/client'
import type { Test } from 'tap'
import { type Api, type ApiOptions, openApi } from '../fixtures/api.ts'

const KEY = 'prv_live_0123456789abcdef'
const FREE = { title: 'Free', features: { 'feature:convert': { tiers: [{ upto: 10 }] }, 'feature:seat': { base: 1000 } } }
const PRO = { title: 'Pro', features: { 'feature:convert': { tiers: [{ upto: 100, base: 1000 }, { price: 1 }] }, 'feature:extra': { tiers: [{}] } } }
const MODEL = { plans: { 'plan:free@0': FREE, 'plan:pro@1': PRO } } as const
const DAY_MS = 86_400_000

type OrgName = `org:${string}`

/** The service on a port, and the unmodified SDK of Tier on it: as functions, by the environment, and as its client. */
export interface Sdk {
  readonly api: Api
  readonly url: string
  readonly client: Tier
}

/** Sets what the SDK reads of the environment, so one of these is open at a time in a process. */
export async function openSdk (t: Test, options: ApiOptions = {}): Promise<Sdk> {
  const api = await openApi(t, { adminKey: KEY, ...options })
  const url = await api.app.listen({ host: '127.0.0.1', port: 0 })
  useEnvironment(url)
  return { api, url, client: new Tier({ baseURL: url, apiKey: KEY }) }
}

function useEnvironment (url: string): void {
  process.env.TIER_BASE_URL = url
  process.env.TIER_API_KEY = KEY
}

let orgs = 0
const nextOrg = (): OrgName => `org:sdk-${(orgs += 1)}`

async function errorOf (work: Promise<unknown>): Promise<{ status: number, code: string | undefined, message: string }> {
  const error = await work.then(() => { throw new Error('it was not refused') }, error => error as unknown)
  if (!sdk.isTierError(error)) throw error
  const { status, code, message } = error
  return { status, code, message }
}

/** Every public method of `tier@5.10.0`, as functions and of its client. */
export async function sdkSpecification (t: Test, options: ApiOptions): Promise<void> {
  const { url, client } = await openSdk(t, options)

  await t.test('push creates, and an identical push is refused per feature, with 200', async t => {
    t.strictSame(await sdk.push(MODEL as never), {
      results: [
        ['feature:convert@plan:free@0', 'created'], ['feature:seat@plan:free@0', 'created'],
        ['feature:convert@plan:pro@1', 'created'], ['feature:extra@plan:pro@1', 'created']
      ].map(([feature, reason]) => ({ feature, status: 'ok', reason }))
    })
    const again = await client.push(MODEL as never)
    t.ok(again.results?.every(({ status, reason }) => status === 'failed' && reason === 'plan already exists'))
  })

  await t.test('pull shows what was pushed; pullLatest the newest version of each plan', async t => {
    t.strictSame(await sdk.pull(), MODEL)
    await client.push({ plans: { 'plan:free@9': FREE, 'plan:free@10': FREE } } as never)
    t.strictSame(Object.keys((await sdk.pullLatest()).plans).sort(), ['plan:free@10', 'plan:pro@1'])
    t.strictSame(await client.pullLatest(), await sdk.pullLatest())
  })

  await t.test('whoami says which environment the key opens', async t => {
    t.hasStrict(await sdk.whoami(), { id: 'live', isolated: true, key_source: 'authorization' })
    t.strictSame(await client.whoami(), await sdk.whoami())
  })

  await t.test('subscribe, limits, report and can', async t => {
    const org = nextOrg()
    await sdk.subscribe(org, 'plan:free@0')
    t.strictSame(await sdk.lookupLimits(org), {
      org,
      usage: [{ feature: 'feature:convert', used: 0, limit: 10 }, { feature: 'feature:seat', used: 1, limit: 2 ** 63 }]
    })
    const access = await sdk.can(org, 'feature:convert')
    t.equal(access.ok, true)
    await access.report()
    await access.report(4)
    await sdk.report(org, 'feature:convert', 5)
    t.strictSame(await sdk.lookupLimit(org, 'feature:convert'), { feature: 'feature:convert', used: 10, limit: 10 })
    t.equal((await sdk.can(org, 'feature:convert')).ok, false, 'used up')
    await sdk.report(org, 'feature:convert')
    t.equal((await client.lookupLimit(org, 'feature:convert')).used, 11, 'a report is never refused because of a limit')
    await client.report(org, 'feature:convert', 3, { clobber: true })
    t.equal((await client.lookupLimit(org, 'feature:convert')).used, 3)
    t.strictSame(await client.lookupLimit(org, 'feature:none'), { feature: 'feature:none', used: 0, limit: 0 })
    t.strictSame(await sdk.limits(org), await client.limits(org))
    t.strictSame(await sdk.limit(org, 'feature:convert'), await client.limit(org, 'feature:convert'))
  })

  await t.test('the quick start runs as printed', async t => {
    const org = nextOrg()
    await sdk.subscribe(org, 'plan:free@0')
    await sdk.report(org, 'feature:convert', 1, { at: new Date('23 March 2023'), clobber: true })
    const access = await sdk.can(org, 'feature:convert')
    if (access.ok) await access.report()
    t.equal((await sdk.lookupLimit(org, 'feature:convert')).used, 1, 'what was used in 2023 is in a window of 2023')
  })

  await t.test('can is not ok for an org without a plan, and fails open where the service refuses', async t => {
    const org = nextOrg()
    await sdk.updateOrg(org, { email: 'a@example.com', name: '', description: '', phone: '', metadata: {} })
    const without = await client.can(org, 'feature:convert')
    t.strictSame([without.ok, without.err], [false, undefined])
    t.strictSame(await client.lookupLimits(org), { org, usage: [] })
    const unknown = await client.can('org:nobody', 'feature:convert')
    t.equal(unknown.ok, true, 'the SDK fails open')
    t.strictSame([unknown.err?.status, unknown.err?.code, unknown.err?.message], [400, 'org_not_found', 'org not found'])
  })

  await t.test('100 reports at once add up exactly', async t => {
    const org = nextOrg()
    await client.subscribe(org, 'plan:pro@1')
    await Promise.all(Array.from({ length: 100 }, async (_, i) => await client.report(org, 'feature:convert', i + 1)))
    t.equal((await client.lookupLimit(org, 'feature:convert')).used, 5050)
  })

  await t.test('a NaN that JavaScript sends as null is a report of nothing', async t => {
    const org = nextOrg()
    await client.subscribe(org, 'plan:free@0')
    await client.report(org, 'feature:convert', NaN)
    t.equal((await client.lookupLimit(org, 'feature:convert')).used, 0)
  })

  await t.test('what is refused is a TierError with the code and the text of Tier', async t => {
    const org = nextOrg()
    await client.subscribe(org, ['plan:free@0', 'feature:extra@plan:pro@1'])
    for (const [work, status, code, message] of [
      [async () => await client.report(org, 'feature:none'), 400, 'feature_not_found', 'feature not found'],
      [async () => await client.report(org, 'feature:seat'), 400, 'invalid_request', 'feature not reportable'],
      [async () => await client.report('acme' as OrgName, 'feature:convert'), 400, 'invalid_request', 'org must be prefixed with "org:"'],
      [async () => await client.report('org:nobody', 'feature:convert'), 400, 'org_not_found', 'org not found'],
      [async () => await client.subscribe(org, 'plan:none@0'), 400, 'TERR1020', 'feature or plan not found'],
      [async () => await client.subscribe(org, ['plan:free@0', 'plan:free@0']), 400, 'feature_not_found', 'feature not found'],
      [async () => await client.subscribe(org, 'plan:free' as never), 400, 'invalid_request', 'plan must have version'],
      [async () => await client.subscribe(org, 'plan:free@0', { paymentMethodID: 'pm_x' }), 400, 'invalid_payment_method', "No such PaymentMethod: 'pm_x'"],
      [async () => await client.whois('org:nobody'), 400, 'org_not_found', 'org not found'],
      [async () => await client.lookupLimits('nobody' as OrgName), 400, 'invalid_request', 'org must be prefixed with "org:"'],
      [async () => await client.lookupPhase('org:nobody'), 400, 'org_not_found', 'org not found']
    ] as const) t.hasStrict(await errorOf(work()), { status, code, message })
  })

  await t.test('lookupPhase: what is held now, in which period', async t => {
    const org = nextOrg()
    await client.subscribe(org, ['plan:free@0', 'feature:extra@plan:pro@1'])
    const phase = await sdk.lookupPhase(org)
    t.ok(phase.effective instanceof Date && phase.current?.effective instanceof Date && phase.current.end instanceof Date)
    t.ok((phase.current?.end.getTime() ?? 0) > Date.now())
    t.equal(phase.end, undefined)
    t.hasStrict(phase, {
      trial: false,
      features: ['feature:convert@plan:free@0', 'feature:extra@plan:pro@1', 'feature:seat@plan:free@0'],
      plans: ['plan:free@0'],
      fragments: ['feature:extra@plan:pro@1']
    })
    t.strictSame(await client.phase(org), await sdk.phase(org))
  })

  await t.test('a trial, then what is paid for', async t => {
    const org = nextOrg()
    const effective = new Date(Date.now() - DAY_MS)
    await sdk.subscribe(org, 'plan:pro@1', { trialDays: 14, effective })
    t.hasStrict(await client.lookupPhase(org), { trial: true, effective, end: new Date(effective.getTime() + 14 * DAY_MS) })
    await t.rejects(client.subscribe(org, 'plan:pro@1', { trialDays: 0 }), TypeError)
  })

  await t.test('schedule and an effective date: now one thing, later another', async t => {
    const org = nextOrg()
    const later = new Date(Math.ceil(Date.now() / 1000) * 1000 + 30 * DAY_MS)
    await client.schedule(org, [{ features: ['plan:free@0'] }, { features: ['plan:pro@1'], effective: later }])
    t.strictSame((await client.lookupPhase(org)).end, later)
    const future = nextOrg()
    await sdk.subscribe(future, 'plan:free@0', { effective: later })
    t.hasStrict(await errorOf(client.lookupPhase(future)), { status: 404, code: 'not_found', message: 'Not Found' })
    await sdk.schedule(future, [{ features: ['plan:free@0'] }])
    t.strictSame((await client.lookupPhase(future)).plans, ['plan:free@0'])
  })

  await t.test('cancel ends everything, and is a success for who holds nothing', async t => {
    const org = nextOrg()
    await client.subscribe(org, 'plan:free@0')
    await sdk.cancel(org)
    t.strictSame(await client.lookupLimits(org), { org, usage: [] })
    t.equal((await client.can(org, 'feature:convert')).ok, false)
    t.hasStrict(await errorOf(client.report(org, 'feature:convert')), { status: 400, code: 'feature_not_found' })
    const nobody = nextOrg()
    await client.cancel(nobody)
    t.equal((await client.whois(nobody)).org, nobody, 'and makes the org')
  })

  await t.test('3.2 lookupOrg, updateOrg: info is stored, merged, looked up, with a default payment method or an empty text', async t => {
    const org = nextOrg()
    const info = { email: 'a@example.com', name: 'Acme', description: 'd', phone: '1', metadata: { a: '1', b: '2' } }
    await sdk.updateOrg(org, info)
    const { stripe_id: id, ...known } = await sdk.lookupOrg(org)
    t.hasStrict(known, { org, ...info, invoiceSettings: { defaultPaymentMethod: '' } })
    t.strictSame(await sdk.whois(org), { org, stripe_id: id })
    await client.subscribe(org, 'plan:free@0', { info: { ...info, name: '', metadata: { a: '', c: '3' } } })
    t.hasStrict(await client.lookupOrg(org), { stripe_id: id, name: 'Acme', metadata: { b: '2', c: '3' } })
    t.hasStrict(await errorOf(client.updateOrg(org, { ...info, email: 'none' })), { status: 400, code: 'invalid_email' })
    t.hasStrict(await errorOf(client.updateOrg(org, { ...info, metadata: { 'tier.x': '1' } })), { status: 400, code: 'invalid_metadata' })
  })

  await t.test('onError turns what is refused into its answer', async t => {
    const lenient = new Tier({ baseURL: url, apiKey: KEY, onError: error => ({ refused: error.code }) })
    t.strictSame(await lenient.whois('org:nobody'), { refused: 'org_not_found' })
  })

  await t.test('a wrong key is 401 in Tier\'s shape; a fetch of the caller\'s own, and an abort, work', async t => {
    const wrong = new Tier({ baseURL: url, apiKey: 'wrong' })
    t.hasStrict(await errorOf(wrong.whoami()), { status: 401, code: 'unauthorized', message: 'Unauthorized' })
    const seen: string[] = []
    const own = new Tier({
      baseURL: `${url}/dropped/by/the/sdk`,
      apiKey: KEY,
      userAgent: 'acme/1',
      fetchImpl: (async (input: string, init: RequestInit) => {
        seen.push(new URL(input).pathname)
        return await fetch(input, init)
      }) as never
    })
    await own.whoami()
    t.strictSame(seen, ['/v1/whoami'])
    const aborted = new Tier({ baseURL: url, apiKey: KEY, signal: AbortSignal.abort() })
    t.hasStrict(await errorOf(aborted.whoami()), { status: 0 })
  })

  await t.test('checkout answers a page; payment methods are a list', async t => {
    const org = nextOrg()
    const lenient = await openSdk(t, { ...options, manualCheckoutInLive: true })
    await lenient.client.push({ plans: { 'plan:free@0': FREE } } as never)
    const checkout = async (params: object): Promise<string> => (await lenient.client.checkout(org, 'https://app.example.com/done', params)).url
    for (const params of [
      {}, { features: 'plan:free@0' }, { features: ['plan:free@0'], trialDays: 7, cancelUrl: 'https://app.example.com/back', requireBillingAddress: true },
      { features: ['feature:convert@plan:free@0'], tax: { automatic: true, collectId: true } }
    ]) {
      const page = await fetch(await checkout(params))
      t.strictSame([page.status, page.headers.get('content-type')?.split(';')[0]], [200, 'text/html'], JSON.stringify(params))
    }
    t.equal((await sdk.checkout(org, 'https://app.example.com/done', { features: 'plan:free@0' })).url.startsWith(lenient.url), true)
    t.strictSame(await sdk.lookupPaymentMethods(org), { org, methods: [] })
    t.strictSame(await lenient.client.lookupPaymentMethods(org), { org, methods: [] })
    t.equal((await lenient.client.whois(org)).org, org, 'the org was created')
    t.hasStrict(await errorOf(lenient.client.lookupPaymentMethods('org:nobody')), { status: 400, code: 'org_not_found' })
    t.hasStrict(await errorOf(lenient.client.checkout(org, 'https://app.example.com/done', { features: 'plan:none@0' })), { status: 400, code: 'TERR1020' })
    useEnvironment(url)
  })

  await t.test('withClock and advance: a year in a moment, seen by nobody else', async t => {
    const org = nextOrg()
    const clock = await sdk.withClock('year', new Date('2024-01-31T00:00:00Z'))
    t.ok(clock instanceof TierWithClock)
    await clock.subscribe(org, 'plan:free@0')
    await clock.report(org, 'feature:convert', 4)
    t.strictSame((await clock.lookupPhase(org)).current, { effective: new Date('2024-01-31T00:00:00Z'), end: new Date('2024-02-29T00:00:00Z') })
    t.equal((await clock.lookupLimit(org, 'feature:convert')).used, 4)
    await clock.advance(new Date('2024-02-29T00:00:00Z'))
    t.equal((await clock.lookupLimit(org, 'feature:convert')).used, 0, 'the period has begun anew')
    t.strictSame((await clock.lookupPhase(org)).current, { effective: new Date('2024-02-29T00:00:00Z'), end: new Date('2024-03-31T00:00:00Z') })
    t.hasStrict(await errorOf(client.whois(org)), { status: 400, code: 'org_not_found' })
    t.hasStrict(await errorOf(clock.advance(new Date('2024-01-01T00:00:00Z'))), { status: 400, code: 'invalid_request' })
    const other = await client.withClock('other')
    await other.subscribe(org, 'plan:pro@1')
    t.strictSame((await other.lookupPhase(org)).plans, ['plan:pro@1'])
    t.strictSame((await clock.lookupPhase(org)).plans, ['plan:free@0'], 'the same name on two clocks is two orgs')
  })

  await t.test('fromEnv is the same client', async t => {
    t.strictSame(await (await sdk.fromEnv()).whoami(), await client.whoami())
  })
}
