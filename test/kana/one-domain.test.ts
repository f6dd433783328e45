import t, { type Test } from 'tap'
import { type Api, type Body } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'
import { type Kana, kanaWith } from './documented.ts'

/** Kana's GraphQL and `/v1` are two ways to the same data: whichever road recorded, and whichever asks. */

const FEATURE = 'feature:calls'
/** The greatest Int of GraphQL. */
const INT_MAX = 2_147_483_647

/** What every road says of one org and feature: Kana's and Tier's in whole numbers, our own exactly. */
interface Figures {
  readonly canUseFeature: number
  readonly showUsage: number
  readonly currentUser: number
  readonly limits: number
  readonly can: number
  readonly usage: number
}

interface Roads {
  readonly api: Api
  readonly kana: Kana
  figures (): Promise<Figures>
  /** Of Kana's two APIs, and of `/v1/can`. */
  access (): Promise<boolean[]>
}

function all (whole: number, exact = whole, tiers = whole): Figures {
  return { canUseFeature: whole, showUsage: whole, currentUser: whole, limits: tiers, can: exact, usage: exact }
}

function roadsOf (api: Api, userId: string): Roads {
  const kana = kanaWith(api, {})
  const org = `org:${userId}`
  async function seen (): Promise<{ canUseFeature: Body, showUsage: Body }> {
    return await kana.ask(`query ($u: String!) {
      canUseFeature(userId: $u, featureId: "calls") { access consumption { used budget } }
      showUsage(userId: $u, featureId: "calls") { current { consumption { used budget } } } }`, { u: userId }) as never
  }
  async function inPage (): Promise<Body> {
    const query = '{ currentUser { subscribedPackages { features { id entitlement { access consumption { used budget } } } } } }'
    const { data } = (await api.post('/client/graphql', { query }, { 'x-user-id': userId })).body
    return data.currentUser.subscribedPackages[0].features.find(({ id }: Body) => id === 'calls').entitlement
  }
  return {
    api,
    kana,
    figures: async () => {
      const { canUseFeature, showUsage } = await seen()
      const [limit] = (await api.limits(org)).usage
      return {
        canUseFeature: canUseFeature.consumption.used,
        showUsage: showUsage.current.consumption.used,
        currentUser: (await inPage()).consumption.used,
        limits: limit.used,
        can: (await api.can(org, FEATURE)).used,
        usage: (await api.usage(org, FEATURE)).current.used
      }
    },
    access: async () => [(await seen()).canUseFeature.access, (await inPage()).access, (await api.can(org, FEATURE)).ok]
  }
}

const RECORD = 'mutation ($input: CreateUsageEventInput!) { recordUsage(input: $input) { recorded reason } }'
const SUBSCRIBE = 'mutation ($userId: String!, $packageIds: [String!]!) { subscribe(userId: $userId, packageIds: $packageIds) { status package { id name } } }'

withEachLedger(t, 'one domain', async (t, api) => {
  await api.push({
    'plan:pushed@1': { title: 'Pushed', features: { [FEATURE]: { tiers: [{ upto: 3_000_000_001 }] } } },
    'plan:small@1': { features: { [FEATURE]: { tiers: [{ upto: 10 }] } } }
  })
  await t.test('recorded through GraphQL, a report and a batch in turn: the same numbers on every road', async t => await inTurn(t, api))
  await t.test('a fraction: whole where numbers are whole, and access by the exact figure', async t => await fraction(t, api))
  await t.test('3,000,000,000: as much as an Int can say, and access by the exact figure', async t => await beyondInt(t, api))
  await t.test('SET and clobber are one', async t => await set(t, api))
  await t.test('a package that was made through GraphQL is a plan for /v1', async t => await packageIsPlan(t, api))
  await t.test('a plan that was pushed is a package, and is subscribed to through GraphQL', async t => await planIsPackage(t, api))
})

async function inTurn (t: Test, api: Api): Promise<void> {
  await api.subscribe('org:turns', 'plan:small@1')
  const { kana, figures, access } = roadsOf(api, 'turns')
  t.strictSame(await figures(), all(0))
  const roads: ReadonlyArray<(n: number) => Promise<unknown>> = [
    async n => await kana.ask(RECORD, { input: { userId: 'turns', featureId: 'calls', delta: n } }),
    async n => await api.report('org:turns', FEATURE, n),
    async n => await api.post('/v1/reports', { reports: [{ org: 'org:turns', feature: FEATURE, n }] })
  ]
  let total = 0
  for (const n of [1, 2]) {
    for (const road of roads) {
      await road(n)
      total += n
      t.strictSame(await figures(), all(total))
    }
  }
  t.equal(total, 9)
  t.strictSame(await access(), [true, true, true])
  await roads[0]?.(1)
  t.strictSame(await access(), [false, false, false], '10 of 10')
  await roads[2]?.(-10)
  t.strictSame([await figures(), await access()], [all(0), [true, true, true]])
  t.equal((await api.get('/v1/events', { org: 'org:turns' })).body.events.length, 8, 'each of them is an event')
}

async function fraction (t: Test, api: Api): Promise<void> {
  await api.subscribe('org:parts', 'plan:small@1')
  const { kana, figures, access } = roadsOf(api, 'parts')
  await kana.ask(RECORD, { input: { userId: 'parts', featureId: 'calls', delta: 8 } })
  await api.report('org:parts', FEATURE, '0.5')
  t.strictSame([await figures(), await access()], [all(9, 8.5), [true, true, true]])
  await api.post('/v1/reports', { reports: [{ org: 'org:parts', feature: FEATURE, n: '0.75' }] })
  t.strictSame(await figures(), all(10, 9.25), 'it looks used up')
  t.strictSame(await access(), [false, false, false], 'and one more would be 10.25 of 10')
  await api.report('org:parts', FEATURE, '-0.25')
  t.strictSame([await figures(), await access()], [all(9), [true, true, true]])
}

async function beyondInt (t: Test, api: Api): Promise<void> {
  await api.subscribe('org:much', 'plan:pushed@1')
  const { kana, figures, access } = roadsOf(api, 'much')
  for (const delta of [INT_MAX, 3_000_000_000 - INT_MAX]) await kana.ask(RECORD, { input: { userId: 'much', featureId: 'calls', delta } })
  t.strictSame(await figures(), all(INT_MAX, 3_000_000_000, 3_000_000_000))
  t.strictSame(await access(), [true, true, true], 'of 3,000,000,001')
  const { canUseFeature } = await kana.ask('{ canUseFeature(userId: "much", featureId: "calls", delta: 2) { access consumption { used budget } } }')
  t.strictSame(canUseFeature, { access: false, consumption: { used: INT_MAX, budget: INT_MAX } }, 'two more are too many')
  await api.report('org:much', FEATURE)
  t.strictSame([await figures(), await access()], [all(INT_MAX, 3_000_000_001, 3_000_000_001), [false, false, false]])
  await api.post('/v1/reports', { reports: [{ org: 'org:much', feature: FEATURE, n: -3_000_000_000 }] })
  t.strictSame(await figures(), all(1))
}

async function set (t: Test, api: Api): Promise<void> {
  await api.subscribe('org:sets', 'plan:small@1')
  const { kana, figures } = roadsOf(api, 'sets')
  await api.report('org:sets', FEATURE, 7)
  await kana.ask(RECORD, { input: { userId: 'sets', featureId: 'calls', delta: 4, action: 'SET' } })
  t.strictSame(await figures(), all(4))
  await api.report('org:sets', FEATURE, 6, { clobber: true })
  t.strictSame(await figures(), all(6))
  await api.post('/v1/reports', { reports: [{ org: 'org:sets', feature: FEATURE, n: 2, clobber: true }] })
  t.strictSame(await figures(), all(2))
}

async function packageIsPlan (t: Test, api: Api): Promise<void> {
  const { api: { can }, kana } = roadsOf(api, 'made')
  await kana.ask('mutation { createFeature(input: { id: "pages", type: CONSUMABLE }) { id } }')
  const features = { id: 'pages', entitlement: { limit: 5, resetPeriod: 'MONTH' } }
  await kana.ask('mutation ($input: CreatePackageInput!) { createPackage(input: $input) { id } }', { input: { id: 'made', name: 'Made', features } })
  t.equal((await api.subscribe('org:made', 'plan:made@0')).code, 'plan_unavailable', 'a draft')
  await kana.v1('POST', '/plans/plan:made@0/publish')
  t.strictSame((await api.pull()).plans['plan:made@0'], { title: 'Made', features: { 'feature:pages': { tiers: [{ upto: 5 }] } } })
  await api.subscribe('org:made', 'plan:made@0')
  t.strictSame(await can('org:made', 'feature:pages', 5).then(({ ok, reason, limit }) => [ok, reason, limit]), [true, 'within_limit', 5])
  await kana.ask(RECORD, { input: { userId: 'made', featureId: 'pages', delta: 4 } })
  t.strictSame(await can('org:made', 'feature:pages', 2).then(({ ok, reason, used, remaining }) => [ok, reason, used, remaining]), [false, 'limit_reached', 4, 1])
  t.strictSame((await api.phase('org:made')).plans, ['plan:made@0'])
}

async function planIsPackage (t: Test, api: Api): Promise<void> {
  const { kana, figures } = roadsOf(api, 'taker')
  t.strictSame((await kana.ask('{ package(id: "pushed@1") { id name status features { id limit } } }')).package,
    { id: 'pushed@1', name: 'Pushed', status: 'PUBLISHED', features: [{ id: 'calls', limit: String(INT_MAX) }] })
  await kana.ask('mutation { createUser(input: { id: "taker", name: "Taker" }) { id } }')
  t.strictSame((await kana.ask(SUBSCRIBE, { userId: 'taker', packageIds: ['pushed@1'] })).subscribe,
    [{ status: 'ACTIVE', package: { id: 'pushed@1', name: 'Pushed' } }])
  t.equal((await api.whois('org:taker', { include: 'info' })).name, 'Taker')
  t.strictSame((await api.phase('org:taker')).plans, ['plan:pushed@1'])
  await api.report('org:taker', FEATURE, 3)
  t.strictSame(await figures(), all(3))
}
