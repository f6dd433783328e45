import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { randomBytes } from 'node:crypto'
import { setImmediate as turnOfLoop, setTimeout as sleep } from 'node:timers/promises'
import type { Payments } from './domain/payment.ts'
import { TollgateError } from './errors.ts'
import { adminApi } from './kana/admin.ts'
import { kanaCli } from './kana/cli.ts'
import { segmentEvents } from './kana/segment.ts'
import { clientApi } from './kana/client.ts'
import { accessBy } from './operations/access.ts'
import checkoutPage from './pages/checkout.ts'
import { MANUAL_PATH, manualPayments } from './payments/manual.ts'
import auth from './plugins/auth.ts'
import connections, { CONNECTION_BOUNDS, type ConnectionBounds, serverOptions } from './plugins/connections.ts'
import errors, { clientErrorText, handleError } from './plugins/errors.ts'
import health from './plugins/health.ts'
import { toJson } from './plugins/json.ts'
import idempotency from './plugins/idempotency.ts'
import jsonBody from './plugins/json-body.ts'
import metricsPlugin, { type Metrics } from './plugins/metrics.ts'
import openapi from './plugins/openapi.ts'
import rateLimit, { type RateLimitTerms } from './plugins/rate-limit.ts'
import testClock from './plugins/test-clock.ts'
import { lateValidators } from './plugins/validators.ts'
import { canRoutes } from './routes/can.ts'
import { checkoutRoutes } from './routes/checkout.ts'
import { clockRoutes } from './routes/clock.ts'
import { consumeRoutes } from './routes/consume.ts'
import { correctionRoutes } from './routes/corrections.ts'
import { costRoutes } from './routes/cost.ts'
import { environmentRoutes } from './routes/environments.ts'
import { eventRoutes } from './routes/events.ts'
import { featureRoutes } from './routes/features.ts'
import { keyRoutes } from './routes/keys.ts'
import { orgImportRoutes } from './routes/org-imports.ts'
import { orgResourceRoutes } from './routes/org-resource.ts'
import { orgRoutes } from './routes/orgs.ts'
import { overrideRoutes } from './routes/overrides.ts'
import { planRoutes } from './routes/plans.ts'
import { planSaleRoutes } from './routes/plan-sales.ts'
import { reportRoutes } from './routes/report.ts'
import { reportsRoutes } from './routes/reports.ts'
import { reservationRoutes } from './routes/reservations.ts'
import { segmentRuleRoutes } from './routes/segment-rules.ts'
import { subscriptionRoutes } from './routes/subscriptions.ts'
import { usageRoutes } from './routes/usage.ts'
import { verifyRoutes } from './routes/verify.ts'
import type { Stores } from './storage/stores.ts'

declare module 'fastify' {
  interface FastifyInstance {
    stores: Stores
    payments: Payments
  }
}

/** Callers who keep connections open may send one more request, and hear that they should go elsewhere, until none came for so long. */
const FAREWELL_MS = 500
/** However many still come: a balancer that has not noticed sends them over new connections. */
const FAREWELL_MAX_MS = 5_000
const BODY_BYTES_MAX = 64 * 1024
/** Of one id in a path, as characters: no id is longer. */
const PATH_PARAM_LENGTH_MAX = 500

export interface AppOptions {
  readonly stores: Stores
  readonly metrics: Metrics
  readonly adminKey: string | undefined
  /** Of what every caller is administrator without that key; `test` if absent. */
  readonly openEnvironment?: string
  /** Of the settings. */
  readonly publicUrl: string | undefined
  readonly manualCheckoutInLive: boolean
  /** undefined: none */
  readonly rateLimit?: RateLimitTerms | undefined
  /** What differs from the standard. */
  readonly connectionBounds?: Partial<ConnectionBounds> | undefined
  readonly logger: FastifyBaseLogger
  readonly version: string
}

/** Registers everything, in order. */
export async function buildApp (options: AppOptions): Promise<FastifyInstance> {
  const { stores, metrics, adminKey, openEnvironment = 'test', publicUrl, manualCheckoutInLive, logger, version } = options
  const manual = manualPayments({ secret: stores.secret, publicUrl, inLive: manualCheckoutInLive })
  const bounds = { ...CONNECTION_BOUNDS, ...options.connectionBounds }
  const access = accessBy({ adminKey, openEnvironment, keys: stores.keys })
  let stopping = false
  let sentAway = 0
  const app = Fastify({
    loggerInstance: logger,
    // One line per request of our own, with its route and without its query: see plugins/metrics.ts.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIds(),
    // A logger of its own for every request costs more than the one line that most of them write; lines name their request.
    childLoggerFactory: logger => logger,
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: PATH_PARAM_LENGTH_MAX },
    ...serverOptions(bounds),
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    // Nothing is coerced, filled in or dropped: what a caller sent is what is judged.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: true, allowUnionTypes: true } },
    schemaController: { compilersFactory: { buildValidator: lateValidators } },
    frameworkErrors: handleError,
    clientErrorHandler: (error, socket) => {
      if (error.code !== 'ECONNRESET' && socket.writable) socket.write(clientErrorText(error.code))
      socket.destroy(error)
    }
  })
  app.setReplySerializer(toJson)
  // Else Fastify writes and compiles a serializer for each answer of each route, which none would use: half the time of a start.
  app.setSerializerCompiler(() => toJson)
  await app.register(connections, { bounds, metrics })
  app.decorate('stores', stores)
  app.decorate('payments', manual)
  // What arrives on open connections is answered and their callers are told to leave, before idle ones are closed: else
  // a request that is on its way to a connection which looks idle would find it closed.
  app.addHook('preClose', async () => {
    stopping = true
    if (app.server.listening) await farewell(() => sentAway)
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (stopping) reply.header('connection', 'close')
    done(null, payload)
  })
  app.addHook('onRequest', (_request, reply, done) => {
    if (!stopping) return done()
    sentAway += 1
    reply.header('connection', 'close')
    done(new TollgateError('stopping', undefined, { retryAfterSeconds: 1 }))
  })

  await app.register(errors)
  await app.register(jsonBody)
  await app.register(openapi, { version })
  await app.register(metricsPlugin, { metrics })
  await app.register(health, { stores, stopping: () => stopping })
  await app.register(checkoutPage, { prefix: MANUAL_PATH, manual })
  const limited = async (scope: FastifyInstance): Promise<void> => {
    if (options.rateLimit === undefined) return
    await scope.register(rateLimit, { ...options.rateLimit, open: adminKey === undefined, onUncounted: metrics.uncountedRequest })
  }
  await app.register(adminApi, { prefix: '/graphql', access, limited })
  await app.register(clientApi, { prefix: '/client/graphql', access, limited })
  await app.register(async guarded => {
    await guarded.register(auth, { access })
    await limited(guarded)
    await guarded.register(testClock)
    await guarded.register(idempotency)
    await guarded.register(async v1 => {
      const all = [
        reportRoutes, reportsRoutes, canRoutes, consumeRoutes, usageRoutes, reservationRoutes, costRoutes, eventRoutes, correctionRoutes,
        planRoutes, planSaleRoutes, featureRoutes, orgRoutes, subscriptionRoutes, overrideRoutes, orgResourceRoutes, orgImportRoutes,
        checkoutRoutes, segmentRuleRoutes, environmentRoutes, clockRoutes, keyRoutes, verifyRoutes
      ]
      for (const routes of all) await v1.register(routes)
    }, { prefix: '/v1' })
    await guarded.register(kanaCli, { prefix: '/cli' })
    await guarded.register(segmentEvents, { prefix: '/segment' })
    // For short scripts; the document shows the long form only.
    await guarded.register(async short => {
      short.addHook('onRoute', route => { route.schema = { ...route.schema, hide: true } })
      for (const routes of [reportRoutes, canRoutes, usageRoutes]) await short.register(routes)
    })
  })
  return app
}

async function farewell (sentAway: () => number): Promise<void> {
  const until = performance.now() + FAREWELL_MAX_MS
  let before: number
  do {
    before = sentAway()
    await sleep(FAREWELL_MS)
    // A busy process may be late: what has arrived in the meantime is read first, else it would be taken for silence.
    await turnOfLoop()
  } while (sentAway() > before && performance.now() < until)
}

/** Unique over replicas and restarts, and cheaper than a UUID on every request. */
function requestIds (): () => string {
  const prefix = randomBytes(5).toString('hex')
  let next = 0
  return () => `${prefix}-${(next += 1).toString(36)}`
}
