import { Redis } from 'ioredis'
import postgres from 'postgres'
import type { Scope } from '../../test/fixtures/guard.ts'
import { privatePostgres } from '../../test/fixtures/postgres.ts'
import { privateRedis } from '../../test/fixtures/redis.ts'
import { COPY_TABLE } from '../load/copy.ts'
import { startSide, startTollgate } from './process.ts'
import type { LedgerName, Side } from './sides.ts'

/** What Debian's redis.conf says; the fixture keeps nothing on disk. */
const REDIS_DEBIAN = ['--save', '3600 1 300 100 60 10000']

/** Where usage is counted. */
export interface Ledger {
  /** A Tollgate that counts in it; undefined: it is somebody else's. */
  readonly service: string | undefined
  /** undefined: embedded */
  readonly database: string | undefined
}

/** A process of Tollgate, whose memory is looked at. */
export interface Service {
  readonly name: string
  readonly pid: number
  /** Megabytes that it promises to stay under; undefined: it is embedded, or meets more orgs than the promise is about. */
  readonly residentMax: number | undefined
}

/** Of a process that meets 1,000 orgs. */
const RESIDENT_MAX_MB = 300

/** Everything that is measured, each a process of its own, all up for the whole bench. */
export interface Servers {
  /** Of each side; of COPY the database's. */
  readonly urls: ReadonlyMap<Side, readonly string[]>
  readonly ledgers: ReadonlyMap<LedgerName, Ledger>
  readonly services: readonly Service[]
  readonly postgresVersion: string
  readonly redisVersion: string
}

export async function startServers (scope: Scope, sides: ReadonlySet<Side>): Promise<Servers> {
  const { url: mainUrl } = await privatePostgres(scope, { fsync: true })
  const { url: REDIS_URL } = await privateRedis(scope, { args: REDIS_DEBIAN })
  const administrator = postgres(mainUrl, { max: 1 })
  const [shown] = await administrator<[{ server_version: string }]>`show server_version`

  const urls = new Map<Side, readonly string[]>()
  const ledgers = new Map<LedgerName, Ledger>()
  const services: Service[] = []
  const wants = (...any: readonly Side[]): boolean => any.some(side => sides.has(side))

  async function database (name: string): Promise<string> {
    await administrator`create database ${administrator(name)}`
    return new URL(`/${name}`, mainUrl).href
  }

  async function tollgate (
    name: string, ledger: LedgerName, url: string | undefined, residentMax: number | undefined
  ): Promise<string> {
    const { url: service, pid } = await startTollgate(scope, url === undefined ? {} : { DATABASE_URL: url, REDIS_URL })
    services.push({ name, pid, residentMax })
    if (!ledgers.has(ledger)) ledgers.set(ledger, { service, database: url })
    return service
  }

  if (wants('servers', 'replicas')) {
    const first = await tollgate('PostgreSQL + Redis, 1,000 orgs', 'main', mainUrl, RESIDENT_MAX_MB)
    urls.set('servers', [first])
    if (wants('replicas')) urls.set('replicas', [first, await tollgate('the second replica, 1,000 orgs', 'main', mainUrl, RESIDENT_MAX_MB)])
  }
  if (wants('many')) urls.set('many', [await tollgate('PostgreSQL + Redis, 100,000 orgs', 'main', mainUrl, undefined)])
  if (wants('stored')) urls.set('stored', [await tollgate('the same, 2 million events stored', 'stored', await database('stored'), RESIDENT_MAX_MB)])
  if (wants('none')) urls.set('none', [await tollgate('the same, none stored', 'none', await database('none'), RESIDENT_MAX_MB)])
  if (wants('embedded')) urls.set('embedded', [await tollgate('embedded, 1,000 orgs', 'embedded', undefined, undefined)])
  if (wants('bare')) urls.set('bare', [await startSide(scope, 'bare-server.ts')])
  if (wants('limiter')) urls.set('limiter', [await startSide(scope, 'limiter-server.ts', { REDIS_URL })])
  if (wants('hand')) {
    const url = await database('hand')
    urls.set('hand', [await startSide(scope, 'hand-server.ts', { DATABASE_URL: url })])
    ledgers.set('hand', { service: undefined, database: url })
  }
  if (wants('copy')) {
    const url = await database('copied')
    const sql = postgres(url, { max: 1 })
    await sql.unsafe(COPY_TABLE)
    await sql.end()
    urls.set('copy', [url])
    ledgers.set('copied', { service: undefined, database: url })
  }
  await administrator.end()
  return { urls, ledgers, services, postgresVersion: shown.server_version, redisVersion: await redisVersionOf(REDIS_URL) }
}

async function redisVersionOf (url: string): Promise<string> {
  const redis = new Redis(url)
  const info = await redis.info('server')
  redis.disconnect()
  return /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown'
}
