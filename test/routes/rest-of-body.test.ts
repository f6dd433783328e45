import { type OutgoingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { emptyLedger } from '../e2e/embedded.ts'
import { serve } from '../fixtures/process.ts'
import { sized } from '../fixtures/size.ts'

/**
 * Whoever sends too much reads why, instead of finding the connection broken. That is a race, which the service must never
 * win: so it is a process of its own, and it is tried often.
 */
const url = new URL((await serve(t, { env: { TOLLGATE_DATA_DIR: await emptyLedger(t) } })).url)
const MEGABYTES = Buffer.alloc(5_000_000, ' ')
const CHUNK_BYTES = 50_000
const TIMES = sized(8, 20)

/** By the client that many libraries are built on, which reports a connection that breaks while it writes, and nothing else. */
async function post (path: string, more: OutgoingHttpHeaders): Promise<{ status: number | undefined, body: string }> {
  return await new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'x-user-id': 'u', ...more }
    const outgoing = request(new URL(path, url), { method: 'POST', headers }, response => {
      text(response).then(body => resolve({ status: response.statusCode, body }), reject)
    })
    outgoing.on('error', reject)
    // All at once, so that it is still being sent when the service knows that it is too long.
    for (let at = 0; at < MEGABYTES.length; at += CHUNK_BYTES) outgoing.write(MEGABYTES.subarray(at, at + CHUNK_BYTES))
    outgoing.end()
  })
}

for (const [path, status, says] of [
  ['/v1/report', 413, /"code":"body_too_large"/],
  ['/v1/reports', 413, /"code":"body_too_large"/],
  ['/graphql', 200, /must be at most 262144 bytes.*"code":"BAD_REQUEST"/],
  ['/client/graphql', 200, /must be at most 262144 bytes/]
] as const) {
  t.test(`5 MB to ${path} are answered, whether or not their length is said`, async t => {
    const wrong: string[] = []
    for (const headers of [{ 'content-length': MEGABYTES.length }, {}]) {
      for (let i = 0; i < TIMES; i += 1) {
        const [answer] = await Promise.all([post(path, headers), post(path, headers)])
        if (answer.status !== status || !says.test(answer.body)) wrong.push(JSON.stringify(answer))
      }
    }
    t.strictSame(wrong, [])
  })
}

t.test('who sends without end is cut off', async t => {
  const socket = connect({ host: url.hostname, port: Number(url.port) })
  const closed = new Promise(resolve => socket.once('close', resolve))
  // It is cut off while it writes.
  socket.on('error', () => {}).resume()
  socket.write('POST /graphql HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n')
  const chunk = Buffer.concat([Buffer.from('F4240\r\n'), Buffer.alloc(1_000_000, ' '), Buffer.from('\r\n')])
  let sent = 0
  const pump = (): void => {
    do sent += chunk.length
    while (!socket.destroyed && socket.write(chunk))
  }
  socket.on('drain', pump)
  pump()
  await closed
  t.ok(sent < 50_000_000, `${sent} bytes`)
})

t.end()
