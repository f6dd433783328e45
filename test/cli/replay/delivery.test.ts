import { once } from 'node:events'
import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import { openService } from '../../../src/cli/service.ts'
import { delivery, type Report } from '../../../src/cli/replay/delivery.ts'
import { until } from '../../storage/until.ts'

const REPORT: Report = { org: 'org:acme', feature: 'feature:requests', n: 1, at: '2015-05-17T10:05:03Z', id: 'line-1' }
const COUNTED = { status: 200, body: { duplicate: false } }
const REFUSED = { status: 400, body: { code: 'org_not_found', message: 'org not found' } }

interface Scripted {
  readonly status: number
  readonly body?: unknown
  readonly retryAfter?: string
}

/** What stands before a service, and answers in its place: each request as it is told, and the last way from then on. */
async function front (t: Test, answers: readonly Scripted[], patienceMs = 60_000) {
  const sent: Array<{ readonly atMs: number, readonly body: unknown }> = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const { status, body, retryAfter } = answers[Math.min(sent.length, answers.length - 1)] as Scripted
    sent.push({ atMs: performance.now(), body: JSON.parse(text) })
    response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter })
    response.end(body === undefined ? '<html>' : JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const service = openService({ url: new URL(`http://127.0.0.1:${(server.address() as { port: number }).port}`), key: undefined })
  t.teardown(async () => {
    await service.close()
    server.close()
  })
  const [stop, notes] = [new AbortController(), new Array<string>()]
  const { deliver, retries } = delivery({ service, patienceMs, signal: stop.signal, note: text => notes.push(text) })
  return { server, sent, stop, notes, retries, deliver: async () => await deliver(REPORT) }
}

t.test('what is busy or away is asked again, with the same event', async t => {
  for (const status of [408, 429, 502, 503, 504]) {
    const { deliver, retries, sent } = await front(t, [{ status }, { status }, COUNTED])
    t.strictSame(await deliver(), { is: 'counted' }, `${status}`)
    t.equal(retries(), 2)
    t.strictSame(sent.map(({ body }) => body), [REPORT, REPORT, REPORT])
  }
})

t.test('Retry-After is waited for', async t => {
  const { deliver, sent, notes } = await front(t, [{ status: 503, retryAfter: '1' }, { status: 503 }, COUNTED])
  await deliver()
  const [first, second] = sent.map(({ atMs }) => atMs) as [number, number]
  t.ok(second - first >= 990, `${second - first} ms`)
  t.match(notes, [/^http:\/\/127\.0\.0\.1:\d+ answered 503, .*; trying again for up to 1 min 0 s$/, 'the service answers again'])
})

t.test('it gives up rather than ask sooner than it may, or for longer than it should', async t => {
  const patient = await front(t, [{ status: 503, retryAfter: '3600' }], 10_000)
  await t.rejects(patient.deliver(), /^gave up after 0\.\d s: .* answered 503/)
  t.equal(patient.sent.length, 1)
  const impatient = await front(t, [{ status: 503 }], 300)
  await t.rejects(impatient.deliver(), /^gave up after /)
  t.ok(impatient.sent.length > 1)
})

t.test('what one event is refused for is told; what all would be ends it', async t => {
  t.match(await (await front(t, [REFUSED])).deliver(), { is: 'refused', refusal: { status: 400, code: 'org_not_found' } })
  t.match(await (await front(t, [{ status: 500 }])).deliver(), { is: 'refused', refusal: { code: 'http_500' } })
  for (const status of [401, 403]) {
    const body = { code: 'forbidden', message: 'the key may not do this' }
    await t.rejects((await front(t, [{ status, body }])).deliver(), { message: 'the key may not do this (forbidden)' })
  }
  for (const answer of [{ status: 404 }, { status: 405 }, { status: 301 }, { status: 200 }, { status: 200, body: { ok: true } }]) {
    await t.rejects((await front(t, [answer])).deliver(), /answered \d+, and not as Tollgate does: is it the right address\?$/)
  }
})

t.test('a signal ends the wait for the next attempt', async t => {
  const { deliver, stop, sent } = await front(t, [{ status: 503, retryAfter: '30' }])
  const waiting = deliver()
  await until('it was asked', () => sent.length > 0)
  stop.abort()
  t.equal(await waiting, undefined)
  t.equal(sent.length, 1)
})

t.test('nobody is waited for at an address that never answered', async t => {
  const { deliver, server } = await front(t, [COUNTED])
  server.close()
  await t.rejects(deliver(), /^cannot reach http:\/\/127\.0\.0\.1:\d+: nothing listens there/)
})
