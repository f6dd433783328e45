import type { FastifyHttpOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { Server } from 'node:http'
import { TollgateError } from '../errors.ts'
import type { Metrics } from './metrics.ts'

const HEADER_BYTES_MAX = 16 * 1024
/** How often Node looks for connections that take too long; its own standard, 30 s, would come on top of every bound. */
const CHECK_EVERY_MS = 1_000
/** On one connection: more than any client pipelines. Each is carried out at once, and its answer kept until those before it are taken. */
const UNANSWERED_MAX = 100
/** When all places are taken, how often idle connections are looked for: it costs as much as there are connections. */
const MAKE_ROOM_EVERY_MS = 1_000

/**
 * How many connections the system keeps until the process takes them, where it allows as many (`net.core.somaxconn`). Node's own
 * standard, 511, is passed when callers come back all at once; who finds no place is let wait for a second or more, or forgotten.
 */
export const ACCEPT_QUEUE_MAX = 4_096

/** How long each state of a connection may last: there is none that a caller can keep for ever. */
export interface ConnectionBounds {
  /** From its first moment, or from the first byte of a further request, until its headers are here. */
  readonly headersTimeoutMs: number
  /** The same, until its body is here. */
  readonly requestTimeoutMs: number
  /** No byte comes or goes while a request is carried out or its answer is taken. */
  readonly stalledTimeoutMs: number
  /** From an answer until the next request. */
  readonly keepAliveTimeoutMs: number
  /** From the moment the process is told to stop, whatever is under way. */
  readonly drainTimeoutMs: number
  /** Of one process. */
  readonly connectionsMax: number
}

export const CONNECTION_BOUNDS: ConnectionBounds = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 20_000,
  // Longer than any request takes to be answered.
  stalledTimeoutMs: 60_000,
  // Longer than the idle time of common load balancers, so that they close first.
  keepAliveTimeoutMs: 72_000,
  // Longer than a request may take to arrive, shorter than whoever stops a process waits before they kill it.
  drainTimeoutMs: 25_000,
  connectionsMax: 10_000
}

export function serverOptions ({ headersTimeoutMs, requestTimeoutMs, stalledTimeoutMs, keepAliveTimeoutMs }: ConnectionBounds) {
  return {
    requestTimeout: requestTimeoutMs,
    connectionTimeout: stalledTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    http: { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: headersTimeoutMs, connectionsCheckingInterval: CHECK_EVERY_MS }
  } satisfies FastifyHttpOptions<Server>
}

export interface ConnectionsOptions {
  readonly bounds: ConnectionBounds
  readonly metrics: Metrics
}

/**
 * Bounds what one caller can have of this process. A new connection that finds no place is closed, and idle ones are closed
 * for the next. A connection with too many requests under way says so to the next, and ends.
 */
export default fp<ConnectionsOptions>(async (app, { bounds: { connectionsMax, drainTimeoutMs }, metrics }) => {
  const server: Server = app.server
  server.maxConnections = connectionsMax
  metrics.watchConnections(async () => await new Promise((resolve, reject) => {
    server.getConnections((error, count) => error === null ? resolve(count) : reject(error))
  }))
  let madeRoomAt = -Infinity
  server.on('drop', () => {
    metrics.connectionRefused()
    const now = performance.now()
    if (now - madeRoomAt < MAKE_ROOM_EVERY_MS) return
    madeRoomAt = now
    server.closeIdleConnections()
  })

  app.addHook('preClose', done => {
    const timer = setTimeout(() => server.closeAllConnections(), drainTimeoutMs)
    server.once('close', () => clearTimeout(timer))
    done()
  })

  const unanswered = new WeakMap<object, number>()
  app.addHook('onRequest', ({ raw: { socket } }, reply, done) => {
    const count = (unanswered.get(socket) ?? 0) + 1
    unanswered.set(socket, count)
    if (count <= UNANSWERED_MAX) return done()
    // Later, as Node starts to read again at the end of each request that it has read already.
    process.nextTick(() => socket.pause())
    // The connection ends with the answer to the first that is too many, so those behind it get none.
    if (count > UNANSWERED_MAX + 1) return
    reply.header('connection', 'close')
    done(new TollgateError('rate_limited', `more than ${UNANSWERED_MAX} requests at once on one connection`, { retryAfterSeconds: 1 }))
  })
  app.addHook('onResponse', ({ raw: { socket } }, _reply, done) => {
    unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1)
    done()
  })
}, { name: 'connections' })
