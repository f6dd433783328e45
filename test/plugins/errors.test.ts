import { once } from 'node:events'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { openApi } from '../fixtures/api.ts'

const api = await openApi(t)
await api.app.listen({ port: 0, host: '127.0.0.1' })

/** Sends bytes and reads until the server closes. */
async function exchange (bytes: string): Promise<{ head: string, body: string }> {
  const socket = connect((api.app.server.address() as AddressInfo).port, '127.0.0.1')
  let text = ''
  socket.setEncoding('utf8').on('data', chunk => { text += chunk })
  socket.on('error', () => {})
  socket.end(bytes)
  await once(socket, 'close')
  const [head = '', body = ''] = text.split('\r\n\r\n')
  return { head, body }
}

t.test('an error has one shape, for people, for RFC 9457 and for the Tier SDK', async t => {
  const { headers, body } = await api.get('/v1/can', { org: 'org:nobody' })
  t.match(headers['content-type'], /^application\/problem\+json/)
  t.strictSame(Object.keys(body), ['type', 'title', 'status', 'detail', 'code', 'message', 'errors'])
  t.hasStrict(body, {
    type: 'urn:tollgate:error:org_not_found', status: 400, detail: 'org not found', code: 'org_not_found', message: 'org not found'
  })
})

t.test('what does not exist is 404 in that shape: paths, methods, slashes too many', async t => {
  for (const [method, url] of [
    ['GET', '/'], ['GET', '/v1'], ['GET', '/v1/'], ['GET', '/v1/nope'], ['GET', '/v1/can/'], ['GET', '/v1/report'], ['DELETE', '/v1/report'],
    ['POST', '/v1/usage'], ['PATCH', '/v1/environments/test'], ['POST', '/nope'], ['OPTIONS', '/v1/report'], ['GET', '/v2/can'],
    ['GET', `/v1/environments/${'x'.repeat(501)}`]
  ] as const) {
    const { body } = await api.send({ method, url })
    t.hasStrict(body, { status: 404, code: 'not_found', message: 'Not Found' }, `${method} ${url}`)
  }
})

t.test('a path that is none is 400 in that shape', async t => {
  for (const url of ['/%', '/v1/%zz', '/v1/environments/%E0%A4%A']) {
    const { body } = await api.send({ method: 'GET', url })
    t.hasStrict(body, { status: 400, code: 'invalid_request', message: 'the path is not a valid URL path' }, url)
  }
})

t.test('a body too large is 413; push takes larger ones, and not any', async t => {
  t.hasStrict((await api.post('/v1/subscribe', `{"org":"${'x'.repeat(65_536)}"}`)).body, { status: 413, code: 'body_too_large' })
  t.hasStrict((await api.post('/v1/push', `{"plans":{},"x":"${'x'.repeat(65_536)}"}`)).body, { status: 400, errors: [{ pointer: '/x' }] })
  t.hasStrict((await api.post('/v1/push', `{"plans":{},"x":"${'x'.repeat(4_194_304)}"}`)).body, { status: 413, code: 'body_too_large' })
})

t.test('many problems are listed, the first is the message, and the list is bounded', async t => {
  const fields = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, i]))
  const { body } = await api.post('/v1/report', { org: 1, feature: 'feature:a', ...fields })
  t.equal(body.status, 400)
  t.equal(body.message, body.errors[0].detail)
  t.ok(body.errors.length > 1 && body.errors.length <= 20)
})

t.test('HEAD answers as GET does, without a body', async t => {
  for (const [url, status] of [['/healthz', 200], ['/v1/whoami', 200], ['/v1/can?org=org:nobody', 400], ['/v1/nope', 404]] as const) {
    const reply = await api.send({ method: 'HEAD', url })
    t.strictSame([reply.status, reply.raw], [status, ''], url)
  }
})

t.test('a header too large is 431 in that shape, over the wire', async t => {
  const { head, body } = await exchange(`GET /v1/whoami HTTP/1.1\r\nhost: a\r\nx-large: ${'x'.repeat(20_000)}\r\n\r\n`)
  t.match(head, /^HTTP\/1\.1 431 /)
  t.match(head, /content-type: application\/problem\+json/)
  t.match(head, /connection: close/)
  const problem = JSON.parse(body) as Record<string, unknown>
  t.hasStrict(problem, { status: 431, code: 'headers_too_large' })
  t.ok(['type', 'title', 'detail', 'code', 'message'].every(member => typeof problem[member] === 'string'))
  t.match(head, new RegExp(`content-length: ${Buffer.byteLength(body)}`))
})

t.test('bytes that are not HTTP are 400 in that shape, over the wire', async t => {
  const { head, body } = await exchange('\x16\x03\x01 this is TLS, or nothing\r\n\r\n')
  t.match(head, /^HTTP\/1\.1 400 /)
  t.hasStrict(JSON.parse(body), { status: 400, code: 'invalid_request', message: 'this is not HTTP' })
})

t.test('over the wire an answer is what it is in process', async t => {
  const { head, body } = await exchange('GET /v1/nope HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
  t.match(head, /^HTTP\/1\.1 404 /)
  t.equal(body, (await api.get('/v1/nope')).raw)
})

t.end()
