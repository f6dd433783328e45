import t from 'tap'
import { type Api, type Body, openApi, type Reply } from '../fixtures/api.ts'
import { until } from '../storage/until.ts'

const ADMIN_KEY = 'prv_live_0123456789abcdef'
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const SECRETS = /_([0-9a-f]{48})/g

const logged: string[] = []
const answers: string[] = []
const open = await openApi(t, { log: { write: line => { logged.push(line) } } })
const guarded = await open.as(ADMIN_KEY, { write: line => { logged.push(line) } })

async function send (api: Api, method: 'GET' | 'POST', path: string, body?: Body | null, key?: string): Promise<Reply> {
  const reply = await api.send({
    method,
    url: `/v1/keys${path}`,
    ...(body !== undefined && body !== null && { payload: body }),
    ...(key !== undefined && { headers: { authorization: `Bearer ${key}` } })
  })
  answers.push(reply.raw)
  return reply
}

const create = async (wanted: Body = {}, key?: string, api = open): Promise<Body> => (await send(api, 'POST', '', wanted, key)).body
const get = async (id: string): Promise<Body> => (await send(open, 'GET', `/${id}`)).body
const rotate = async (id: string, body?: Body): Promise<Body> => (await send(open, 'POST', `/${id}/rotate`, body)).body
const revoke = async (id: string): Promise<Body> => (await send(open, 'POST', `/${id}/revoke`)).body

/** The environment that a key opens, or how it is refused. */
async function opens (key: string, api = open): Promise<string> {
  const { body } = await api.send({ method: 'GET', url: '/v1/whoami', headers: { authorization: `Bearer ${key}` } })
  return body.id ?? body.code
}

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

t.test('a new key is shown once, opens what it says, and is not to be stored on its way', async t => {
  const { headers, body } = await send(open, 'POST', '', { name: 'worker', scopes: ['read'], expiresAt: '2999-01-01T00:00:00+01:00' })
  t.match(body.key, /^prv_test_[0-9a-f]{48}$/)
  t.equal(headers['cache-control'], 'no-store')
  const { key, ...record } = body
  t.hasStrict(record, {
    environment: 'test',
    kind: 'private',
    scopes: ['read'],
    name: 'worker',
    prefix: key.slice(0, 'prv_test_'.length + 8),
    lastUsedAt: null,
    expiresAt: '2998-12-31T23:00:00.000Z',
    revokedAt: null,
    rotatedTo: null
  })
  t.ok(Math.abs(Date.parse(record.createdAt) - Date.now()) < 60_000)
  t.strictSame(await get(record.id), record)
  t.equal(await opens(key), 'test')
})

t.test('what is left out: a private key that may write and read, without a name and without an end', async t => {
  t.hasStrict(await create(), { kind: 'private', scopes: ['write', 'read'], name: '', expiresAt: null })
  t.hasStrict(await create({ scopes: ['read', 'admin'], expiresAt: null }), { scopes: ['admin', 'read'] })
  const { key, ...record } = await create({ kind: 'public', name: 'web' })
  t.match(key, /^pub_test_[0-9a-f]{48}$/)
  t.hasStrict(record, { kind: 'public', scopes: [], name: 'web' })
})

t.test('no two keys are alike', async t => {
  const keys = await Promise.all(Array.from({ length: 20 }, async () => (await create()).key))
  t.equal(new Set(keys).size, 20)
})

t.test('what makes no sense is refused, naming the field, and nothing is stored', async t => {
  const before = await open.rows()
  const cases: Array<[body: Body, pointer: string]> = [
    [{ kind: 'secret' }, '/kind'], [{ kind: null }, '/kind'], [{ scopes: ['root'] }, '/scopes/0'], [{ scopes: 'read' }, '/scopes'],
    [{ scopes: [] }, '/scopes'], [{ scopes: ['read', 'read'] }, '/scopes'], [{ kind: 'public', scopes: ['read'] }, '/scopes'],
    [{ name: 1 }, '/name'], [{ name: 'x'.repeat(101) }, '/name'], [{ expiresAt: 'soon' }, '/expiresAt'],
    [{ expiresAt: '2024-01-01T00:00:00Z' }, '/expiresAt'], [{ expiresAt: 0 }, '/expiresAt'], [{ expires: null }, '/expires'],
    [{ environment: 'Live' }, '/environment'], [{ environment: '' }, '/environment'], [{ environment: 'a_b' }, '/environment']
  ]
  for (const [body, pointer] of cases) t.hasStrict(await create(body), { status: 400, errors: [{ pointer }] }, JSON.stringify(body))
  for (const text of ['\\u0000', '\\ud800', '\\u001b[2J', '\\u202e', '\\n']) {
    t.hasStrict((await open.post('/v1/keys', `{"name":"a${text}"}`)).body, { status: 400, errors: [{ pointer: '/name' }] }, text)
  }
  t.strictSame(await open.rows(), before)
})

t.test('a name is only text', async t => {
  for (const name of ['<script>alert(1)</script>', "'; drop table keys; --", '{1,"x"}', '\\N', 'null', '请求 \u{1F600}', ' ']) {
    const { id } = await create({ name })
    t.equal((await get(id)).name, name)
  }
})

t.test('the list is of one environment, newest first, page by page, and whole at any size', async t => {
  const { key: admin } = await create({ environment: 'listed', scopes: ['admin'] })
  const made: string[] = []
  for (let i = 0; i < 6; i += 1) made.unshift((await create({ name: `${i}` }, admin)).id)
  const list = async (query: string): Promise<Body> => (await send(open, 'GET', query, null, admin)).body
  const whole = await list('')
  t.strictSame(whole.keys.slice(0, 6).map(({ id }: Body) => id), made)
  t.strictSame([whole.keys.length, whole.nextCursor], [7, null])
  t.notOk('key' in whole.keys[0])
  for (const limit of [1, 2, 3, 7, 100]) {
    const seen: Body[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: Body = await list(`?limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`)
      t.ok(page.keys.length <= limit)
      seen.push(...page.keys)
      cursor = page.nextCursor
    }
    // The key that asks was used meanwhile.
    t.strictSame(seen.map(({ id }) => id), whole.keys.map(({ id }: Body) => id), `by ${limit}`)
  }
  for (const [query, pointer] of [
    ['?cursor=x', '?cursor'], ['?cursor=', '?cursor'], ['?limit=0', '?limit'], ['?limit=101', '?limit'], ['?page=2', '?page']
  ] as const) {
    t.hasStrict(await list(query), { status: 400, code: 'invalid_request', errors: [{ pointer }] }, query)
  }
})

t.test('a key that does not exist here is not found, whatever is wanted of it', async t => {
  const { id: elsewhere } = await create({ environment: 'elsewhere' })
  for (const id of [elsewhere, '019bb2a0-0000-7000-8000-000000000000', 'x', '%00', '%F0%9F%98%80', `urn:uuid:${elsewhere}`]) {
    for (const refused of [await get(id), await rotate(id), await revoke(id)]) t.hasStrict(refused, { status: 404, code: 'not_found' }, id)
  }
})

t.test('rotating: the new key takes over at once, the old one counts until the overlap ends', async t => {
  const now = Date.now()
  const old = await create({ name: 'worker', scopes: ['read'] })
  const next = await at(now, async () => await rotate(old.id, { overlapSeconds: 3_600 }))
  t.match(next.key, /^prv_test_[0-9a-f]{48}$/)
  t.hasStrict(next, { name: 'worker', kind: 'private', scopes: ['read'], environment: 'test', expiresAt: null, revokedAt: null, rotatedTo: null })
  t.hasStrict(await get(old.id), { rotatedTo: next.id, expiresAt: new Date(now + HOUR_MS).toISOString(), revokedAt: null })
  const then = async (later: number): Promise<string[]> => await at(now + later, async () => [await opens(old.key), await opens(next.key)])
  t.strictSame(await then(0), ['test', 'test'])
  t.strictSame(await then(HOUR_MS - 1), ['test', 'test'])
  t.strictSame(await then(HOUR_MS), ['unauthorized', 'test'])
  t.hasStrict(await rotate(old.id), { status: 400, code: 'invalid_request', message: `this key was rotated to ${next.id}: rotate that one` })
})

t.test('an overlap is a day if nothing is said, at most 30, and may be none', async t => {
  const now = Date.now()
  const [first, none] = [await create(), await create()]
  await at(now, async () => await rotate(first.id))
  t.equal((await get(first.id)).expiresAt, new Date(now + DAY_MS).toISOString())
  t.equal(await opens(none.key), 'test')
  await rotate(none.id, { overlapSeconds: 0 })
  t.equal(await opens(none.key), 'unauthorized', 'at once, as the cache is told')
  for (const overlapSeconds of [-1, 0.5, '60', 30 * 86_400 + 1, null]) {
    t.hasStrict(await rotate((await create()).id, { overlapSeconds }), { status: 400, errors: [{ pointer: '/overlapSeconds' }] })
  }
  t.hasStrict(await rotate((await create()).id, { overlap: 1 }), { status: 400, errors: [{ pointer: '/overlap' }] })
  t.equal((await rotate((await create()).id, { overlapSeconds: 30 * 86_400 })).code, undefined)
})

t.test('a key made for a time is not rotated beyond it', async t => {
  const expiresAt = new Date(Date.now() + HOUR_MS).toISOString()
  const old = await create({ expiresAt })
  t.equal((await rotate(old.id)).expiresAt, expiresAt)
  t.equal((await get(old.id)).expiresAt, expiresAt)
  const { id } = await create({ expiresAt })
  t.hasStrict(await at(Date.parse(expiresAt), async () => await rotate(id)), {
    status: 400, message: 'this key has expired: create a new one'
  })
})

t.test('a revoked key is refused at once and stays in the list; again is the same', async t => {
  const old = await create()
  t.equal(await opens(old.key), 'test')
  const { revokedAt } = await revoke(old.id)
  t.equal(await opens(old.key), 'unauthorized')
  t.equal(await opens(old.key, guarded), 'unauthorized')
  t.equal((await revoke(old.id)).revokedAt, revokedAt)
  const { keys } = (await send(open, 'GET', '?limit=100')).body
  t.equal(keys.find(({ id }: Body) => id === old.id).revokedAt, revokedAt)
  t.hasStrict(await rotate(old.id), { status: 400, message: 'this key was revoked: create a new one' })
})

t.test('whoever runs the server makes the first key of any environment; a key of ours only of its own', async t => {
  const first = await create({ environment: 'staging', scopes: ['admin'] })
  t.match(first.key, /^prv_staging_/)
  t.equal(await opens(first.key), 'staging')
  t.match((await create({ environment: 'staging' }, ADMIN_KEY, guarded)).key, /^prv_staging_/, 'by the admin key of the server')

  const before = await open.rows()
  for (const environment of ['test', 'live', 'nobody-has-it']) {
    t.hasStrict(await create({ environment }, first.key), { status: 403, code: 'forbidden' }, environment)
  }
  t.strictSame(await open.rows(), before, 'nothing is created')
  t.match((await create({ environment: 'staging' }, first.key)).key, /^prv_staging_/)
  t.match((await create({}, first.key)).key, /^prv_staging_/)
})

t.test('keys do not follow an environment’s frozen time', async t => {
  const expiresAt = new Date(Date.now() + HOUR_MS).toISOString()
  await open.on('2999-01-01')
  t.equal(await opens((await create({ expiresAt })).key), 'test')
  await open.settings({})
})

t.test('the last use is shown, to the minute', async t => {
  const { id, key } = await create()
  const used = Date.now()
  await opens(key)
  await until('it is written, behind the answer’s back', async () => (await get(id)).lastUsedAt !== null)
  t.ok(Math.abs(Date.parse((await get(id)).lastUsedAt) - used) < 60_000)
})

t.test('a secret is in the one answer that made it, and nowhere else: no answer, no log line, no row', async t => {
  const shown = answers.filter(raw => raw.match(SECRETS) !== null)
  const secrets = answers.flatMap(raw => [...raw.matchAll(SECRETS)].map(([, secret = '']) => secret))
  t.ok(secrets.length > 40)
  t.equal(new Set(secrets).size, secrets.length, 'each was shown once')
  t.equal(shown.length, secrets.length)
  const [tables] = await open.database.run([{ text: "select tablename from pg_tables where schemaname = 'public'", params: [] }])
  const dumps = await open.database.run((tables?.rows ?? []).map(([name]) => ({
    text: `select row_to_json(x)::text from "${String(name)}" x`, params: []
  })))
  const stored = JSON.stringify(dumps.map(({ rows }) => rows))
  const log = logged.join('')
  t.ok(stored.includes('prv_test_') && log.includes('/v1/keys/:id/rotate'), 'there is something to look at')
  t.strictSame(secrets.filter(secret => stored.includes(secret) || log.includes(secret)), [])
  t.notMatch(log, 'billing')
  t.notMatch(answers.join(''), 'digest')
})

t.end()
