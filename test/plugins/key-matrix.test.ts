import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { KeyKind, Scope } from '../../src/domain/key.ts'
import { createKey, revokeKey } from '../../src/operations/keys.ts'
import { type Api, openApi } from '../fixtures/api.ts'

/**
 * What a key must allow, route by route; `anyone` needs no key. The one list that a person has to agree with: a route
 * that is not in it fails, and so does a line without its route. HEAD is as GET.
 */
const ROUTES: Record<string, Scope | 'anyone' | 'kana'> = {
  'POST /report': 'write',
  'GET /can': 'read',
  'POST /can': 'read',
  'GET /usage': 'read',

  'POST /v1/report': 'write',
  'GET /v1/can': 'read',
  'POST /v1/reports': 'write',
  'POST /v1/consume': 'write',
  'POST /v1/can': 'read',
  'GET /v1/usage': 'read',
  'GET /v1/cost': 'read',
  'GET /v1/events': 'read',
  'GET /v1/events/:id': 'read',
  'POST /v1/events/:id/amend': 'write',
  'POST /v1/events/:id/void': 'write',
  'GET /v1/reservations': 'read',
  'POST /v1/reservations': 'write',
  'GET /v1/reservations/:id': 'read',
  'POST /v1/reservations/:id/commit': 'write',
  'POST /v1/reservations/:id/release': 'write',
  'POST /v1/reservations/:id/extend': 'write',

  'POST /v1/push': 'admin',
  'GET /v1/pull': 'read',
  'PUT /v1/plans/:plan/prices': 'admin',
  'GET /v1/plans/:plan/addons': 'read',
  'PUT /v1/plans/:plan/addons': 'admin',
  'GET /v1/billing-templates': 'read',
  'POST /v1/billing-templates': 'admin',
  'GET /v1/billing-templates/:id': 'read',
  'DELETE /v1/billing-templates/:id': 'admin',
  'GET /v1/plans': 'read',
  'POST /v1/plans': 'admin',
  'GET /v1/plans/:plan': 'read',
  'PUT /v1/plans/:plan': 'admin',
  'DELETE /v1/plans/:plan': 'admin',
  'POST /v1/plans/:plan/publish': 'admin',
  'POST /v1/plans/:plan/archive': 'admin',
  'GET /v1/features': 'read',
  'GET /v1/features/:feature': 'read',
  'PATCH /v1/features/:feature': 'admin',

  'POST /v1/subscribe': 'write',
  'GET /v1/limits': 'read',
  'GET /v1/phase': 'read',
  'GET /v1/phases': 'read',
  'GET /v1/whois': 'read',
  'GET /v1/whoami': 'read',
  'GET /v1/orgs': 'read',
  'GET /v1/orgs.csv': 'read',
  'GET /v1/org-imports': 'read',
  'POST /v1/org-imports': 'admin',
  'GET /v1/org-imports/:id': 'read',
  'GET /v1/orgs/:org': 'read',
  'PATCH /v1/orgs/:org': 'admin',
  'DELETE /v1/orgs/:org': 'admin',
  'POST /v1/orgs/:org/merge': 'admin',
  'GET /v1/orgs/:org/subscriptions': 'read',
  'POST /v1/orgs/:org/subscriptions': 'write',
  'GET /v1/subscriptions/:id': 'read',
  'PATCH /v1/subscriptions/:id': 'write',
  'DELETE /v1/subscriptions/:id': 'write',
  'GET /v1/orgs/:org/overrides': 'read',
  'PUT /v1/orgs/:org/overrides/:feature': 'admin',
  'DELETE /v1/orgs/:org/overrides/:feature': 'admin',
  'POST /v1/checkout': 'write',
  'GET /v1/payment_methods': 'read',
  // The link is its own key.
  'GET /checkout/*': 'anyone',
  'POST /checkout/*': 'anyone',

  'GET /v1/environments': 'read',
  'GET /v1/environments/:name': 'read',
  'DELETE /v1/environments/:name': 'admin',
  'PUT /v1/environments/:name': 'admin',

  'GET /v1/clock': 'read',
  'POST /v1/clock': 'write',
  // Any other method is told which there are.
  'PUT /v1/clock': 'read',
  'PATCH /v1/clock': 'read',
  'DELETE /v1/clock': 'read',

  'GET /v1/keys': 'admin',
  'POST /v1/keys': 'admin',
  'GET /v1/keys/:id': 'admin',
  'POST /v1/keys/:id/rotate': 'admin',
  'POST /v1/keys/:id/revoke': 'admin',

  // Their own keys, refused with status 200: see test/kana/keys.test.ts.
  'POST /graphql': 'kana',
  'POST /client/graphql': 'kana',
  // What a browser asks before it asks.
  'OPTIONS /client/graphql*': 'kana',
  'GET /graphql': 'anyone',
  'POST /v1/verify': 'admin',
  'GET /cli/pull': 'read',
  'POST /cli/validate': 'read',
  'POST /cli/publish': 'admin',
  'POST /segment/events': 'write',
  'GET /v1/segment/rules': 'read',
  'POST /v1/segment/rules': 'admin',
  'GET /v1/segment/rules/:id': 'read',
  'DELETE /v1/segment/rules/:id': 'admin',

  'GET /healthz': 'anyone',
  'GET /readyz': 'anyone',
  'GET /metrics': 'anyone',
  'GET /openapi.json': 'anyone'
}
/** Swagger UI's own files, and GraphiQL's. */
const PAGES = /^GET (\/docs(\/|$)|\/graphql\/page\/)/

const ADMIN_KEY = 'prv_live_0123456789abcdef'
/** No route answers so. */
const ADMITTED = 299

interface Route { readonly method: string, readonly url: string }

interface Caller {
  readonly name: string
  /** undefined: none is sent */
  readonly key: string | undefined
  /** undefined: refused as unknown, on every guarded route */
  readonly as?: { readonly environment: string, readonly allows: readonly Scope[] }
}

interface Doors { readonly api: Api, readonly routes: readonly Route[] }

const ALL: readonly Scope[] = ['admin', 'write', 'read']

/**
 * The app as it is built, but every request that is let in ends there, answered with the environment it was let into:
 * so nothing has to make sense behind the door, and nothing happens there.
 */
async function doorsOf (build: () => Promise<Api>): Promise<Doors> {
  const routes: Route[] = []
  function watch (message: unknown): void {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('onRoute', ({ method, url }) => { routes.push(...[method].flat().map(method => ({ method, url }))) })
    fastify.addHook('preParsing', (request, reply, _payload, _done) => {
      void reply.code(ADMITTED).send({ environment: request.principal?.environment ?? null })
    })
  }
  subscribe('fastify.initialization', watch)
  try {
    return { api: await build(), routes }
  } finally {
    unsubscribe('fastify.initialization', watch)
  }
}

/** One of each kind that there can be. */
async function callersOf ({ stores }: Api, stranger: Caller['as']): Promise<Caller[]> {
  const make = async (environment: string, kind: KeyKind, scopes?: Scope[]): Promise<{ key: string, id: string }> => {
    const { key, record } = await createKey(stores, environment, { kind, scopes, name: '', expiresAt: null }, Date.now())
    return { key, id: record.id }
  }
  const alone = async (scope: Scope): Promise<Caller> => ({
    name: `private with ${scope}`,
    key: (await make('live', 'private', [scope])).key,
    as: { environment: 'live', allows: scope === 'admin' ? ALL : [scope] }
  })
  const revoked = await make('live', 'private', ['admin'])
  await revokeKey(stores, 'live', revoked.id, Date.now())
  const expiredAt = Date.now() - 1_000
  const { key: expired } = await createKey(
    stores, 'live', { kind: 'private', scopes: ['admin'], name: '', expiresAt: expiredAt + 1 }, expiredAt
  )
  return [
    { name: 'no key', key: undefined, ...(stranger !== undefined && { as: stranger }) },
    { name: 'a wrong key', key: 'prv_live_fedcba9876543210', ...(stranger !== undefined && { as: stranger }) },
    { name: 'a revoked key', key: revoked.key },
    { name: 'an expired key', key: expired },
    { name: 'a key of another environment', key: (await make('staging', 'private', ['admin'])).key, as: { environment: 'staging', allows: ALL } },
    { name: 'a public key', key: (await make('live', 'public')).key, as: { environment: 'live', allows: [] } },
    await alone('admin'),
    await alone('write'),
    await alone('read'),
    {
      name: 'private with write and read',
      key: (await make('live', 'private')).key,
      as: { environment: 'live', allows: ['write', 'read'] }
    }
  ]
}

function needOf ({ method, url }: Route): Scope | 'anyone' | 'kana' | undefined {
  const name = `${method === 'HEAD' ? 'GET' : method} ${url}`
  return PAGES.test(name) ? 'anyone' : ROUTES[name]
}

/** Sends every caller to every route. */
async function walk (t: Test, { api, routes }: Doors, callers: readonly Caller[]): Promise<void> {
  for (const { name, key, as } of callers) {
    await t.test(name, async t => {
      for (const route of routes) {
        const need = needOf(route)
        if (need === 'kana') continue
        const { statusCode, payload } = await api.app.inject({
          method: route.method as 'GET',
          url: route.url.replaceAll(/:\w+/g, 'x').replace('*', 'x'),
          ...(key !== undefined && { headers: { authorization: `Bearer ${key}` } })
        })
        const admitted = need !== undefined && (need === 'anyone' || as?.allows.includes(need))
        const what = `${route.method} ${route.url}`
        t.equal(statusCode, admitted === true ? ADMITTED : as === undefined ? 401 : 403, what)
        if (route.method === 'HEAD') continue
        const { code, message, environment } = JSON.parse(payload)
        if (admitted === true) t.equal(environment, need === 'anyone' ? null : as?.environment, what)
        else if (as === undefined) t.strictSame([code, message], ['unauthorized', 'Unauthorized'], what)
        else t.match(`${code}: ${message}`, as.allows.length === 0 ? /^forbidden: public keys are for the client API/ : `the scope ${need};`, what)
      }
    })
  }
}

const open = await doorsOf(async () => await openApi(t))
const guarded = await doorsOf(async () => await open.api.as(ADMIN_KEY))

t.test('every route says here what a key must allow, and everything said here is a route', async t => {
  for (const { routes } of [guarded, open]) {
    const names = routes.filter(({ method }) => method !== 'HEAD').map(({ method, url }) => `${method} ${url}`).filter(name => !PAGES.test(name))
    t.strictSame(names.sort(), Object.keys(ROUTES).sort())
  }
})

t.test('with an admin key: each caller passes exactly the doors that are meant for them', async t => {
  await walk(t, guarded, [
    ...await callersOf(open.api, undefined),
    { name: 'the admin key', key: ADMIN_KEY, as: { environment: 'live', allows: ALL } }
  ])
})

t.test('without one: keys that we made count as usual, and anybody else is administrator of test', async t => {
  await walk(t, open, await callersOf(open.api, { environment: 'test', allows: ALL }))
})

t.test('a key sees the data of its own environment, and no other', async t => {
  const keyOf = async (environment: string): Promise<string> =>
    (await createKey(open.api.stores, environment, { kind: 'private', scopes: ['admin'], name: environment, expiresAt: null }, Date.now())).key
  const [live, staging] = [await keyOf('live'), await keyOf('staging')]
  const api = await open.api.as(ADMIN_KEY)
  const as = (key: string): { authorization: string } => ({ authorization: `Bearer ${key}` })
  const plans = { 'plan:live@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } } }
  await api.post('/v1/push', { plans }, as(live))
  await api.post('/v1/subscribe', { org: 'org:acme', phases: [{ features: ['plan:live@0'] }] }, as(live))
  await api.post('/v1/report', { org: 'org:acme', feature: 'feature:calls', n: 3 }, as(live))

  const get = async (url: string, key: string) => (await api.send({ method: 'GET', url, headers: as(key) })).body
  t.equal((await get('/v1/can?org=org:acme&feature=feature:calls', live)).used, 3)
  t.hasStrict(await get('/v1/can?org=org:acme&feature=feature:calls', staging), { code: 'org_not_found' })
  t.strictSame(await get('/v1/pull', staging), { plans: {} })
  t.hasStrict(await get('/v1/whoami', staging), { id: 'staging' })
  const { keys } = await get('/v1/keys', staging)
  t.ok(keys.length > 0 && keys.every(({ environment }: { environment: string }) => environment === 'staging'))
  const [own] = (await get('/v1/keys', live)).keys
  t.hasStrict(await get(`/v1/keys/${own.id}`, live), { id: own.id })
  t.hasStrict(await get(`/v1/keys/${own.id}`, staging), { status: 404, code: 'not_found' })
  for (const action of ['rotate', 'revoke']) {
    const { status } = await api.send({ method: 'POST', url: `/v1/keys/${own.id}/${action}`, headers: as(staging) })
    t.equal(status, 404, action)
  }
  t.hasStrict(await get(`/v1/keys/${own.id}`, live), { revokedAt: null, rotatedTo: null })
})

t.end()
