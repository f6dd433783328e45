import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildApp } from './app.ts'
import { startJobs } from './background/jobs.ts'
import { type Config, ConfigProblems, loadConfig } from './config.ts'
import { environmentOfKey } from './domain/key.ts'
import { loggable } from './errors.ts'
import { openLog } from './log.ts'
import { ACCEPT_QUEUE_MAX, type ConnectionBounds } from './plugins/connections.ts'
import { createMetrics } from './plugins/metrics.ts'
import type { RateLimitTerms } from './plugins/rate-limit.ts'
import type { Database } from './storage/database.ts'
import { FolderInUse } from './storage/folder-lock.ts'
import { redisMirror } from './storage/mirror-redis.ts'
import { pgliteDatabase } from './storage/pglite.ts'
import { postgresDatabase } from './storage/postgres.ts'
import { rateLimitRedis } from './storage/rate-limit-redis.ts'
import { openStores, type Stores } from './storage/stores.ts'

const DRAIN_TIMEOUT_MS = 30_000

const FOLDER_RETRY_MS = 100

/** How the service is run, where whoever runs it is not a person with settings. */
export interface Hosting {
  /** Of what a caller is administrator without an admin key; `test` if absent. */
  readonly openEnvironment?: string
  /** Log lines go to stderr, and stdout says nothing but what `onListening` writes there. */
  readonly logToStderr?: boolean
  /** How long another process may still take to leave the folder; 0 if absent. */
  readonly folderPatienceMs?: number
  readonly connectionBounds?: Partial<ConnectionBounds>
  /** @param address `127.0.0.1:8080` */
  readonly onListening?: (address: string) => void
}

/** For what the person at the terminal can mend: one readable line per problem, and exit code 2. */
function refuse (error: ConfigProblems | FolderInUse): never {
  for (const line of error.message.split('\n')) console.error(`tollgate: ${line}`)
  process.exit(2)
}

async function openDatabase ({ databaseUrl, dataDir }: Config, patienceMs: number): Promise<Database> {
  if (databaseUrl !== undefined) return postgresDatabase(databaseUrl)
  for (const deadline = performance.now() + patienceMs; ;) {
    try {
      return await pgliteDatabase(dataDir)
    } catch (error) {
      if (!(error instanceof FolderInUse) || performance.now() >= deadline) throw error
      await sleep(FOLDER_RETRY_MS)
    }
  }
}

function rateLimitOf (config: Config, { ledgerId }: Stores, onError: (error: Error) => void): RateLimitTerms | undefined {
  const { rateLimitRequestsPerKey: requestsMax, rateLimitWindowSeconds: windowSeconds, redisUrl: url } = config
  if (requestsMax === 0) return undefined
  return { requestsMax, windowSeconds, redis: url === undefined ? undefined : rateLimitRedis({ url, ledgerId, onError }) }
}

async function start (env: NodeJS.ProcessEnv, hosting: Hosting): Promise<void> {
  const config = loadConfig(env)
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  const { openEnvironment = 'test', logToStderr = false, folderPatienceMs = 0, connectionBounds, onListening } = hosting
  const metrics = createMetrics((error, message) => warn(error, message))
  const { logger, flushSync } = openLog({ to: logToStderr ? 2 : 1, level: config.logLevel, onLost: metrics.logLineLost })
  const warn = (error: unknown, message: string): void => logger.warn({ err: loggable(error) }, message)
  const { redisUrl, mirrorMaxAgeMs } = config
  const stores = await openStores({
    database: await openDatabase(config, folderPatienceMs),
    mirrorFor: redisUrl === undefined
      ? undefined
      : ledgerId => redisMirror({ url: redisUrl, ledgerId, ageMaxMs: mirrorMaxAgeMs, onError: error => warn(error, 'the mirror is away') }),
    mirrorAgeMaxMs: mirrorMaxAgeMs,
    events: metrics
  })
  metrics.watchQueue(stores.ledger.waiting)
  const environment = config.adminKey === undefined ? openEnvironment : environmentOfKey(config.adminKey)
  if (environment !== undefined) await stores.environments.ensure(environment)

  const { adminKey, publicUrl, manualCheckoutInLive } = config
  const rateLimit = rateLimitOf(config, stores, error => warn(error, 'the counts of the rate limit are away'))
  const app = await buildApp({
    stores, metrics, adminKey, openEnvironment, publicUrl, manualCheckoutInLive, rateLimit, connectionBounds, logger, version
  })
  const { eventsPruned, transactionsAbandoned } = metrics
  const jobs = startJobs(stores, { eventsKeptDays: config.eventsKeptDays, eventsPruned, transactionsAbandoned, warn })
  app.addHook('onClose', async () => {
    await jobs.stop()
    rateLimit?.redis?.close()
    await stores.close()
  })
  const ledger = config.databaseUrl === undefined ? `embedded in ${config.dataDir}` : 'PostgreSQL'
  logger.info(`ledger: ${ledger}; mirror: ${redisUrl === undefined ? 'none' : 'Redis'}`)
  if (config.adminKey === undefined) logger.warn(`no TOLLGATE_ADMIN_KEY: open to everyone on this machine, as administrator of ${openEnvironment}`)
  const address = await app.listen({
    host: config.host,
    port: config.port,
    backlog: ACCEPT_QUEUE_MAX,
    listenTextResolver: address => `Tollgate listening on ${address}, documentation at ${address}/docs`
  })
  onListening?.(address.replace(/^http:\/\//, ''))

  let stopping = false
  function stop (signal: NodeJS.Signals): void {
    if (stopping) return
    stopping = true
    logger.info({ signal }, 'stopping: finishing what was taken on')
    setTimeout(() => { process.exit(1) }, DRAIN_TIMEOUT_MS).unref()
    app.close().then(() => {
      logger.info('stopped')
      flushSync()
      process.exit(0)
    }, error => {
      logger.error({ err: loggable(error) }, 'could not stop cleanly')
      flushSync()
      process.exit(1)
    })
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

/** Serves until SIGTERM or SIGINT; resolves once it listens. What keeps it from that ends the process, with a sentence. */
export async function serve (env: NodeJS.ProcessEnv, hosting: Hosting = {}): Promise<void> {
  await start(env, hosting).catch(error => {
    if (error instanceof ConfigProblems || error instanceof FolderInUse) refuse(error)
    console.error(`tollgate: ${startProblem(error)}`)
    process.exit(1)
  })
}

function startProblem (error: NodeJS.ErrnoException & { port?: number, address?: string }): string {
  const { code, syscall, address, port, message } = error
  if (syscall === 'listen') return `cannot listen on ${address}:${port}: ${code === 'EADDRINUSE' ? 'another program does' : message}`
  if (syscall === 'connect') return `the database in DATABASE_URL cannot be reached: ${message}`
  return error.stack ?? message
}
