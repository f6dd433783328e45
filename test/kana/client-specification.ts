import type { IncomingHttpHeaders } from 'node:http'
import type { KanaUserClient, KanaUserClientConfig } from '@usekana/client-kana-js'
import type { Test } from 'tap'
import { type ApiOptions, type Body, openApi } from '../fixtures/api.ts'
import { freePort } from '../fixtures/ports.ts'
import { kanaWith } from './documented.ts'
import { openPage } from './page.ts'

const KEY = 'prv_live_0123456789abcdef0123456789abcdef'
const UNKNOWN_KEY = 'pub_live_ffffffffffffffffffffffffffffffff'

/** What the page's browser sent. */
interface Sent {
  readonly method: string | undefined
  readonly headers: IncomingHttpHeaders
}

/** How a page shows who its user is. */
interface Mode {
  readonly name: 'simple' | 'secure'
  configOf (userId: string): Promise<KanaUserClientConfig>
}

/** A result without the prototypes of the page's world, and without what is undefined. */
function plain (value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
}

/** Every method of `@usekana/client-kana-js@0.2.2`, in both of its modes, from a page of another origin. */
export async function clientSpecification (t: Test, options: ApiOptions): Promise<void> {
  const api = await openApi(t, { adminKey: KEY, ...options })
  const endpoint = `${await api.app.listen({ host: '127.0.0.1', port: 0 })}/client/graphql`
  const wire: Sent[] = []
  api.app.server.on('request', ({ method, headers }) => wire.push({ method, headers }))
  const { Client, origin } = openPage(t)
  const kana = kanaWith(api, { authorization: KEY })
  const { body: { key: apiKey } } = await api.post('/v1/keys', { kind: 'public' })

  await makePackages()
  const modes: readonly Mode[] = [
    { name: 'simple', configOf: async userId => ({ endpoint, apiKey, userId }) },
    { name: 'secure', configOf: async userId => ({ endpoint, userToken: await tokenOf(userId) }) }
  ]

  async function makePackages (): Promise<void> {
    for (const [id, type] of [['calls', 'CONSUMABLE'], ['exports', 'CONSUMABLE'], ['sms', 'CONSUMABLE'], ['sso', 'BINARY'], ['audit', 'BINARY']]) {
      await kana.ask('mutation ($input: CreateFeatureInput!) { createFeature(input: $input) { id } }', { input: { id, name: `The ${id}`, type } })
    }
    const upTo = (limit: number, overageEnabled = false): Body => ({ entitlement: { limit, resetPeriod: 'MONTH', overageEnabled } })
    for (const input of [
      { id: 'pro', name: 'Pro', features: [{ id: 'calls', ...upTo(10) }, { id: 'exports' }, { id: 'sms', ...upTo(1, true) }, { id: 'sso' }] },
      { id: 'extra', name: 'Extra', isAddon: true, features: [{ id: 'calls', ...upTo(50) }, { id: 'sso' }, { id: 'audit' }] }
    ]) {
      await kana.ask('mutation ($input: CreatePackageInput!) { createPackage(input: $input) { id } }', { input })
      await kana.v1('POST', `/plans/plan:${input.id}@0/publish`)
    }
  }

  async function tokenOf (userId: string): Promise<string> {
    return (await kana.ask('mutation ($userId: String!) { generateUserToken(userId: $userId) { token } }', { userId })).generateUserToken.token
  }

  let users = 0
  async function newUser (...packageIds: string[]): Promise<string> {
    const userId = `user-${users += 1}`
    await kana.ask('mutation ($id: String!) { createUser(input: { id: $id }) { id } }', { id: userId })
    if (packageIds.length > 0) {
      await kana.ask('mutation ($userId: String!, $packageIds: [String!]!) { subscribe(userId: $userId, packageIds: $packageIds) { id } }', { userId, packageIds })
    }
    return userId
  }

  async function record (userId: string, featureId: string, delta: number): Promise<void> {
    const input = { userId, featureId, delta }
    await kana.ask('mutation ($input: CreateUsageEventInput!) { recordUsage(input: $input) { recorded } }', { input })
  }

  /** What was sent since. */
  function listen (): { posts: () => Sent[], preflights: () => Sent[] } {
    const from = wire.length
    const by = (wanted: string) => () => wire.slice(from).filter(({ method }) => method === wanted)
    return { posts: by('POST'), preflights: by('OPTIONS') }
  }

  /** Every method once. */
  async function all (client: KanaUserClient): Promise<unknown[]> {
    return [await client.getSubscribedPackages(), await client.getSubscribedFeatures(), await client.canUseFeature('calls')]
  }

  for (const { name, configOf } of modes) {
    const open = async (userId: string, more: Partial<KanaUserClientConfig> = {}): Promise<KanaUserClient> =>
      new Client({ ...await configOf(userId), ...more } as KanaUserClientConfig)

    await t.test(`S12: two packages with one feature: both are listed, it once, with the highest limit on each, ${name}`, async t => {
      const client = await open(await newUser('pro', 'extra'))
      t.strictSame(plain(await client.getSubscribedPackages()), {
        data: [{ id: 'pro', name: 'Pro', isAddon: false }, { id: 'extra', name: 'Extra', isAddon: true }]
      })
      t.strictSame(plain(await client.getSubscribedFeatures()), {
        data: [
          { id: 'calls', name: 'The calls', type: 'CONSUMABLE', entitlement: { access: true, consumption: { budget: 50, used: 0 } } },
          { id: 'exports', name: 'The exports', type: 'CONSUMABLE', entitlement: { access: true, consumption: { budget: null, used: 0 } } },
          { id: 'sms', name: 'The sms', type: 'CONSUMABLE', entitlement: { access: true, consumption: { budget: 1, used: 0 } } },
          { id: 'sso', name: 'The sso', type: 'BINARY', entitlement: { access: true } },
          { id: 'audit', name: 'The audit', type: 'BINARY', entitlement: { access: true } }
        ]
      })
    })

    await t.test(`D15, S15: canUseFeature: up to the limit, over it with overage, without one, or not at all, ${name}`, async t => {
      const userId = await newUser('pro')
      const client = await open(userId)
      const can = async (featureId: string): Promise<unknown> => plain(await client.canUseFeature(featureId))
      await record(userId, 'calls', 9)
      t.strictSame(await can('calls'), { data: { access: true, consumption: { budget: 10, used: 9 } } })
      for (const [featureId, delta] of [['calls', 1], ['exports', 1_000_000], ['sms', 7]] as const) await record(userId, featureId, delta)
      await client.resetCache()
      t.strictSame(await can('calls'), { data: { access: false, consumption: { budget: 10, used: 10 } } })
      t.strictSame(await can('exports'), { data: { access: true, consumption: { budget: null, used: 1_000_000 } } }, 'unlimited')
      t.strictSame(await can('sms'), { data: { access: true, consumption: { budget: 1, used: 7 } } }, 'overage')
      t.strictSame(await can('sso'), { data: { access: true } })
      t.strictSame(await can('audit'), { data: { access: false } }, 'not held')
      t.strictSame(await can('nobody made it'), { data: { access: false } })
      t.strictSame(await can({ featureId: 'calls' } as unknown as string), { data: { access: false } }, 'as a guide of Kana calls it')
    })

    await t.test(`${name}: who holds nothing has nothing, and who is cancelled no more`, async t => {
      const none = [{ data: [] }, { data: [] }, { data: { access: false } }]
      t.strictSame(plain(await all(await open(await newUser()))), none)
      const userId = await newUser('pro')
      const { subscriptions: [{ id }] } = await kana.ask('query ($u: String) { subscriptions(userId: $u) { id } }', { u: userId })
      await kana.v1('PATCH', `/subscriptions/${id}`, { status: 'cancelled' })
      t.strictSame(plain(await all(await open(userId))), none)
    })

    await t.test(`E2, E6, E7: the browser asks first, then sends the key, as the contract has it, ${name}`, async t => {
      const config = await configOf(await newUser('pro'))
      const { posts, preflights } = listen()
      await new Client(config).canUseFeature('calls')
      const [asked, ...more] = preflights()
      t.match(asked?.headers, { origin, 'access-control-request-method': 'POST' })
      t.strictSame(asked?.headers['access-control-request-headers']?.split(/, ?/).sort(), [
        'authorization', ...('userId' in config ? ['x-api-version', 'x-user-id'] : ['x-api-version'])
      ])
      t.equal(asked?.headers.authorization, undefined)
      t.strictSame(more, [])
      t.equal(posts().length, 1)
      t.match(posts()[0]?.headers, {
        origin,
        'content-type': /^application\/json/,
        'x-api-version': '0.1',
        ...('userId' in config ? { authorization: apiKey, 'x-user-id': config.userId } : { authorization: `Bearer ${config.userToken}` })
      })
      t.equal('x-user-id' in (posts()[0] as Sent).headers, 'userId' in config)
    })

    await t.test(`S32: the cache: one request for all methods, until resetCache, which answers nothing, ${name}`, async t => {
      const userId = await newUser('pro')
      const client = await open(userId)
      const { posts } = listen()
      await all(client)
      t.equal(posts().length, 1)
      await record(userId, 'calls', 10)
      t.match(await client.canUseFeature('calls'), { data: { access: true, consumption: { used: 0 } } }, 'from memory')
      t.equal(await client.resetCache(), undefined)
      t.match(await client.canUseFeature('calls'), { data: { access: false, consumption: { used: 10 } } })
      t.equal(posts().length, 2)

      const early = await open(userId)
      t.equal(await early.resetCache(), undefined)
      await all(early)
      t.equal(posts().length, 4, 'before any method it loads, and the first method loads once more')
    })

    await t.test(`E12: a wrong key is an error of every method, never thrown, and told to onError; the next call asks again, ${name}`, async t => {
      const userId = await newUser('pro')
      const wrong = name === 'simple' ? { apiKey: UNKNOWN_KEY } : { userToken: `${(await tokenOf(userId)).slice(0, -4)}AAAA` }
      const told: string[] = []
      const client = await open(userId, { ...wrong, onError: async ({ message }) => { told.push(message) } })
      const { posts } = listen()
      for (const result of [await client.getSubscribedPackages(), await client.getSubscribedFeatures(), await client.canUseFeature('calls')]) {
        t.match(result.error?.message, /^Unauthenticated: /)
        t.equal(result.data, undefined)
      }
      t.equal(await client.resetCache(), undefined)
      t.equal(posts().length, 4)
      t.equal(told.length, 4)
      t.ok(told.every(message => message.startsWith('Unauthenticated: ')))
    })

    await t.test(`${name}: a retry of one's own is asked after each failure`, async t => {
      const asked: Array<[string, number]> = []
      const client = await open(await newUser('pro'), {
        endpoint: `http://127.0.0.1:${await freePort()}/client/graphql`,
        retry: ({ message }, times) => { asked.push([message, times]); return times < 3 }
      })
      t.match(await client.canUseFeature('calls'), { error: { message: 'Network request failed' } })
      t.strictSame(asked, [1, 2, 3].map(times => ['Network request failed', times]), 'nobody listens there')
    })

    await t.test(`E7: a page cannot ask the admin API, ${name}`, async t => {
      const { posts, preflights } = listen()
      const client = await open(await newUser('pro'), { endpoint: endpoint.replace('/client', '') })
      t.match(await client.canUseFeature('calls'), { error: { message: 'Network request failed' } })
      t.strictSame([preflights().length, posts().length], [1, 0], 'the browser keeps the key to itself')
    })
  }

  await t.test('simple: a private key has no place in a page', async t => {
    const client = new Client({ endpoint, apiKey: KEY, userId: await newUser('pro') })
    t.match((await client.canUseFeature('calls')).error?.message, /^Unauthenticated: a private key must not be in a client/)
  })

  await t.test('E11, E12: simple: an unknown user is an error with status 200', async t => {
    const client = new Client({ endpoint, apiKey, userId: 'nobody' })
    const { error } = await client.getSubscribedPackages() as { error: Error & { response: { status: number, errors: Body[] } } }
    t.match(error.message, /^User Id not found for app/)
    t.equal(error.response.status, 200)
    t.match(plain(error.response.errors), [{ path: ['currentUser'], extensions: { code: 'BAD_USER_INPUT', exception: { name: 'UserNotFoundError' } } }])
  })

  await t.test('secure: a token stays its user\'s when their id changes, and ends with them', async t => {
    const userId = await newUser('pro')
    const client = new Client({ endpoint, userToken: await tokenOf(userId) })
    await kana.ask('mutation ($id: String!, $next: String!) { updateUser(id: $id, input: { id: $next }) { id } }', { id: userId, next: `${userId}-new` })
    t.match(await client.canUseFeature('calls'), { data: { access: true } })
    await kana.v1('DELETE', `/orgs/org:${userId}-new?confirm=org:${userId}-new`)
    const later = new Client({ endpoint, userToken: client.config.type === 'UserToken' ? client.config.userToken : '' })
    t.match((await later.canUseFeature('calls')).error?.message, /^Unauthenticated: the user of this token is gone/)
  })

  await t.test('a client without a config is refused by the SDK itself', async t => {
    t.throws(() => new Client(undefined as unknown as KanaUserClientConfig), { message: '"config" cannot be empty' })
  })
}
