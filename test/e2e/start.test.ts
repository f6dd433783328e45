import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { freePort } from '../fixtures/ports.ts'
import { serve, type Service } from '../fixtures/process.ts'
import { until } from '../storage/until.ts'
import { type Api, apiOf } from './api.ts'
import { checkCrash, crash, sendAgain } from './crash.ts'
import { documentedBlock, documentedCommands } from './documented.ts'
import { emptyLedger } from './embedded.ts'
import { rowsOfFolder } from './ledger-rows.ts'
import { inParallel } from './callers.ts'
import { refusal } from './refusal.ts'
import { sizeOf } from './sizes.ts'

const PLANS = { plans: { 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 1000 }] } } } } }
const ORG = { org: 'org:acme' }
const CALLS = { ...ORG, feature: 'feature:calls' }

async function metered (t: Test, service: Service, authorization?: string): Promise<Api> {
  const api = apiOf(t, service.url, authorization === undefined ? {} : { authorization })
  t.match(await api.post('/v1/push', PLANS), { status: 200, body: { results: [{ status: 'ok' }] } })
  t.match(await api.post('/v1/subscribe', { ...ORG, phases: [{ features: ['plan:free@0'] }] }), { status: 200 })
  return api
}

/** As a reader pastes them. */
async function fiveLines ({ url }: Service): Promise<string> {
  const lines = documentedCommands('../README.md', 'five-lines').replaceAll('localhost:8080', url.replace('http://', ''))
  return (await promisify(execFile)('/bin/sh', ['-euc', lines])).stdout
}

const withoutTimes = (text: string): string[] => text.trimEnd().replaceAll(/"\d{4}-[\d-]+T[\d:.]+Z"/g, '"<time>"').split('\n')

t.test('five lines of curl print what the README says, a killed process still has it, and a second one on its folder is refused', async t => {
  const folder = await emptyLedger(t)
  const env = { TOLLGATE_DATA_DIR: folder }
  const first = await serve(t, { env })
  t.strictSame(withoutTimes(await fiveLines(first)), withoutTimes(documentedBlock('../README.md', 'json', 'five-answers')))
  t.match(await fiveLines(first), /"used":3,.*"duplicate":true/, 'pasted once more they count nothing')
  const api = apiOf(t, first.url)
  const CALLS = { ...ORG, feature: 'feature:api-calls' }
  t.match(await api.post('/report', CALLS), { status: 200, body: { used: 4 } }, 'the short form, one by default')
  t.match(await api.get('/can', CALLS), { body: { used: 4 } })
  t.match(await api.get('/usage', CALLS), { body: { current: { used: 4 } } })
  t.match(await api.get('/readyz'), { status: 200, body: { ready: true, checks: { ledger: 'ok', mirror: 'none' } } })

  const { code, lines } = await refusal(t, env)
  t.equal(code, '2')
  t.equal(lines.length, 1, 'one sentence')
  t.match(lines[0], /^tollgate: .*in use by another Tollgate process/)
  t.ok(lines[0]?.includes(folder), 'it names the folder')

  t.match(await first.kill('SIGKILL'), { signal: 'SIGKILL' })
  const again = apiOf(t, (await serve(t, { env })).url)
  t.match(await again.get('/v1/usage', CALLS), { status: 200, body: { current: { used: 4 } } })
  t.match(await again.get('/v1/can', CALLS), { body: { ok: true, used: 4 } })
  t.match(await again.post('/v1/report', CALLS), { body: { used: 5 } })
})

t.test('every problem of the settings is one readable line, and the exit code is 2', async t => {
  const key = `prv_live_${'k'.repeat(15)}`
  const cases: Array<[env: Record<string, string>, lines: RegExp[]]> = [
    [
      {
        PORT: '70000',
        LOG_LEVEL: 'loud',
        DATABASE_URL: 'mysql://me:database-secret@db/x',
        REDIS_URL: 'http://redis-secret',
        MIRROR_MAX_AGE_MS: '-1',
        TOLLGATE_ADMIN_KEY: key
      },
      [/\bPORT\b/, /\bLOG_LEVEL\b/, /\bDATABASE_URL\b/, /\bREDIS_URL\b/, /\bMIRROR_MAX_AGE_MS\b/, /\bTOLLGATE_ADMIN_KEY\b/]
    ],
    [{ HOST: '0.0.0.0' }, [/HOST 0\.0\.0\.0 .*TOLLGATE_ADMIN_KEY/]]
  ]
  await Promise.all(cases.map(async ([env, expected]) => {
    const { code, lines } = await refusal(t, env)
    t.equal(code, '2')
    t.equal(lines.length, expected.length, lines.join('\n'))
    for (const pattern of expected) t.ok(lines.some(line => line.startsWith('tollgate: ') && pattern.test(line)), `${pattern}`)
    for (const secret of [key, 'database-secret', 'redis-secret']) t.notOk(lines.some(line => line.includes(secret)), 'no secret is repeated')
  }))
})

t.test('a port that is taken is one readable line', async t => {
  const blocker = createServer().listen(0, '127.0.0.1')
  t.teardown(() => blocker.close())
  await once(blocker, 'listening')
  const { port } = blocker.address() as { port: number }
  const { code, lines } = await refusal(t, { PORT: `${port}`, TOLLGATE_DATA_DIR: await emptyLedger(t) })
  t.not(code, '0')
  const said = lines.filter(line => !line.startsWith('{'))
  t.equal(said.length, 1, said.join('\n'))
  t.match(said[0], new RegExp(`^tollgate: .*\\b${port}\\b`))
})

t.test('a database that cannot be reached is one readable line, without the password', async t => {
  const port = await freePort()
  const { code, lines } = await refusal(t, { DATABASE_URL: `postgres://me:database-secret@127.0.0.1:${port}/x` })
  t.not(code, '0')
  const said = lines.filter(line => !line.startsWith('{'))
  t.equal(said.length, 1, said.join('\n'))
  t.match(said[0], /^tollgate: .*DATABASE_URL|^tollgate: .*database/i)
  t.notOk(lines.some(line => line.includes('database-secret')))
})

t.test('with an admin key', async t => {
  const secret = randomUUID().replaceAll('-', '')
  const key = `prv_staging-eu_${secret}`
  const env = { TOLLGATE_DATA_DIR: await emptyLedger(t), HOST: '0.0.0.0', TOLLGATE_ADMIN_KEY: key, LOG_LEVEL: 'trace' }
  const service = await serve(t, { env })
  const api = await metered(t, service, `Bearer ${key}`)

  await t.test('it opens the environment of its name, in every form a client sends it, and nobody else comes in', async t => {
    t.match(await api.post('/v1/report', CALLS), { status: 200, body: { used: 1 } })
    for (const authorization of [`Bearer ${key}`, `Basic ${Buffer.from(`${key}:`).toString('base64')}`, key]) {
      t.match(await apiOf(t, service.url, { authorization }).get('/v1/whoami'), { status: 200, body: { id: 'staging-eu' } })
    }
    for (const authorization of ['', 'Bearer nonsense', `Bearer prv_staging-eu_${'0'.repeat(32)}`, `Bearer prv_live_${secret}`]) {
      const stranger = apiOf(t, service.url, { authorization })
      for (const path of ['/v1/whoami', '/v1/can', '/can', '/v1/usage', '/v1/pull', '/v1/environments/staging-eu']) {
        t.match(await stranger.get(path, ORG), { status: 401, body: { code: 'unauthorized' } }, path)
      }
      t.match(await stranger.post('/v1/report', CALLS), { status: 401, body: { code: 'unauthorized' } })
      t.match(await stranger.get('/healthz'), { status: 200 }, 'health is public')
    }
    t.match(await api.get('/v1/can', CALLS), { body: { used: 1 } }, 'and nothing was counted')
    t.match(await api.get('/v1/environments/live'), { status: 403, body: { code: 'forbidden' } })
  })

  await t.test('logs have no key, no body and no query, whatever the answer is', async t => {
    const marker = `marker-${randomUUID()}`
    const org = `org:${marker}`
    await api.post('/v1/subscribe', { org, phases: [{ features: ['plan:free@0'] }], info: { email: `${marker}@example.com` } })
    const answers = [
      await api.post('/v1/report', { org, feature: 'feature:calls', id: marker, properties: { [marker]: marker } }),
      await api.post('/v1/report', { org, feature: 'feature:calls', id: marker, n: 2 }),
      await api.post('/v1/report', { org, feature: `feature:${marker}` }, { 'idempotency-key': `${marker}-2` }),
      await api.post('/v1/report', { org, [marker]: 1 }),
      await api.get('/v1/can', { org, feature: 'feature:calls' }),
      await api.get('/v1/can', { org: `${org}-unknown`, feature: 'feature:calls' }),
      await api.get('/v1/usage', { org, [marker]: '1' }),
      await apiOf(t, service.url, { authorization: `Bearer ${key}x` }).get('/v1/can', { org }),
      await api.get(`/v1/nothing?${marker}`)
    ]
    t.strictSame(answers.map(({ status }) => status), [200, 422, 400, 400, 200, 400, 400, 401, 404])
    await until('the last one is in the logs', () => service.output().includes('"status":404'))
    const output = service.output()
    t.match(output, /"route":"\/v1\/report","status":422/, 'requests are logged, by their route')
    for (const hidden of [secret, marker, 'example.com']) t.notOk(output.includes(hidden), `${hidden} is not in the logs`)
  })
})

/** The body of a report, sent when `proceed` resolves to a server that has accepted the head of it. */
async function reportInTwo (url: string, body: object, proceed: () => Promise<void>): Promise<{ status: number, text: string }> {
  const text = JSON.stringify(body)
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), expect: '100-continue' }
  const sent = request(`${url}/v1/report`, { method: 'POST', headers })
  const answered = once(sent, 'response')
  sent.flushHeaders()
  await once(sent, 'continue')
  await proceed()
  sent.end(text)
  const [response] = await answered
  let received = ''
  for await (const chunk of response) received += chunk
  return { status: response.statusCode, text: received }
}

t.test('a process told to stop finishes what it took on, and exits with 0', async t => {
  const [callers, warmUp] = [sizeOf('STOP_CALLERS', 64), sizeOf('STOP_AFTER', 300, 1_000)]
  const folder = await emptyLedger(t)
  const service = await serve(t, { env: { TOLLGATE_DATA_DIR: folder } })
  await metered(t, service)
  const api = apiOf(t, service.url, { sockets: callers })
  const counted: string[] = []
  const refused: string[] = []
  const unanswered: string[] = []
  const load = inParallel(callers, async caller => {
    for (let n = 0; ; n += 1) {
      const id = `${caller}-${n}`
      const answer = await api.post('/v1/report', { ...CALLS, id }).catch((error: NodeJS.ErrnoException) => error)
      if (answer instanceof Error) unanswered.push(`${id}: ${answer.code ?? answer.message}`)
      else if (answer.status === 200) counted.push(id)
      else if (answer.body.code === 'stopping' && answer.headers.connection === 'close') refused.push(id)
      else throw new Error(`${id}: ${answer.status} ${answer.text}`)
      if (answer instanceof Error || answer.status !== 200) return
    }
  })
  await until('there is load', () => counted.length > warmUp, 20_000)
  const late = await reportInTwo(service.url, { ...CALLS, id: 'late' }, async () => {
    service.kill().catch(() => {})
    await until('it has begun to stop', () => service.output().includes('"msg":"stopping'))
  })
  t.match(late, { status: 200 }, 'a request that had begun is counted and answered')
  counted.push('late')
  await load
  t.strictSame(await service.exited, { code: 0, signal: null })
  t.comment(`${counted.length} counted, ${refused.length} refused, ${unanswered.length} not answered`)
  const inLedger = (await rowsOfFolder(folder)).events.map(({ id }) => id)
  t.strictSame(inLedger.sort(), counted.sort(), 'what was counted was answered, and what was answered is in the ledger')
  t.strictSame(unanswered, [], 'every request on an open connection was answered')
})

t.test('a process killed under load: what was acknowledged is there, and retries complete the rest', async t => {
  const folder = await emptyLedger(t)
  const doomed = await serve(t, { env: { TOLLGATE_DATA_DIR: folder } })
  await metered(t, doomed)
  const callers = sizeOf('CRASH_CALLERS', 20)
  const crashed = await crash({ ...CALLS, api: apiOf(t, doomed.url), service: doomed, callers, after: sizeOf('CRASH_AFTER', 200, 500) })
  const service = await serve(t, { env: { TOLLGATE_DATA_DIR: folder } })
  const sentAgain = await sendAgain(apiOf(t, service.url), CALLS, crashed.ids)
  t.match(await service.kill(), { code: 0 })
  checkCrash(t, crashed, sentAgain, await rowsOfFolder(folder))
})
