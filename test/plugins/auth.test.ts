import t from 'tap'
import { keyFromHeader } from '../../src/domain/key.ts'
import { openApi } from '../fixtures/api.ts'

const KEY = 'prv_live_0123456789abcdef'
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const open = await openApi(t)
const guarded = await open.as(KEY)
const whoami = async (authorization: string | undefined, url = '/v1/whoami'): ReturnType<typeof guarded.send> =>
  await guarded.send({ method: 'GET', url, headers: { authorization } })

t.test('the key is taken as Bearer, as user of Basic, and bare', async t => {
  for (const header of [
    `Bearer ${KEY}`, `bearer ${KEY}`, `BEARER   ${KEY}`, `Basic ${base64(`${KEY}:`)}`, `basic ${base64(`${KEY}:`)}`, `Basic ${base64(KEY)}`, KEY
  ]) t.hasStrict((await whoami(header)).body, { id: 'live', key_source: 'authorization' }, header)
})

t.test('any other key, and none, is refused in one shape that says nothing', async t => {
  const { status, raw, headers } = await whoami(undefined)
  t.equal(status, 401)
  t.strictSame(JSON.parse(raw), {
    type: 'urn:tollgate:error:unauthorized', title: 'Unauthorized', status: 401, detail: 'Unauthorized', code: 'unauthorized', message: 'Unauthorized'
  })
  t.match(headers['www-authenticate'], /^Bearer/)
  for (const header of [
    '', 'Bearer', 'Bearer ', `Bearer ${KEY}x`, `Bearer ${KEY.slice(0, -1)}`, `Bearer ${KEY.toUpperCase()}`, 'Bearer prv_test_0123456789abcdef',
    `Basic ${base64(`:${KEY}`)}`, `Basic ${base64(`user:${KEY}`)}`, 'Basic ', 'Basic !!!', `Digest ${KEY}`, `Token ${KEY}`, `${KEY} ${KEY}`,
    `Bearer ${KEY}\u00e9`
  ]) {
    const refused = await whoami(header)
    t.strictSame([refused.status, refused.raw, refused.headers['www-authenticate']], [401, raw, headers['www-authenticate']], header)
  }
})

t.test('every route of the API is guarded, by either path, before anything is read', async t => {
  const calls: Array<['GET' | 'POST' | 'PUT', string]> = [
    ['POST', '/v1/report'], ['POST', '/report'], ['GET', '/v1/can'], ['GET', '/can'], ['GET', '/v1/usage'], ['GET', '/usage'],
    ['GET', '/v1/cost'], ['POST', '/v1/push'], ['GET', '/v1/pull'], ['POST', '/v1/subscribe'], ['GET', '/v1/limits'], ['GET', '/v1/phase'],
    ['GET', '/v1/phases'], ['GET', '/v1/whois'], ['GET', '/v1/whoami'], ['POST', '/v1/checkout'], ['GET', '/v1/payment_methods'],
    ['GET', '/v1/environments/live'], ['PUT', '/v1/environments/live'],
    ['GET', '/v1/environments'], ['GET', '/v1/clock'], ['POST', '/v1/clock'], ['PUT', '/v1/clock'],
    ['GET', '/v1/can?org=org:a&feature=feature:b'], ['GET', '//v1/whoami'], ['GET', '/V1/whoami'], ['GET', '/v1/%77hoami']
  ]
  for (const [method, url] of calls) {
    const { status, raw } = await guarded.send({ method, url, headers: { authorization: undefined }, ...(method !== 'GET' && { payload: '{' }) })
    t.ok(status === 401 || (status === 404 && !raw.includes('live')), `${method} ${url}: ${status}`)
  }
})

t.test('health, documentation and metrics need no key', async t => {
  for (const url of ['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs']) {
    const { status } = await guarded.send({ method: 'GET', url, headers: { authorization: undefined } })
    t.ok(status < 400, url)
  }
})

t.test('what does not exist is not found, with a key or without', async t => {
  const [without, withKey] = [await whoami(undefined, '/v1/nope'), await whoami(`Bearer ${KEY}`, '/v1/nope')]
  t.hasStrict(without.body, { status: 404, code: 'not_found' })
  t.equal(without.raw, withKey.raw)
})

t.test('without an admin key everyone is administrator of test, whatever is sent', async t => {
  for (const headers of [{}, { authorization: 'Bearer nonsense' }, { authorization: `Basic ${base64('tier:')}` }]) {
    t.hasStrict((await open.send({ method: 'GET', url: '/v1/whoami', headers })).body, { id: 'test' })
  }
})

t.test('a key with a colon is whole: Basic splits at the last one', async t => {
  const cases: Array<[header: string, key: string | undefined]> = [
    [`Basic ${base64('key:with:colon:')}`, 'key:with:colon'],
    [`Basic ${base64('key:')}`, 'key'],
    [`Basic ${base64('key')}`, 'key'],
    [`Basic ${base64(':')}`, ''],
    ['Bearer key:with:colon', 'key:with:colon'],
    ['key:with:colon', 'key:with:colon'],
    ['Digest key', undefined],
    ['', undefined]
  ]
  for (const [header, key] of cases) t.equal(keyFromHeader(header), key, header)
})

t.end()
