import t, { type Test } from 'tap'
import { type Api, openApi } from '../fixtures/api.ts'
import { postgresProgramsMissing, privatePostgres } from '../fixtures/postgres.ts'

const KEY = 'prv_live_0123456789abcdef'
const lines: string[] = []
const api = await (await openApi(t, { on: 'embedded' })).as(KEY, { write: line => { lines.push(line) } })
await api.push({ 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } } })

t.test('alive and ready', async t => {
  t.strictSame((await api.get('/healthz')).body, { ok: true })
  const { status, body } = await api.get('/readyz')
  t.strictSame([status, body], [200, { ready: true, checks: { ledger: 'ok', mirror: 'none', process: 'ok' } }])
})

t.test('metrics are Prometheus text, without names of customers', async t => {
  await api.subscribe('org:secret-customer', 'plan:free@0')
  await api.report('org:secret-customer', 'feature:calls', 3, { id: 'secret-event' })
  await api.can('org:secret-customer', 'feature:calls')
  await api.get('/v1/secret-path')
  const { raw, headers } = await api.get('/metrics')
  t.match(headers['content-type'], /^text\/plain; version=0\.0\.4/)
  const sample = /^[a-z_][a-z0-9_]*(\{([a-z_]+="([^"\\\n]|\\.)*",?)+\})? (-?[0-9.e+-]+|NaN|\+Inf)$/
  const samples = raw.split('\n').filter(line => line !== '' && !/^# (HELP|TYPE) [a-z_]/.test(line))
  t.strictSame(samples.filter(line => !sample.test(line)), [])
  t.match(raw, /tollgate_http_request_duration_seconds_count\{method="POST",route="\/v1\/report",status="200"\} 1/)
  t.match(raw, /tollgate_http_request_duration_seconds_count\{method="GET",route="none",status="404"\} 1/)
  t.match(raw, /tollgate_ledger_batch_events_sum 1/)
  t.notMatch(raw, 'secret')
})

t.test('documentation: a page for people, a document for machines', async t => {
  const page = await api.get('/docs')
  t.equal(page.status, 200)
  t.match(page.headers['content-type'], /^text\/html/)
  t.match(page.raw, /swagger/i)
  const { status, body } = await api.get('/openapi.json')
  t.equal(status, 200)
  t.hasStrict(body, { openapi: '3.1.0', info: { title: 'Tollgate' } })
  t.ok(Object.keys(body.paths).every(path => /^\/(v1\/|healthz|readyz)/.test(path)), 'the long form only')
})

t.test('one log line per request, with its route, and no key, query or body', async t => {
  lines.length = 0
  await api.get('/v1/can', { org: 'org:hunter2' })
  await api.get('/v1/hunter2', { hunter2: 'hunter2' })
  await api.report('org:hunter2', 'feature:hunter2', 'hunter2', { id: 'hunter2', properties: { hunter2: 'hunter2' } })
  await api.post('/v1/report', '{"hunter2"', { 'x-hunter2': 'hunter2' })
  await api.post('/v1/subscribe', { org: 'org:x', info: { email: 'hunter2@example.org' } })
  await api.send({ method: 'GET', url: '/v1/whoami', headers: { authorization: 'Bearer prv_live_hunter2hunter2hu' } })
  await api.get('/v1/environments/hunter2')
  const parsed = lines.map(line => JSON.parse(line) as Record<string, unknown>)
  t.strictSame(parsed.map(({ method, route, status }) => [method, route, status]), [
    ['GET', '/v1/can', 400], ['GET', 'none', 404], ['POST', '/v1/report', 400], ['POST', '/v1/report', 400], ['POST', '/v1/subscribe', 200],
    ['GET', '/v1/whoami', 401], ['GET', '/v1/environments/:name', 403]
  ])
  t.equal(new Set(parsed.map(({ reqId }) => reqId)).size, parsed.length, 'each request has an id of its own')
  t.notMatch(lines.join(''), 'hunter2')
  t.notMatch(lines.join(''), KEY)
})

/** Makes the ledger refuse what is sent, and sees what the log says of it. */
async function refuse (t: Test, api: Api, lines: string[]): Promise<void> {
  lines.length = 0
  await api.database.run([{ text: "alter table orgs add constraint refused check (info = '{}') not valid", params: [] }])
  const { body } = await api.post('/v1/subscribe', { org: 'org:hunter2', info: { email: 'hunter2@example.org' } })
  t.hasStrict(body, { status: 500, code: 'internal_error', message: 'Internal Server Error' })
  t.match(lines.join(''), 'violates check constraint', 'the cause is there')
  t.notMatch(lines.join(''), 'hunter2')
  await api.database.run([{ text: 'alter table orgs drop constraint refused', params: [] }])
}

t.test('2.1 internal_error: a statement that the ledger refuses is logged without what was sent', async t => await refuse(t, api, lines))

t.test('with the ledger down: alive, not ready and it says why, 503 for the rest; then it comes back', { skip: postgresProgramsMissing }, async t => {
  const server = await privatePostgres(t)
  const lines: string[] = []
  const api = await openApi(t, { databaseUrl: server.url, log: { write: line => { lines.push(line) } } })
  await api.push({ 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } } })
  await api.subscribe('org:a', 'plan:free@0')
  await api.report('org:a', 'feature:calls', 3)
  await t.test('what this server refuses is logged without what was sent', async t => await refuse(t, api, lines))
  await server.stop('fast')

  t.strictSame((await api.get('/healthz')).body, { ok: true })
  const { status, body } = await api.get('/readyz')
  t.strictSame([status, body.ready], [503, false])
  t.equal(body.checks.ledger, 'unreachable', 'why is in the log: this page is public')
  t.hasStrict(body.checks, { mirror: 'none', process: 'ok' })

  const down = await Promise.all([
    api.post('/v1/report', { org: 'org:a', feature: 'feature:calls', n: 1, id: 'hunter2', properties: { a: 'hunter2' } }),
    api.get('/v1/usage', { org: 'org:a' }),
    api.get('/v1/whois', { org: 'org:a' }),
    api.post('/v1/subscribe', { org: 'org:a', info: { email: 'hunter2@example.org', metadata: { a: 'hunter2' } } })
  ])
  for (const { body, headers } of down) {
    t.hasStrict(body, { status: 503, code: 'ledger_unavailable' })
    t.match(headers['retry-after'], /^[1-9]/)
    t.notMatch(JSON.stringify(body), /select|insert|ECONN|127\.0\.0\.1/, 'what the ledger said stays inside')
  }
  t.hasStrict((await api.get('/v1/can', { org: 'org:a', feature: 'feature:calls' })).body,
    { ok: false, reason: 'ledger_unavailable', degraded: true }, 'a verdict is an answer: without figures it is no')
  t.notMatch(lines.join(''), 'hunter2', 'nor do log lines repeat what was sent')

  await server.start()
  t.hasStrict(await api.report('org:a', 'feature:calls', 1, { id: 'hunter2', properties: { a: 'hunter2' } }), { used: 4, duplicate: false })
  t.equal((await api.get('/readyz')).status, 200)
})

t.end()
