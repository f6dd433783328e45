import { once } from 'node:events'
import { connect } from 'node:net'

/** HTTP/1.1 on one connection that is kept, one request at a time: as little as a load generator needs. */
export interface Connection {
  /** @param answered is given the whole answer; `body` begins at `from` */
  send (request: Buffer, answered: (status: number, answer: Buffer, from: number) => void): void
  close (): void
}

const HEAD_END = '\r\n\r\n'
const LENGTH = /\r\ncontent-length: *(\d+)/i

/** @param failed hears of a connection that was lost, and of answers without a length */
export async function connectTo (url: string, failed: (error: Error) => void): Promise<Connection> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  await once(socket, 'connect')
  let begun: Buffer | undefined
  let answered: Parameters<Connection['send']>[1] | undefined
  let closing = false

  socket.on('data', (chunk: Buffer) => {
    const bytes = begun === undefined ? chunk : Buffer.concat([begun, chunk])
    begun = bytes
    const end = bytes.indexOf(HEAD_END)
    if (end === -1) return
    const head = bytes.toString('latin1', 0, end)
    const length = LENGTH.exec(head)?.[1]
    if (length === undefined) {
      socket.destroy(new Error(`an answer without a length: ${head}`))
      return
    }
    const from = end + HEAD_END.length
    if (bytes.length < from + Number(length)) return
    begun = undefined
    const done = answered
    answered = undefined
    done?.(Number(head.slice(9, 12)), bytes, from)
  })
  socket.on('error', failed)
  socket.on('close', () => { if (!closing) failed(new Error(`${url} closed a connection`)) })

  return {
    send: (request, callback) => {
      answered = callback
      socket.write(request)
    },
    close: () => {
      closing = true
      socket.destroy()
    }
  }
}
