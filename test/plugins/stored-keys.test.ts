import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import t, { type Test } from 'tap'
import { createKey, type MadeKey, revokeKey } from '../../src/operations/keys.ts'
import { type Api, openApi } from '../fixtures/api.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { tcpProxy } from '../fixtures/proxy.ts'

const ADMIN_KEY = 'prv_live_0123456789abcdef'
const WANTED = { kind: 'private' as const, scopes: undefined, name: '', expiresAt: null }
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const open = await openApi(t)
const guarded = await open.as(ADMIN_KEY)

const make = async (environment: string, { stores }: Api = open): Promise<MadeKey> =>
  await createKey(stores, environment, WANTED, Date.now())
const whoami = async (api: Api, authorization: string | undefined) =>
  await api.send({ method: 'GET', url: '/v1/whoami', headers: { authorization } })

/** Does something at another time. */
async function at<T> (now: number, work: () => Promise<T>): Promise<T> {
  const clock = Date.now
  Date.now = () => now
  try {
    return await work()
  } finally {
    Date.now = clock
  }
}

t.test('a stored key is taken in every form in which the admin key is', async t => {
  const { key } = await make('live')
  for (const header of [`Bearer ${key}`, `BEARER   ${key}`, `Basic ${base64(`${key}:`)}`, `Basic ${base64(key)}`, key]) {
    t.equal((await whoami(guarded, header)).body.id, 'live', header)
  }
})

t.test('revoked, expired, wrong: all are refused in the one shape in which none is', async t => {
  const none = await whoami(guarded, undefined)
  t.equal(none.status, 401)
  const [revoked, expired] = [await make('live'), await createKey(open.stores, 'live', { ...WANTED, expiresAt: Date.now() + 60_000 }, Date.now())]
  t.equal((await whoami(guarded, expired.key)).status, 200)
  await revokeKey(open.stores, 'live', revoked.record.id, Date.now())
  const wrong = `${revoked.key.slice(0, -1)}${revoked.key.endsWith('0') ? '1' : '0'}`
  await at(Date.now() + 60_000, async () => {
    for (const key of [revoked.key, expired.key, wrong, `${wrong}${'0'.repeat(5_000)}`, 'pub_live_0123456789abcdef', 'nonsense']) {
      const { status, raw, headers } = await whoami(guarded, `Bearer ${key}`)
      t.strictSame([status, raw, headers['www-authenticate']], [none.status, none.raw, none.headers['www-authenticate']], key.slice(0, 80))
    }
  })
})

t.test('where no key is needed, one that we made counts as usual, and is refused once it counts no more', async t => {
  const { key, record } = await make('live')
  t.equal((await whoami(open, key)).body.id, 'live')
  t.hasStrict((await open.send({ method: 'GET', url: '/v1/pull', headers: { authorization: key } })).body, { plans: {} })
  t.hasStrict((await open.send({ method: 'PUT', url: '/v1/environments/live', headers: { authorization: key }, payload: {} })).body, {
    status: 403, message: 'this needs a key with the scope admin; this one has write and read'
  })
  await revokeKey(open.stores, 'live', record.id, Date.now())
  t.hasStrict((await whoami(open, key)).body, { status: 401, code: 'unauthorized' })
  t.equal((await whoami(open, key.replace('prv_', 'pub_'))).body.id, 'test', 'a key that nobody made is like none')
  t.equal((await whoami(open, ADMIN_KEY)).body.id, 'test')
})

t.test('the admin key is compared in constant time: whatever is sent, 32 bytes with 32 bytes, once', async t => {
  const { timingSafeEqual } = crypto
  const compared: number[][] = []
  t.teardown(() => replaceCompare(timingSafeEqual))
  replaceCompare((a, b) => {
    compared.push([a.byteLength, b.byteLength])
    return timingSafeEqual(a, b)
  })
  const sent = ['x', ADMIN_KEY, ADMIN_KEY.slice(0, -1), `${ADMIN_KEY}0`, ADMIN_KEY.replace('0', '1'), 'prv_test_0123456789abcdef', 'é'.repeat(1_000)]
  const statuses: number[] = []
  for (const key of sent) statuses.push((await whoami(guarded, `Basic ${base64(`${key}:`)}`)).status)
  t.strictSame(statuses, [401, 200, 401, 401, 401, 401, 401])
  t.strictSame(compared, sent.map(() => [32, 32]))
})

function replaceCompare (compare: typeof crypto.timingSafeEqual): void {
  crypto.timingSafeEqual = compare
  syncBuiltinESMExports()
}

t.test('a crowd of guesses is refused with a few questions to the ledger, and what is known is not asked for', async t => {
  const { key } = await make('live')
  await whoami(guarded, key)
  const { run } = open.database
  let statements = 0
  t.teardown(() => { open.database.run = run })
  open.database.run = async sent => {
    statements += sent.length
    return await run(sent)
  }
  const guesses = Array.from({ length: 600 }, (_, i) => `prv_live_${String(i % 300).padStart(48, '0')}`)
  const replies = await Promise.all(guesses.map(async guess => await whoami(guarded, guess)))
  t.ok(replies.every(({ status }) => status === 401))
  t.ok(statements >= 1 && statements <= 5, `${statements} statements`)
  statements = 0
  await Promise.all(guesses.slice(0, 300).map(async guess => await whoami(guarded, guess)))
  await Promise.all(Array.from({ length: 50 }, async () => await whoami(guarded, key)))
  t.equal(statements, 0)
})

async function outage (t: Test, adminKey: string | undefined): Promise<void> {
  const url = await freshLedger(t)
  const proxy = await tcpProxy(t, Number(new URL(url).port))
  const api = await openApi(t, { databaseUrl: proxy.url(url), ...(adminKey !== undefined && { adminKey }) })
  const [known, unknown] = [await make('live', api), await make('live', api)]
  await whoami(api, known.key)
  proxy.refuse()
  proxy.cut()
  await at(Date.now() + 60_000, async () => {
    t.equal((await whoami(api, known.key)).body.id, 'live', 'what was known before goes on')
    for (const key of [unknown.key, 'prv_live_0123456789abcdef0123456789abcdef0123456789abcdef']) {
      const { body, headers } = await whoami(api, key)
      t.hasStrict(body, { status: 503, code: 'ledger_unavailable' }, 'nobody is told that there is no such key')
      t.match(headers['retry-after'], /^[1-9]/)
    }
    if (adminKey !== undefined) t.equal((await whoami(api, adminKey)).body.id, 'live', 'the admin key needs no ledger')
    t.equal((await whoami(api, 'nonsense')).status, adminKey === undefined ? 200 : 401, 'what is no key needs none either')
  })
  await proxy.pass()
  t.equal((await whoami(api, unknown.key)).body.id, 'live')
}

t.test('with the ledger away', { skip: postgresMissing }, async t => await outage(t, ADMIN_KEY))
t.test('with the ledger away, where no key is needed', { skip: postgresMissing }, async t => await outage(t, undefined))

t.end()
