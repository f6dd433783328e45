import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A client that keeps to no rule of HTTP. */
export interface RawConnection {
  readonly socket: Socket
  /** All that was answered, as text. */
  answers: () => string
  /** Resolves when it is over, however it ends, with how long it was open. */
  readonly closed: Promise<number>
}

/** @param reads false: nothing that is answered is ever taken */
export async function rawConnection (port: number, reads = true): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1' })
  const startedAt = performance.now()
  let text = ''
  socket.on('error', () => {})
  const closed = new Promise<number>(resolve => socket.once('close', () => resolve(performance.now() - startedAt)))
  await Promise.race([once(socket, 'connect'), closed])
  if (reads) socket.setEncoding('latin1').on('data', (chunk: string) => { text += chunk })
  else socket.pause()
  return { socket, answers: () => text, closed }
}

/** Sends a little again and again until the connection is over. */
export function trickle ({ socket, closed }: RawConnection, text: string, everyMs: number): void {
  const timer = setInterval(() => socket.write(text), everyMs)
  void closed.finally(() => clearInterval(timer))
}

/**
 * Sends as fast as it is taken, until the connection is over.
 * @returns how many bytes this side has got rid of, those that wait in buffers among them
 */
export async function flood ({ socket, closed }: RawConnection, text: string, bytesMax: number): Promise<number> {
  const chunk = Buffer.from(text)
  while (!socket.destroyed && socket.bytesWritten < bytesMax) {
    if (!socket.write(chunk)) await Promise.race([once(socket, 'drain').catch(() => {}), closed])
  }
  return socket.bytesWritten
}
