import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { privatePostgres, type PostgresServer, postgresProgramsMissing } from '../fixtures/postgres.ts'
import { serve, type Service } from '../fixtures/process.ts'
import { tcpProxy, type TcpProxy } from '../fixtures/proxy.ts'
import { privateRedis, redisProgramMissing, type RedisServer } from '../fixtures/redis.ts'
import { until } from '../storage/until.ts'
import { type Api, apiOf, type Members } from './api.ts'
import { inBackground } from './callers.ts'
import { checkCrash, crash, sendAgain } from './crash.ts'
import { type EventRow, type LedgerRows, rowsOfPostgres } from './ledger-rows.ts'
import { mirrorIs } from './replicas.ts'
import { sizeOf } from './sizes.ts'

const CALLERS = sizeOf('OUTAGE_CALLERS', 20)
/** Longer than settings of an environment are cached. */
const OUTAGE_MS = 6_500
const PLANS = { plans: { 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 1e9 }] } } } } }
const FEATURE = 'feature:calls'
const UNAVAILABLE = { status: 503, headers: { 'retry-after': /^[1-9]\d*$/ }, body: { code: 'ledger_unavailable' } }

/** One process that lives through all of it. */
interface Deployment {
  readonly server: PostgresServer
  readonly redis: RedisServer
  /** Between the process and Postgres. */
  readonly toPostgres: TcpProxy
  readonly service: Service
  readonly api: Api
}

async function deployment (): Promise<Deployment> {
  const [server, redis] = await Promise.all([privatePostgres(t), privateRedis(t)])
  const toPostgres = await tcpProxy(t, server.port)
  const url = server.url.replace('tollgate@', 'tollgate:database-secret@')
  const service = await serve(t, { env: { DATABASE_URL: toPostgres.url(url), REDIS_URL: redis.url } })
  const api = apiOf(t, service.url, { sockets: 2 * CALLERS })
  await mirrorIs('ok', [api])
  await api.post('/v1/push', PLANS)
  return { server, redis, toPostgres, service, api }
}

async function subscribed ({ api }: Deployment, org: string): Promise<{ org: string, feature: string }> {
  const { status, text } = await api.post('/v1/subscribe', { org, phases: [{ features: ['plan:free@0'] }] })
  if (status !== 200) throw new Error(text)
  return { org, feature: FEATURE }
}

async function rowsOf ({ server }: Deployment, org: string): Promise<LedgerRows> {
  const { events, counters } = await rowsOfPostgres(server.url)
  return { events: events.filter(row => row.org === org), counters: counters.filter(row => row.org === org) }
}

async function eventsOf (it: Deployment, org: string): Promise<readonly EventRow[]> {
  return (await rowsOf(it, org)).events
}

async function works (api: Api, calls: { org: string, feature: string }): Promise<void> {
  await until('reports are taken again', async () => (await api.post('/v1/report', calls)).status === 200, 15_000)
}

const missing = postgresProgramsMissing || redisProgramMissing
const it = missing === false ? await deployment() : undefined
const suite = (name: string, test: (t: Test, it: Deployment) => Promise<void>): void => {
  void t.test(name, { skip: missing }, async t => await test(t, it as Deployment))
}

suite('Postgres crashes under load: nothing is counted that was refused, questions are answered, and it goes on by itself', async (t, it) => {
  const { api, server } = it
  const hot = await subscribed(it, 'org:hot')
  const busy = await subscribed(it, 'org:busy')
  t.match(await api.post('/v1/report', hot), { status: 200, body: { used: 1 } })
  t.match(await api.get('/v1/can', hot), { body: { used: 1, degraded: false } })
  const answers = new Map<string, Members>()
  const load = inBackground(CALLERS, async (caller, n) => {
    const id = `${caller}-${n}`
    const { status, headers, body } = await api.post('/v1/report', { ...busy, id })
    if (status !== 200 && headers['retry-after'] === undefined) throw new Error(`${status} without Retry-After`)
    answers.set(id, body)
  })
  await until('there is load', () => load.rounds() > 200)

  await server.stop('immediate')
  const stoppedAt = performance.now()
  const seen = { plain: 0, degraded: 0 }
  while (performance.now() - stoppedAt < OUTAGE_MS) {
    const { status, body, text } = await api.get('/v1/can', hot)
    if (status !== 200 || body.used !== 1 || body.ok !== true) {
      t.fail(`after ${Math.round(performance.now() - stoppedAt)} ms without Postgres, can answered ${text}`)
      break
    }
    seen[body.degraded === true ? 'degraded' : 'plain'] += 1
    await sleep(50)
  }
  const late = await Promise.all(Array.from({ length: CALLERS }, async (_, n) => await api.post('/v1/report', { ...hot, id: `late-${n}` })))
  for (const answer of late) t.match(answer, UNAVAILABLE)
  t.ok(seen.degraded > 0, `${JSON.stringify(seen)} of an org that was in the mirror`)
  t.match(await api.get('/v1/can', { org: 'org:unknown', feature: FEATURE }), UNAVAILABLE)
  t.match(await api.get('/readyz'), { status: 503, body: { ready: false, checks: { ledger: /^unreachable/, mirror: 'ok' } } })
  t.match(await api.get('/healthz'), { status: 200 })

  await server.start()
  await works(api, hot)
  await load.stop()
  t.match(await api.get('/v1/can', hot), { status: 200, body: { used: 2, degraded: false } })
  t.match(await api.get('/readyz'), { status: 200, body: { ready: true } })
  const inLedger = new Set((await eventsOf(it, busy.org)).map(({ id }) => id))
  const byCode = (code: string | undefined) => [...answers].filter(([, body]) => body.code === code).map(([id]) => id)
  const [counted, refused, unknown] = [byCode(undefined), byCode('ledger_unavailable'), byCode('outcome_unknown')]
  t.comment(`${counted.length} counted, ${refused.length} refused, ${unknown.length} unknown`)
  t.equal(counted.length + refused.length + unknown.length, answers.size, 'there is no other answer')
  t.strictSame(counted.filter(id => !inLedger.has(id)), [], 'what was acknowledged is in the ledger')
  t.strictSame(refused.filter(id => inLedger.has(id)), [], 'what was refused is not')
  t.strictSame((await eventsOf(it, hot.org)).filter(({ id }) => id.startsWith('late-')), [])
  t.strictSame([...inLedger].filter(id => !counted.includes(id) && !unknown.includes(id)), [], 'and nothing else')
})

suite('Postgres frozen: nobody is held for long, and nothing is counted', async (t, it) => {
  const calls = await subscribed(it, 'org:frozen')
  t.match(await it.api.post('/v1/report', calls), { body: { used: 1 } })
  it.server.pause()
  const started = performance.now()
  const held = it.api.post('/v1/report', { ...calls, id: 'held' })
  // What the mirror has is then too old to be believed.
  await sleep(1_100)
  const askedAt = performance.now()
  const verdict = await it.api.get('/v1/can', calls)
  t.match(verdict, { status: 200, body: { used: 1, degraded: true } })
  const verdictMs = Math.round(performance.now() - askedAt)
  t.ok(verdictMs < 4_000, `the verdict took ${verdictMs} ms`)
  t.match(await held, UNAVAILABLE)
  const ms = Math.round(performance.now() - started)
  // Two calls to Postgres, one after the other, at 6 s each, and time to spare.
  t.ok(ms < 15_000, `answered after ${ms} ms`)
  it.server.resume()
  await works(it.api, calls)
  t.notOk((await eventsOf(it, calls.org)).some(({ id }) => id === 'held'))
})

suite('the answer to a commit is lost: it is asked again, and the caller hears that it was counted', async (t, it) => {
  const calls = await Promise.all(['org:lost-1', 'org:lost-2', 'org:lost-3'].map(async org => await subscribed(it, org)))
  const dropped = it.toPostgres.dropAnswers({ when: request => request.includes('commit'), times: 1 })
  const reports = calls.flatMap(call => [call, call, { ...call, id: 'mine' }])
  const answers = await Promise.all(reports.map(async report => await it.api.post('/v1/report', report)))
  await dropped
  await it.toPostgres.pass()
  t.strictSame(answers.map(({ status, body }) => [status, body.duplicate]), answers.map(() => [200, false]))
  for (const { org } of calls) {
    const { events, counters } = await rowsOf(it, org)
    t.equal(events.length, 3)
    t.match(counters, [{ used: 3_000_000_000n, version: 3 }])
  }
})

suite('the outcome stays unknown: the caller is told the id, and a retry with it is counted once', async (t, it) => {
  const calls = await subscribed(it, 'org:unknown-outcome')
  void it.toPostgres.dropAnswers({ when: request => request.includes('commit') })
  const answers = await Promise.all([it.api.post('/v1/report', calls), it.api.post('/v1/report', { ...calls, id: 'mine' })])
  await it.toPostgres.pass()
  const unknown = { status: 503, headers: { 'retry-after': /^[1-9]\d*$/ }, body: { code: 'outcome_unknown', id: /./ } }
  for (const answer of answers) t.match(answer, unknown)
  t.equal(answers[1]?.body.id, 'mine')
  for (const { body: { id } } of answers) {
    const first = await it.api.post('/v1/report', { ...calls, id })
    t.match(first, { status: 200, body: { id } })
    t.same((await it.api.post('/v1/report', { ...calls, id })).body, { ...first.body, duplicate: true })
  }
  t.match((await rowsOf(it, calls.org)).counters, [{ used: 2_000_000_000n, version: 2 }])
  t.match(await it.api.get('/v1/can', calls), { body: { used: 2 } })
})

suite('a client that hangs up before the answer is counted', async (t, it) => {
  const calls = await subscribed(it, 'org:impatient')
  it.toPostgres.delay(300)
  const body = JSON.stringify({ ...calls, id: 'unheard' })
  const socket = connect({ port: it.service.port, host: '127.0.0.1' })
  let heard = ''
  socket.on('data', chunk => { heard += chunk })
  await once(socket, 'connect')
  const head = `POST /v1/report HTTP/1.1\r\nhost: tollgate\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`
  socket.write(head + body, () => socket.destroy())
  await once(socket, 'close')
  await it.toPostgres.pass()
  await until('it is counted', async () => (await eventsOf(it, calls.org)).length === 1)
  t.equal(heard, '')
  t.match(await it.api.post('/v1/report', { ...calls, id: 'unheard' }), { status: 200, body: { used: 1, duplicate: true } })
})

suite('Redis is killed: it is named, and nothing else changes', async (t, it) => {
  const calls = await subscribed(it, 'org:without-mirror')
  await it.redis.kill()
  await until('it is missed', async () => (await it.api.get('/readyz')).body.checks?.mirror !== 'ok')
  t.match(await it.api.get('/readyz'), { status: 200, body: { ready: true, checks: { ledger: 'ok', mirror: /^unreachable/ } } })
  for (let used = 1; used <= 50; used += 1) {
    t.match(await it.api.post('/v1/report', calls), { status: 200, body: { used } })
    t.match(await it.api.get('/v1/can', calls), { status: 200, body: { ok: true, used, degraded: false } })
  }
  await it.redis.start()
  await mirrorIs('ok', [it.api])
  t.match(await it.api.get('/v1/can', calls), { body: { used: 50 } })
})

suite('a process is killed under load: what was acknowledged is there, and retries complete the rest', async (t, it) => {
  const calls = await subscribed(it, 'org:killed')
  const doomed = await serve(t, { env: { DATABASE_URL: it.server.url, REDIS_URL: it.redis.url } })
  const api = apiOf(t, doomed.url, { sockets: CALLERS })
  const crashed = await crash({ ...calls, api, service: doomed, callers: CALLERS, after: sizeOf('CRASH_AFTER', 200, 500) })
  checkCrash(t, crashed, await sendAgain(it.api, calls, crashed.ids), await rowsOf(it, calls.org))
})

suite('none of it has put a body, a query or a password into the logs', async (t, it) => {
  const output = it.service.output()
  t.match(output, '"status":503')
  for (const hidden of ['database-secret', 'org:hot', 'org:frozen', 'unheard', FEATURE]) t.notOk(output.includes(hidden), hidden)
})
