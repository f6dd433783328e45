import t, { type Test } from 'tap'
import type { ConnectionBounds } from '../../src/plugins/connections.ts'
import { type Api, openApi } from '../fixtures/api.ts'
import { rawConnection } from '../fixtures/raw-connection.ts'
import { until } from '../storage/until.ts'

/** Longer than a process that is stopping waits for requests. */
const BUSY_MS = 1_000
const HEALTH = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'

async function listening (t: Test, connectionBounds: Partial<ConnectionBounds>): Promise<{ api: Api, port: number }> {
  const api = await openApi(t, { connectionBounds })
  return { api, port: Number(new URL(await api.app.listen({ host: '127.0.0.1', port: 0 })).port) }
}

t.test('where every place is taken the next one is refused, and idle ones are closed for those that come after', async t => {
  const { api, port } = await listening(t, { connectionsMax: 2 })
  const used = await rawConnection(t, port)
  used.socket.write(HEALTH)
  await until('it has its answer', () => used.answers().endsWith('{"ok":true}'))
  const silent = await rawConnection(t, port)
  await until('both are counted', async () => /^tollgate_http_connections 2$/m.test(await api.metrics.registry.metrics()))
  const refused = await rawConnection(t, port)
  await refused.closed
  t.equal(refused.answers(), '')
  await used.closed
  t.notOk(silent.socket.destroyed, 'what may be about to ask is not idle')
  const next = await rawConnection(t, port)
  next.socket.write(HEALTH)
  await until('it is served', () => next.answers().endsWith('{"ok":true}'))
  t.match(await api.metrics.registry.metrics(), /^tollgate_http_connections_refused_total 1$/m)
})

t.test('who does not take a file does not keep the process from stopping', async t => {
  const { api, port } = await listening(t, { drainTimeoutMs: 1_000 })
  const { socket } = await rawConnection(t, port, false)
  socket.write('GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(50))
  await until('it has its first answers', () => socket.readableLength > 0)
  const startedAt = performance.now()
  await api.app.close()
  const tookMs = performance.now() - startedAt
  t.ok(tookMs >= 900 && tookMs < 20_000, `${Math.round(tookMs)} ms`)
})

t.test('what reaches a process that is stopping while it is busy is answered before its connection is closed', async t => {
  const { api, port } = await listening(t, {})
  const [first, late] = [await rawConnection(t, port), await rawConnection(t, port)]
  late.socket.write(HEALTH)
  await until('it has its answer', () => late.answers().endsWith('{"ok":true}'))
  const closed = api.app.close()
  first.socket.write(HEALTH)
  await first.closed
  t.match(first.answers(), /^HTTP\/1\.1 503 [^]*connection: close[^]*"code":"stopping"/)
  late.socket.write(HEALTH)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_MS)
  await late.closed
  t.match(late.answers().split('{"ok":true}')[1], /^HTTP\/1\.1 503 [^]*connection: close[^]*"code":"stopping"/)
  await closed
})

t.end()
