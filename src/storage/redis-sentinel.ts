import { Redis, type RedisOptions } from 'ioredis'

const RECONNECT_DELAY_MS = 1_000

/**
 * A master that was replaced may go on answering, and whoever is connected would go on asking it. The sentinels say when one was replaced.
 * ioredis can listen itself (`failoverDetector`), but version 6.0 heeds what is said of any master, and ends for good when it is said
 * while it is looking for the master, which is when it is said.
 * @param name what the sentinels call the master @param onError told if a sentinel refuses to tell
 * @returns what ends it
 */
export function leaveReplacedMaster (
  server: Redis, name: string, sentinels: ReadonlyArray<Omit<RedisOptions, 'replyMapping'>>, onError: (error: Error) => void
): () => void {
  let replaced = false
  let closed = false

  /** Every sentinel says it once it knows it. Each is heeded: one that did not know it yet may just have given the old address. */
  function heed (text: string): void {
    if (!text.startsWith(`${name} `)) return
    if (server.status === 'ready' || server.status === 'connect') server.disconnect(true)
    else replaced = true
  }

  server.on('ready', () => {
    if (!replaced) return
    // It may have asked for the address a moment before.
    replaced = false
    server.disconnect(true)
  })
  const listeners = sentinels.map(options => {
    const listener = new Redis({ ...options, enableReadyCheck: false, maxRetriesPerRequest: null, retryStrategy: () => RECONNECT_DELAY_MS })
    // One that is away is told by the client that looks for the master.
    listener.on('error', () => {})
    listener.on('message', (_channel, text) => heed(text))
    listener.subscribe('+switch-master').catch(error => { if (!closed) onError(error) })
    return listener
  })
  return () => {
    closed = true
    for (const listener of listeners) listener.disconnect()
  }
}
