import { createHmac, hkdfSync } from 'node:crypto'
import { decodeJwt, SignJWT } from 'jose'
import t from 'tap'
import type { Body } from '../fixtures/api.ts'
import { openApi } from '../fixtures/api.ts'

/** Section 0 of Kana's contract: which key opens which API, in which form, and what pages of other origins may ask. */
const ADMIN_KEY = 'prv_live_0123456789abcdef0123456789abcdef'
const UNAUTHENTICATED = { code: 'UNAUTHENTICATED', exception: { name: 'AuthenticationError' } }

const open = await openApi(t)
const api = await open.as(ADMIN_KEY)
const stranger = { authorization: undefined as unknown as string }

const keyOf = async (kind: string, more: Body = {}): Promise<string> => (await api.post('/v1/keys', { kind, ...more })).body.key
const made = { prv: await keyOf('private', { scopes: ['admin'] }), pub: await keyOf('public'), reader: await keyOf('private', { scopes: ['read'] }) }
await api.push({
  'plan:basic@0': { title: 'Basic', features: { 'feature:calls': { tiers: [{ upto: 50 }] }, 'feature:sso': {} } },
  'plan:extra@0': { title: 'Extra', addon: true, features: { 'feature:calls': { tiers: [{ upto: 500 }], combine: 'highest' } } }
})
await api.subscribe('org:124', 'plan:basic@0', 'plan:extra@0')

const users = '{ users { id } }'
const me = '{ currentUser { id subscribedPackages { id features { id entitlement { access consumption { used budget } } } } } }'
const admin = async (headers: Record<string, string>, query = users): Promise<Body> => (await api.post('/graphql', { query }, { ...stranger, ...headers })).body
const client = async (headers: Record<string, string>, query = me): Promise<Body> => (await api.post('/client/graphql', { query }, { ...stranger, ...headers })).body
const tokenOf = async (userId: string, headers: Record<string, string> = {}): Promise<string> => {
  const { data, errors } = (await api.post('/graphql', { query: `mutation { generateUserToken(userId: "${userId}") { token } }` }, headers)).body
  return errors === undefined ? data.generateUserToken.token : errors[0].message
}

t.test('E1: one URL for the admin API: POST answers, GET shows a page that asks nobody else', async t => {
  t.strictSame(await admin({ authorization: ADMIN_KEY }), { data: { users: [{ id: '124' }] } })
  const { status, headers, raw } = await api.send({ method: 'GET', url: '/graphql', headers: stranger })
  t.strictSame([status, headers['content-type']], [200, 'text/html; charset=utf-8'])
  t.match(String(headers['content-security-policy']), /^default-src 'none'; script-src 'self'; /)
  const files = [...raw.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, url]) => url as string)
  t.equal(files.length, 6)
  for (const url of files) t.equal((await api.send({ method: 'GET', url, headers: stranger })).status, 200, url)
})

t.test('E3: the admin API takes a private key, with Bearer, without, and as Basic sends it', async t => {
  const { prv } = made
  for (const authorization of [prv, `Bearer ${prv}`, `bearer ${prv}`, `Basic ${Buffer.from(`${prv}:`).toString('base64')}`, ADMIN_KEY]) {
    t.strictSame(await admin({ authorization }), { data: { users: [{ id: '124' }] } }, authorization.slice(0, 12))
  }
})

t.test('E3, E11, F14: and nothing else: each refusal begins with Unauthenticated, at status 200', async t => {
  const refused: Array<[what: string, headers: Record<string, string>]> = [
    ['no key', {}],
    ['a key that nobody made', { authorization: 'prv_live_ffffffffffffffffffffffffffffffff' }],
    ['a public key', { authorization: made.pub }],
    ['a public key and a user', { authorization: made.pub, 'x-user-id': '124' }],
    ['a user token', { authorization: `Bearer ${await tokenOf('124')}` }],
    ['no key at all', { authorization: 'Bearer ' }]
  ]
  for (const [what, headers] of refused) {
    const { status, body } = await api.post('/graphql', { query: users }, { ...stranger, ...headers })
    t.equal(status, 200)
    t.match(body, { data: null, errors: [{ message: /^Unauthenticated/, extensions: UNAUTHENTICATED }] }, what)
  }
})

t.test('E4, E5, E6: the client API takes a public key with X-User-ID, and a user token without', async t => {
  const expected = { data: { currentUser: { id: '124' } } }
  t.match(await client({ authorization: made.pub, 'x-user-id': '124' }), expected)
  t.match(await client({ authorization: `Bearer ${made.pub}`, 'x-user-id': '124', 'x-api-version': '0.1' }), expected)
  const token = await tokenOf('124')
  t.match(await client({ authorization: `Bearer ${token}` }), expected)
  t.match(await client({ authorization: `Bearer ${token}`, 'x-user-id': '125' }), expected, 'a token says who the user is')
})

t.test('and nothing else', async t => {
  const refused: Array<[what: string, headers: Record<string, string>]> = [
    ['no key', { 'x-user-id': '124' }],
    ['a private key', { authorization: made.prv, 'x-user-id': '124' }],
    ['the admin key', { authorization: `Bearer ${ADMIN_KEY}`, 'x-user-id': '124' }],
    ['a public key that nobody made', { authorization: 'pub_live_ffffffffffffffffffffffffffffffff', 'x-user-id': '124' }],
    ['a public key without a user', { authorization: made.pub }]
  ]
  for (const [what, headers] of refused) {
    t.match(await client(headers), { errors: [{ message: /^Unauthenticated/, extensions: UNAUTHENTICATED }] }, what)
  }
  t.match(await client({ authorization: made.pub, 'x-user-id': 'nobody' }),
    { errors: [{ message: 'User Id not found for app', path: ['currentUser'], extensions: { exception: { name: 'UserNotFoundError' } } }] })
})

t.test('on an open server what looks like a key of the other API is refused as well', async t => {
  const post = async (url: string, headers: Record<string, string>): Promise<Body> => (await open.post(url, { query: '{ __typename }' }, headers)).body
  const typename = { data: { __typename: 'Query' } }
  t.strictSame(await post('/graphql', {}), typename)
  t.strictSame(await post('/graphql', { authorization: 'prv_test_ffffffffffffffffffffffffffffffff' }), typename)
  t.strictSame(await post('/client/graphql', { 'x-user-id': '124' }), typename)
  t.strictSame(await post('/client/graphql', { authorization: 'pub_test_ffffffffffffffffffffffffffffffff', 'x-user-id': '124' }), typename)
  const refused = { errors: [{ message: /^Unauthenticated/ }] }
  t.match(await post('/graphql', { authorization: 'pub_test_ffffffffffffffffffffffffffffffff' }), refused)
  t.match(await post('/client/graphql', { authorization: 'prv_test_ffffffffffffffffffffffffffffffff', 'x-user-id': '124' }), refused)
  t.match(await post('/client/graphql', {}), refused, 'nobody says who the user is')
})

t.test('scopes count, field by field', async t => {
  const authorization = made.reader
  t.match(await admin({ authorization }), { data: { users: [{ id: '124' }] } })
  t.match(await admin({ authorization }, 'mutation { createUser(input: { id: "1" }) { id } }'),
    { data: null, errors: [{ message: /scope write/, path: ['createUser'], extensions: { code: 'FORBIDDEN' } }] })
  const writer = await keyOf('private', { scopes: ['write'] })
  t.match(await admin({ authorization: writer }), { errors: [{ message: /scope read/ }] })
  t.match(await admin({ authorization: writer }, 'mutation { createFeature(input: { id: "x", type: BINARY }) { id } }'), { errors: [{ message: /scope admin/ }] })
})

t.test('E13: test and live are separate', async t => {
  const { body } = await api.post('/v1/keys', { scopes: ['admin'], environment: 'test' })
  t.strictSame(await admin({ authorization: body.key }), { data: { users: [] } })
})

t.test('E8: a user token has Kana\'s claims, and is good for 30 days', async t => {
  const token = await tokenOf('124')
  const { iat, exp, org, ...claims } = decodeJwt(token)
  t.strictSame(claims, { appId: 'live', userId: '124', aud: 'kana-client', iss: 'usekana.com' })
  t.equal(exp, iat as number + 2_592_000)
  t.ok(Math.abs(Date.now() / 1000 - (iat as number)) < 60)
  t.type(org, 'number')
  t.equal(await tokenOf('nobody'), 'User Id not found for app')
})

t.test('a token that was not signed here, for this, or that has expired, opens nothing', async t => {
  const claims = decodeJwt(await tokenOf('124'))
  const key = new Uint8Array(hkdfSync('sha256', open.stores.secret, '', 'tollgate kana user token', 32))
  const signed = async (change: Body, by: Uint8Array = key): Promise<string> => await new SignJWT({ ...claims, ...change }).setProtectedHeader({ alg: 'HS256' }).sign(by)
  const ask = async (token: string): Promise<Body> => await client({ authorization: `Bearer ${token}` })
  t.match(await ask(await signed({})), { data: { currentUser: { id: '124' } } })
  const [head, body] = (await signed({})).split('.') as [string, string]
  const none = Buffer.from('{"alg":"none"}').toString('base64url')
  const wrong: Array<[what: string, token: string]> = [
    ['another key', await signed({}, new Uint8Array(32))],
    ['another audience', await signed({ aud: 'else' })],
    ['another issuer', await signed({ iss: 'else' })],
    ['expired', await signed({ exp: Math.floor(Date.now() / 1000) - 1 })],
    ['another environment', await signed({ appId: 'no such' })],
    ['no user', await signed({ userId: 7 })],
    ['a changed body', `${head}.${body.slice(0, -1)}.${createHmac('sha256', 'x').digest('base64url')}`],
    ['no signature', `${none}.${body}.${'A'.repeat(4)}`]
  ]
  for (const [what, token] of wrong) t.match(await ask(token), { errors: [{ message: /^Unauthenticated: this user token/ }] }, what)
  t.match(await ask(await signed({ org: 2_000_000_000 })), { errors: [{ message: /^Unauthenticated: the user/ }] }, 'somebody who is gone')
})

t.test('a token stays its user\'s when their id changes, and never becomes another\'s', async t => {
  await admin({ authorization: made.prv }, 'mutation { createUser(input: { id: "old" }) { id } }')
  const authorization = `Bearer ${await tokenOf('old')}`
  await admin({ authorization: made.prv }, 'mutation { updateUser(id: "old", input: { id: "new" }) { id } }')
  await admin({ authorization: made.prv }, 'mutation { createUser(input: { id: "old" }) { id } }')
  t.match(await client({ authorization }), { data: { currentUser: { id: 'new' } } })
})

t.test('a test clock counts on both APIs, and a token of a clock is for that clock', async t => {
  const { id } = (await api.post('/v1/clock', { name: 'x', present: '2024-01-31T00:00:00Z' })).body
  const clock = { 'tier-clock': String(id) }
  t.strictSame(await admin({ authorization: made.prv, ...clock }), { data: { users: [] } })
  await admin({ authorization: made.prv, ...clock }, 'mutation { createUser(input: { id: "timely" }) { id } }')
  t.match(await client({ authorization: made.pub, 'x-user-id': 'timely', ...clock }), { data: { currentUser: { id: 'timely' } } })
  t.match(await client({ authorization: made.pub, 'x-user-id': 'timely' }), { errors: [{ message: 'User Id not found for app' }] })
  const authorization = `Bearer ${await tokenOf('timely', clock)}`
  t.match(await client({ authorization }), { data: { currentUser: { id: 'timely' } } })
  t.match(await client({ authorization, ...clock }), { data: { currentUser: { id: 'timely' } } })
  t.match(await admin({ authorization: made.prv, 'tier-clock': 'clock-nope' }), { errors: [{ message: /there is no test clock/, extensions: { code: 'BAD_USER_INPUT' } }] })
})

t.test('E7: a page of any origin may ask the client API, and read its refusals; the admin API answers none', async t => {
  const preflight = async (url: string) => await api.send({
    method: 'OPTIONS',
    url,
    headers: {
      ...stranger,
      origin: 'https://app.example.com',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,x-api-version,x-user-id'
    }
  })
  const { status, headers } = await preflight('/client/graphql')
  t.equal(status, 204)
  t.equal(headers['access-control-allow-origin'], '*')
  t.match(String(headers['access-control-allow-headers']), /authorization.*x-api-version.*x-user-id/)
  t.equal(headers['access-control-allow-credentials'], undefined)
  for (const more of [{ authorization: made.pub, 'x-user-id': '124' }, {}]) {
    const answer = await api.post('/client/graphql', { query: me }, { ...stranger, origin: 'https://app.example.com', ...more })
    t.equal(answer.headers['access-control-allow-origin'], '*')
  }
  const broken = await api.post('/client/graphql', '{', { ...stranger, authorization: made.pub, 'x-user-id': '124', origin: 'https://app.example.com' })
  t.equal(broken.headers['access-control-allow-origin'], '*')
  t.equal((await api.post('/graphql', { query: users }, { origin: 'https://app.example.com' })).headers['access-control-allow-origin'], undefined)
  t.equal((await preflight('/graphql')).status, 404)
})

t.test('S12: every package of the client API shows what counts, not what that package says', async t => {
  const { data } = await client({ authorization: made.pub, 'x-user-id': '124' })
  const calls = { id: 'calls', entitlement: { access: true, consumption: { used: 0, budget: 500 } } }
  t.strictSame(data.currentUser.subscribedPackages, [
    { id: 'basic', features: [calls, { id: 'sso', entitlement: { access: true, consumption: null } }] },
    { id: 'extra', features: [calls] }
  ])
})

t.test('S15: entitlements of the client API are for one more, or for as many as are asked for', async t => {
  const headers = { authorization: made.pub, 'x-user-id': '124' }
  const access = async (args: string): Promise<boolean> => {
    const { data } = await client(headers, `{ currentUser { subscribedPackages { features { id entitlement${args} { access } } } } }`)
    return data.currentUser.subscribedPackages[0].features[0].entitlement.access
  }
  t.strictSame([await access(''), await access('(delta: 500)'), await access('(delta: 501)'), await access('(delta: "501")')], [true, true, false, false])
})

t.end()
