import t, { type Test } from 'tap'
import { type Body, openApi } from '../fixtures/api.ts'
import { ask } from '../storage/ledger-fixture.ts'

const api = await openApi(t)
await api.on('2024-03-10')
await api.push({ 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } } })
await api.subscribe('org:a', 'plan:free@0')

/** As JSON writes them: what Postgres cannot store, or what nobody can see. */
const UNSTORABLE = ['\\u0000', '\\ud800', '\\udc00', '\\udc00\\ud800']
const UNSEEN = ['\\u001b', '\\u0085', '\\u200b', '\\u202e', '\\u2028']

/** Sends `template` with each text where it says `HERE`, and sees that it is refused and nothing is stored. */
async function refuses (t: Test, path: string, template: Body, texts: readonly string[], pointer: string): Promise<void> {
  const before = await api.rows()
  for (const text of texts) {
    const reply = await api.post(path, JSON.stringify(template).replaceAll('HERE', text))
    t.hasStrict(reply.body, { status: 400, errors: [{ pointer }] }, `${pointer} with ${text}`)
  }
  t.strictSame(await api.rows(), before, 'nothing was stored')
}

const report = { org: 'org:a', feature: 'feature:calls' }

t.test('text that cannot be stored or seen is refused at the door of report', async t => {
  await refuses(t, '/v1/report', { ...report, org: 'org:aHERE' }, [...UNSTORABLE, ...UNSEEN], '/org')
  await refuses(t, '/v1/report', { ...report, feature: 'feature:callsHERE' }, [...UNSTORABLE, ...UNSEEN], '/feature')
  await refuses(t, '/v1/report', { ...report, id: 'eHERE' }, [...UNSTORABLE, ...UNSEEN], '/id')
  await refuses(t, '/v1/report', { ...report, properties: { aHERE: 1 } }, UNSTORABLE, '/properties')
  await refuses(t, '/v1/report', { ...report, properties: { a: 'HERE' } }, UNSTORABLE, '/properties/a')
  await refuses(t, '/v1/report', { ...report, properties: { a: { 'b/c': ['x', 'HERE'] } } }, UNSTORABLE, '/properties/a/b~1c/1')
  t.equal((await api.can('org:a', 'feature:calls')).used, 0)
})

t.test('text that cannot be stored or seen is refused at the door of subscribe and push', async t => {
  const subscribe = { org: 'org:a', phases: [{ features: ['plan:free@0'] }] }
  await refuses(t, '/v1/subscribe', { ...subscribe, org: 'org:aHERE' }, [...UNSTORABLE, ...UNSEEN], '/org')
  await refuses(t, '/v1/subscribe', { ...subscribe, phases: [{ features: ['plan:freeHERE@0'] }] }, [...UNSTORABLE, ...UNSEEN], '/phases/0/features/0')
  for (const member of ['name', 'description', 'phone', 'email']) {
    await refuses(t, '/v1/subscribe', { org: 'org:a', info: { [member]: 'a@bHERE' } }, UNSTORABLE, `/info/${member}`)
  }
  await refuses(t, '/v1/subscribe', { org: 'org:a', info: { metadata: { aHERE: 'x' } } }, UNSTORABLE, '/info/metadata')
  await refuses(t, '/v1/subscribe', { org: 'org:a', info: { metadata: { a: 'HERE' } } }, UNSTORABLE, '/info/metadata')
  const { name, description, phone, email, metadata } = await api.whois('org:a', { include: 'info' })
  t.strictSame([name, description, phone, email, metadata], ['', '', '', '', {}])
  for (const text of [...UNSTORABLE, ...UNSEEN]) {
    const { body } = await api.post('/v1/push', `{"plans":{"plan:x${text}@0":{"features":{"feature:a":{}}}}}`)
    t.hasStrict(body, { status: 400, code: 'invalid_request' }, `push of a plan named ${text}`)
  }
  for (const title of UNSTORABLE) {
    const { body } = await api.post('/v1/push', `{"plans":{"plan:x@0":{"title":"${title}","features":{"feature:a":{}}}}}`)
    t.hasStrict(body, { status: 400, errors: [{ pointer: '/plans/plan:x@0/title' }] }, title)
  }
})

t.test('text that cannot be stored or seen is refused in a query', async t => {
  for (const text of ['%00', '%ED%A0%80', '%1B', '%E2%80%AE']) {
    const org = await api.send({ method: 'GET', url: `/v1/can?org=org:a${text}` })
    const feature = await api.send({ method: 'GET', url: `/v1/usage?org=org:a&feature=feature:calls${text}` })
    // What is no UTF-8 arrives as U+FFFD, which is a name like any other, of nothing that there is.
    t.ok(org.status === 400 && feature.status === 400, text)
  }
})

t.test('ids that are only strange are fine', async t => {
  for (const org of ['org:auth0|5f7c', 'org:请求', 'org:a b', 'org:%41', 'org:"\'`;--', 'org:{1,2}', 'org:\\N', 'org:null', `org:${'x'.repeat(255)}`]) {
    await api.subscribe(org, 'plan:free@0')
    t.hasStrict(await api.report(org, 'feature:calls', 2), { org, used: 2 }, org)
    t.hasStrict(await api.can(org, 'feature:calls'), { org, used: 2 }, org)
    t.equal((await api.whois(org)).org, org)
  }
  for (const org of ['org:', 'org: a', 'org:a ', `org:${'x'.repeat(256)}`, 'Org:a', ' org:a', '']) {
    t.hasStrict(await api.report(org, 'feature:calls'), { status: 400, errors: [{ pointer: '/org' }] }, JSON.stringify(org))
  }
})

t.test('properties are kept as they are, up to 8 KiB and 8 levels', async t => {
  const nested = (depth: number): Body => depth === 1 ? { end: true } : { in: nested(depth - 1) }
  const kept = { text: 'ä\u{1F600}"\\\n', n: 1.5, list: [null, true, { a: [] }], '': '', constructor: 1, 'a.b/c~d': '{1,"x"}' }
  t.hasStrict(await api.report('org:a', 'feature:calls', 0, { id: 'kept', properties: kept }), { duplicate: false })
  t.strictSame(await ask(api.database, "select properties from events where id = 'kept'"), [kept])
  t.hasStrict(await api.report('org:a', 'feature:calls', 0, { properties: nested(8) }), { duplicate: false })
  const refused = { status: 400, code: 'invalid_request' }
  t.hasStrict(await api.report('org:a', 'feature:calls', 0, { properties: nested(10) }), refused)
  t.hasStrict(await api.report('org:a', 'feature:calls', 0, { properties: { a: 'x'.repeat(8_192) } }), { ...refused, errors: [{ pointer: '/properties' }] })
  for (const properties of [null, [], 'text', 1]) {
    t.hasStrict((await api.post('/v1/report', { ...report, properties })).body, { ...refused, errors: [{ pointer: '/properties' }] })
  }
})

t.test('a body that is no object of JSON is refused for what it is', async t => {
  const json = { 'content-type': 'application/json' }
  const send = async (payload: string, headers: Record<string, string> = json): Promise<unknown[]> => {
    const { body: { status, code, message } } = await api.send({ method: 'POST', url: '/v1/report', payload, headers })
    return [status, code, message]
  }
  t.strictSame(await send(''), [400, 'invalid_request', 'org must be prefixed with "org:"'], 'nothing is an object without members')
  t.strictSame(await send('', {}), [400, 'invalid_request', 'the body must be object'])
  for (const text of ['{', '{"org":}', 'org=org:a', "{'org':'org:a'}", '{"org":"org:a"}}', '{"a":1,}', '\u0000', '{"__proto__":{}}']) {
    t.strictSame(await send(text), [400, 'invalid_request', 'invalid json syntax'], text)
  }
  for (const text of ['[]', '1', '"text"', 'null', 'true']) t.strictSame((await send(text)).slice(0, 2), [400, 'invalid_request'], text)
  t.strictSame(await send(`{"org":"${'x'.repeat(70_000)}"}`), [413, 'body_too_large', 'the body is too large'])
  for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'application/xml', 'multipart/form-data; boundary=x', 'json']) {
    t.strictSame((await send(JSON.stringify(report), { 'content-type': type })).slice(0, 2), [415, 'unsupported_media_type'], type)
  }
  for (const type of ['application/json; charset=utf-8', 'Application/JSON']) {
    t.equal((await api.send({ method: 'POST', url: '/v1/report', payload: JSON.stringify(report), headers: { 'content-type': type } })).status, 200, type)
  }
})

t.test('no body keeps the process busy: what is broken is refused as soon as it is read', async t => {
  const body = `{"org":1234567890123456,"${'\\"'.repeat(60_000)}`
  const started = performance.now()
  t.hasStrict((await api.post('/v1/push', body)).body, { status: 400, message: 'invalid json syntax' })
  t.ok(performance.now() - started < 1_500, `${Math.round(performance.now() - started)} ms for ${body.length} bytes`)
})

t.end()
