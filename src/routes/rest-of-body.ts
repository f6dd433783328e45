import type { IncomingMessage } from 'node:http'

/** Of what is read for nobody; whoever sends more is cut off, and whoever says that there is more is answered at once. */
const REST_BYTES_MAX = 8 * 1024 * 1024
const REST_MS_MAX = 2_000

/** What Fastify calls a body that is longer than its route takes. It answers at once, and closes. */
export const BODY_TOO_LARGE = 'FST_ERR_CTP_BODY_TOO_LARGE'

/**
 * Lets the rest of a body that is refused go by. Who is still sending when the connection closes is told of a broken
 * connection, by most clients, and never reads the answer.
 */
export async function restOfBody (request: IncomingMessage): Promise<void> {
  if (request.readableEnded || request.destroyed || Number(request.headers['content-length']) > REST_BYTES_MAX) return
  await new Promise<void>(resolve => {
    let bytes = 0
    const timer = setTimeout(end, REST_MS_MAX)
    function end (): void {
      clearTimeout(timer)
      request.off('data', count).off('end', end).off('close', end)
      resolve()
    }
    function count (chunk: Buffer): void {
      bytes += chunk.length
      if (bytes > REST_BYTES_MAX) end()
    }
    request.on('data', count).on('end', end).on('close', end).resume()
  })
}
