import t, { type Test } from 'tap'
import { sweepIdempotencyKeys } from '../../src/background/idempotency-keys.ts'
import { createKey } from '../../src/operations/keys.ts'
import { type Api, openApi, type Reply } from '../fixtures/api.ts'
import { exampleOf, filledIn, type Operation, operationsOf } from '../fixtures/operations.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { freshRedis, redisMissing } from '../fixtures/redis.ts'

/** What a key does for each POST: whoever adds one decides. */
const KEEPS_ITS_ANSWER = [
  '/v1/push', '/v1/plans', '/v1/billing-templates', '/v1/segment/rules', '/v1/subscribe', '/v1/orgs/{org}/subscriptions', '/v1/checkout', '/v1/clock', '/v1/keys', '/v1/keys/{id}/rotate'
]
const IS_THE_EVENTS_ID = [
  '/v1/report', '/v1/consume', '/v1/reports', '/v1/reservations', '/v1/events/{id}/amend', '/v1/events/{id}/void'
]
/** Sent again, they change nothing more, key or no key. */
const CREATES_NOTHING = [
  '/v1/can', '/v1/verify', '/v1/org-imports', '/v1/orgs/{org}/merge', '/v1/plans/{plan}/publish', '/v1/plans/{plan}/archive', '/v1/keys/{id}/revoke',
  '/v1/reservations/{id}/commit', '/v1/reservations/{id}/release', '/v1/reservations/{id}/extend'
]

const HOUR_MS = 3_600_000
const CALLERS = 24

let made = 0
const fresh = (): string => `key-${(made += 1)}`

const keyed = async (api: Api, path: string, body: unknown, key: string, headers = {}): Promise<Reply> =>
  await api.post(path, body, { 'idempotency-key': key, ...headers })

/** As if the first request were still under way, or the process that had it gone. */
async function reopen (api: Api, secondsAgo: number): Promise<void> {
  await api.database.run([{
    text: 'update idempotency_keys set status = null, body = null, started_at = now() - make_interval(secs => $1::int)', params: [secondsAgo]
  }])
}

async function count (api: Api, table: string): Promise<number> {
  return (await api.rows())[table] as number
}

async function specification (t: Test, api: Api): Promise<void> {
  t.beforeEach(async () => { await api.database.run([{ text: 'delete from idempotency_keys', params: [] }]) })

  await t.test('a body that is nested too deep is refused', async t => {
    const depth = 6_000
    const { body } = await keyed(api, '/v1/plans', `${'{"x":'.repeat(depth)}1${'}'.repeat(depth)}`, fresh())
    t.hasStrict(body, { status: 400, code: 'invalid_request' })
  })

  await t.test('every POST that creates is carried out once, and answered the same again', async t => {
    const operations = await operationsOf(api)
    const linkPrice = operations.find(({ name }) => name === 'put /v1/plans/{plan}/prices') as Operation
    for (const path of KEEPS_ITS_ANSWER) {
      if (path === '/v1/billing-templates') await api.send(filledIn(linkPrice))
      const { body } = operations.find(({ name }) => name === `post ${path}`) ?? {}
      const [known] = (await api.get('/v1/keys')).body.keys ?? []
      const url = path.replace('{org}', 'org:acme').replace('{id}', known?.id)
      const key = fresh()
      const first = await keyed(api, url, body && exampleOf(body), key)
      t.equal(first.status, 200, `${path} ${first.raw}`)
      t.notOk(first.headers['idempotent-replayed'])
      const before = await api.rows()
      const again = await keyed(api, url, body && exampleOf(body), key)
      t.strictSame([again.status, again.raw, again.headers['idempotent-replayed']], [200, first.raw, 'true'], path)
      t.equal(again.headers['content-type'], first.headers['content-type'])
      t.strictSame(await api.rows(), before, `${path} creates nothing more`)
    }
  })

  await t.test('another key, or none, is another request', async t => {
    const before = await count(api, 'keys')
    const ids = new Set<string>()
    for (const key of [fresh(), fresh()]) ids.add((await keyed(api, '/v1/keys', {}, key)).body.id)
    for (let i = 0; i < 2; i += 1) ids.add((await api.post('/v1/keys', {})).body.id)
    t.equal(ids.size, 4)
    t.equal(await count(api, 'keys'), before + 4)
  })

  await t.test('of many at once one is carried out; the others hear its answer, or that it is under way', async t => {
    const before = await count(api, 'keys')
    const key = fresh()
    const replies = await Promise.all(Array.from({ length: CALLERS }, async () => await keyed(api, '/v1/keys', { name: 'one' }, key)))
    t.equal(await count(api, 'keys'), before + 1)
    const good = replies.filter(({ status }) => status === 200)
    t.equal(new Set(good.map(({ raw }) => raw)).size, 1)
    t.equal(good.filter(({ headers }) => headers['idempotent-replayed'] === undefined).length, 1)
    for (const { body, headers } of replies.filter(({ status }) => status !== 200)) {
      t.hasStrict(body, { status: 409, code: 'idempotency_key_in_use', errors: [{ pointer: 'idempotency-key' }] })
      t.equal(headers['retry-after'], '1')
    }
  })

  await t.test('while the first is under way: 409; once its process must be gone, whoever sends it again takes its place', async t => {
    const key = fresh()
    const first = await keyed(api, '/v1/clock', { name: 'x', present: '2024-01-31T00:00:00Z' }, key)
    await reopen(api, 55)
    const during = await keyed(api, '/v1/clock', { name: 'x', present: '2024-01-31T00:00:00Z' }, key)
    t.hasStrict(during.body, { status: 409, code: 'idempotency_key_in_use' })
    await reopen(api, 61)
    const other = await keyed(api, '/v1/clock', { name: 'x', present: '2025-01-31T00:00:00Z' }, key)
    t.hasStrict(other.body, { status: 422, code: 'idempotency_key_reused' }, 'not with something else')
    const after = await keyed(api, '/v1/clock', { name: 'x', present: '2024-01-31T00:00:00Z' }, key)
    t.equal(after.status, 200)
    t.not(after.body.id, first.body.id)
    t.equal((await keyed(api, '/v1/clock', { name: 'x', present: '2024-01-31T00:00:00Z' }, key)).raw, after.raw)
  })

  await t.test('the same key with another body, path, query or caller: 422, and nothing is done', async t => {
    const key = fresh()
    const plans = { 'plan:once@1': { features: { 'feature:x': {} } } }
    await keyed(api, '/v1/push', { plans }, key)
    const before = await api.rows()
    const { key: another } = await createKey(api.stores, 'test', { kind: 'private', scopes: ['admin'], name: '', expiresAt: null }, Date.now())
    const others: Array<[string, unknown, object?]> = [
      ['/v1/push', { plans: { 'plan:once@1': { features: { 'feature:y': {} } } } }], ['/v1/push?dryRun=true', { plans }], ['/v1/plans', { plans }],
      ['/v1/push', { plans }, { authorization: `Bearer ${another}` }]
    ]
    for (const [path, body, headers] of others) {
      const reply = await keyed(api, path, body, key, headers)
      t.hasStrict(reply.body, { status: 422, code: 'idempotency_key_reused', errors: [{ pointer: 'idempotency-key' }] }, path)
    }
    t.strictSame(await api.rows(), { ...before, keys: (before.keys ?? 0) + 1 })
    t.equal((await keyed(api, '/v1/push', `{ "plans": ${JSON.stringify(plans)} }`, key)).headers['idempotent-replayed'], 'true', 'space is no content')
  })

  await t.test('what was refused is carried out anew, and may be mended', async t => {
    const key = fresh()
    const plan = { plan: 'plan:late@1' }
    t.hasStrict((await keyed(api, '/v1/orgs/org:acme/subscriptions', plan, key)).body, { status: 400, code: 'TERR1020' })
    t.hasStrict((await keyed(api, '/v1/orgs/org:acme/subscriptions', { plans: 1 }, key)).body, { status: 400, code: 'invalid_request' })
    t.equal(await count(api, 'idempotency_keys'), 0, 'nothing is kept of it')
    await api.push({ 'plan:late@1': { addon: true, features: { 'feature:x': {} } } })
    const first = await keyed(api, '/v1/orgs/org:acme/subscriptions', plan, key)
    t.hasStrict([first.status, first.body], [200, plan])
    t.equal((await keyed(api, '/v1/orgs/org:acme/subscriptions', plan, key)).raw, first.raw, 'where it would be held already')
  })

  await t.test('each environment and test clock has keys of its own', async t => {
    const key = fresh()
    const { id } = (await api.post('/v1/clock', { present: '2024-01-31T00:00:00Z' })).body
    const here = await keyed(api, '/v1/subscribe', { org: 'org:own', phases: [{ features: ['plan:free@0'] }] }, key)
    const there = await keyed(api, '/v1/subscribe', { org: 'org:own', phases: [{ features: ['plan:free@0'] }] }, key, { 'tier-clock': id })
    t.strictSame([here, there].map(({ status, headers }) => [status, headers['idempotent-replayed']]), [[200, undefined], [200, undefined]])
    t.match(await (await api.onClock(id)).phase('org:own'), { plans: ['plan:free@0'] })
  })

  await t.test('for 24 hours, then they are forgotten and swept', async t => {
    const [young, old] = [fresh(), fresh()]
    for (const key of [young, old]) await keyed(api, '/v1/keys', {}, key)
    const before = await count(api, 'keys')
    await sweepIdempotencyKeys(api.stores, Date.now() + 23 * HOUR_MS)
    t.equal(await count(api, 'idempotency_keys'), 2)
    await api.database.run([{ text: "update idempotency_keys set started_at = started_at - interval '24 hours'", params: [] }])
    t.equal((await keyed(api, '/v1/keys', { name: 'other' }, young)).headers['idempotent-replayed'], undefined, 'for whatever comes next')
    t.equal(await count(api, 'keys'), before + 1)
    await sweepIdempotencyKeys(api.stores, Date.now())
    t.equal(await count(api, 'idempotency_keys'), 1)
    await api.database.run([{
      text: "insert into idempotency_keys select 'test', n::text, gen_random_uuid(), now() - interval '2 days' from generate_series(1, 2500) n", params: []
    }])
    await sweepIdempotencyKeys(api.stores, Date.now())
    t.equal(await count(api, 'idempotency_keys'), 1, 'page by page')
  })

  await t.test('no secret lies in the ledger: neither the key that was made, nor who asked', async t => {
    const key = fresh()
    const { body: { key: shown } } = await keyed(api, '/v1/keys', { name: 'a name that nobody else has' }, key)
    const [result] = await api.database.run([{ text: 'select row_to_json(row)::text from idempotency_keys row', params: [] }])
    const stored = result?.rows.flat().join('') ?? ''
    t.match(stored, /"status":200/)
    const decoded = Buffer.from(JSON.parse(stored).body, 'base64').toString('latin1')
    for (const text of [shown, shown.split('_')[2], key, 'a name that nobody']) t.notOk(`${stored}${decoded}`.includes(text))
  })

  await t.test('keys that are none, and answers that are too long', async t => {
    for (const key of ['', 'x'.repeat(256), 'caf\u0085']) {
      const { body } = await keyed(api, '/v1/keys', {}, key)
      t.hasStrict(body, { status: 400, code: 'invalid_id', errors: [{ pointer: 'idempotency-key' }] }, JSON.stringify(key))
    }
    t.equal((await keyed(api, '/v1/keys', {}, 'x'.repeat(255))).status, 200)
    const features = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`feature:${i}`, {}]))
    const plans = Object.fromEntries([1, 2].map(version => [`plan:${'long'.repeat(50)}@${version}`, { features }]))
    const key = fresh()
    const first = await keyed(api, '/v1/push', { plans }, key)
    t.ok(first.status === 200 && first.raw.length > 256 * 1024)
    const again = await keyed(api, '/v1/push', { plans }, key)
    t.hasStrict(again.body, { status: 422, code: 'idempotency_key_reused' })
    t.match(again.body.message, /was carried out/)
  })

  await t.test('an answer that cannot be kept is given all the same, and its key is in use until the run counts as dead', async t => {
    const key = fresh()
    await api.database.run([{ text: 'alter table idempotency_keys add constraint refused check (status is null) not valid', params: [] }])
    const first = await keyed(api, '/v1/keys', {}, key)
    await api.database.run([{ text: 'alter table idempotency_keys drop constraint refused', params: [] }])
    t.equal(first.status, 200)
    t.hasStrict((await keyed(api, '/v1/keys', {}, key)).body, { status: 409, code: 'idempotency_key_in_use' })
  })
}

const embedded = await openApi(t, { on: 'embedded' })

t.test('every POST says what a key does for it', async t => {
  const posts = (await operationsOf(embedded)).filter(({ method }) => method === 'POST')
  const withHeader = posts.filter(({ parameters }) => parameters.some(({ name }) => name === 'idempotency-key')).map(({ path }) => path)
  t.strictSame(withHeader.sort(), [...KEEPS_ITS_ANSWER, ...IS_THE_EVENTS_ID].sort())
  t.strictSame(posts.map(({ path }) => path).filter(path => !withHeader.includes(path)).sort(), CREATES_NOTHING.sort())
})

t.test('embedded', async t => await specification(t, embedded))

t.test('on Postgres and Redis', { skip: postgresMissing || redisMissing }, async t => {
  const servers = { on: 'servers', databaseUrl: await freshLedger(t), redisUrl: await freshRedis(t) } as const
  const [a, b] = [await openApi(t, servers), await openApi(t, servers)]
  await specification(t, a)

  await t.test('of many at once on two replicas one is carried out', async t => {
    for (let round = 0; round < 5; round += 1) {
      const before = await count(a, 'keys')
      const key = fresh()
      const replies = await Promise.all(Array.from({ length: CALLERS }, async (_, i) =>
        await keyed(i % 2 === 0 ? a : b, '/v1/keys', { name: 'one' }, key)))
      t.equal(await count(a, 'keys'), before + 1)
      t.strictSame(replies.filter(({ status }) => status !== 200 && status !== 409), [])
      const first = replies.filter(({ status, headers }) => status === 200 && headers['idempotent-replayed'] === undefined)
      t.equal(first.length, 1)
      for (const api of [a, b]) t.equal((await keyed(api, '/v1/keys', { name: 'one' }, key)).raw, first[0]?.raw)
    }
  })
})

t.end()
