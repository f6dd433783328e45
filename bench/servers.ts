import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { exitOf } from '../test/fixtures/child.ts'
import { guard, type Scope, temporaryFolder } from '../test/fixtures/guard.ts'
import { freePort } from '../test/fixtures/ports.ts'
import { privatePostgres } from '../test/fixtures/postgres.ts'
import { privateRedis } from '../test/fixtures/redis.ts'

const ROOT = new URL('../', import.meta.url)
const TSX = ['--import', import.meta.resolve('tsx')]
const READY_WITHIN_MS = 30_000
const POLL_MS = 50
const STDERR_KEPT = 10_000
/** What Debian's redis.conf says; the fixture keeps nothing on disk. */
const REDIS_DEBIAN = ['--save', '3600 1 300 100 60 10000']

/** Everything that is measured, each a process of its own, all up for the whole bench. */
export interface Servers {
  readonly embedded: string
  /** Two replicas on the same PostgreSQL and Redis. */
  readonly replicas: readonly [string, string]
  readonly bare: string
  readonly hand: string
  /** The service's database, and the one of the hand-written route, on one PostgreSQL. */
  readonly ledgerUrl: string
  readonly handUrl: string
  readonly postgresVersion: string
  readonly redisVersion: string
}

export async function startServers (scope: Scope): Promise<Servers> {
  const { url: ledgerUrl } = await privatePostgres(scope, { fsync: true })
  const { url: REDIS_URL } = await privateRedis(scope, { args: REDIS_DEBIAN })
  const sql = postgres(ledgerUrl, { max: 1 })
  await sql`create database hand`
  const [shown] = await sql<[{ server_version: string }]>`show server_version`
  await sql.end()
  const handUrl = new URL('/hand', ledgerUrl).href
  const shipped = await shippedArguments()
  const service = async (env: Record<string, string>): Promise<string> => await startServer(scope, shipped, env)
  const env = { DATABASE_URL: ledgerUrl, REDIS_URL }
  return {
    embedded: await service({}),
    replicas: [await service(env), await service(env)],
    bare: await startServer(scope, [...TSX, 'bench/bare-server.ts'], {}),
    hand: await startServer(scope, [...TSX, 'bench/hand-server.ts'], { DATABASE_URL: handUrl }),
    ledgerUrl,
    handUrl,
    postgresVersion: shown.server_version,
    redisVersion: await redisVersionOf(REDIS_URL)
  }
}

/** What `npm start` gives to node, so that the service runs as its users run it. */
async function shippedArguments (): Promise<string[]> {
  const { scripts } = JSON.parse(await readFile(new URL('package.json', ROOT), 'utf8')) as { scripts: { start: string } }
  const [node, ...args] = scripts.start.split(' ')
  if (node !== 'node') throw new Error(`npm start is not a call of node: ${scripts.start}`)
  return args
}

/** @returns its address, once it answers HTTP. What it logs goes nowhere, so that nobody here has to read it. */
async function startServer (scope: Scope, args: readonly string[], env: Record<string, string>): Promise<string> {
  const folder = temporaryFolder('bench')
  const owner = guard('TERM', folder)
  scope.teardown(owner.release)
  const port = await freePort()
  const entry = args.find(arg => /\.[jt]s$/.test(arg)) as string
  const child = spawn(process.execPath, args.map(arg => arg === entry ? fileURLToPath(new URL(entry, ROOT)) : arg), {
    cwd: folder,
    env: { PATH: process.env.PATH, PORT: `${port}`, ...env },
    stdio: ['ignore', 'ignore', 'pipe']
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => { said = (said + chunk).slice(-STDERR_KEPT) })
  owner.watch(child.pid)
  const ended = exitOf(child).then(({ code }) => {
    owner.watch(undefined)
    throw new Error(`${entry} ended (${code}): ${said}`)
  })
  ended.catch(() => {})
  const url = `http://127.0.0.1:${port}`
  await Promise.race([ended, answers(url)])
  return url
}

async function answers (url: string): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS
  while (Date.now() < deadline) {
    try {
      await (await fetch(url)).arrayBuffer()
      return
    } catch {
      await new Promise(resolve => setTimeout(resolve, POLL_MS))
    }
  }
  throw new Error(`${url} did not answer within ${READY_WITHIN_MS} ms`)
}

async function redisVersionOf (url: string): Promise<string> {
  const redis = new Redis(url)
  const info = await redis.info('server')
  redis.disconnect()
  return /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown'
}
