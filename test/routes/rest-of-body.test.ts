import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { openApi } from '../fixtures/api.ts'

/** Whoever sends too much reads why, instead of finding the connection broken. */
const api = await openApi(t)
const url = new URL(await api.app.listen({ host: '127.0.0.1', port: 0 }))
const MEGABYTES = Buffer.alloc(5_000_000, ' ')

async function post (path: string, body: Buffer | ReadableStream): Promise<{ status: number, body: string }> {
  const headers = { 'content-type': 'application/json', 'x-user-id': 'u' }
  const answer = await fetch(new URL(path, url), { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
  return { status: answer.status, body: await answer.text() }
}

for (const [path, status, says] of [
  ['/v1/report', 413, /"code":"body_too_large"/],
  ['/v1/reports', 413, /"code":"body_too_large"/],
  ['/graphql', 200, /must be at most 262144 bytes.*"code":"BAD_REQUEST"/],
  ['/client/graphql', 200, /must be at most 262144 bytes/]
] as const) {
  t.test(`5 MB to ${path} are answered, whether or not their length is said`, async t => {
    for (const body of [MEGABYTES, new Blob([MEGABYTES]).stream()]) {
      const answer = await post(path, body)
      t.equal(answer.status, status)
      t.match(answer.body, says)
    }
  })
}

t.test('who sends without end is cut off', async t => {
  const socket = connect({ host: url.hostname, port: Number(url.port) })
  const answered = text(socket)
  // It is cut off while it writes.
  socket.on('error', () => {})
  socket.write('POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n')
  let sent = 0
  const pump = (): void => {
    while (!socket.destroyed && socket.write(MEGABYTES)) sent += MEGABYTES.length
  }
  socket.on('drain', () => { sent += MEGABYTES.length; pump() })
  pump()
  await once(socket, 'close')
  await answered.catch(() => '')
  t.ok(sent < 100_000_000, `${sent} bytes`)
})

t.end()
