import { environmentOfKey } from './domain/key.ts'
import { parseRedisUrl } from './redis-url.ts'

export interface Config {
  readonly host: string
  readonly port: number
  /** undefined: the embedded ledger in `dataDir` */
  readonly databaseUrl: string | undefined
  readonly dataDir: string
  /** undefined: no mirror */
  readonly redisUrl: string | undefined
  /** undefined: open, on loopback only */
  readonly adminKey: string | undefined
  readonly mirrorMaxAgeMs: number
  /** Of one key, in one window; 0: as many as it likes */
  readonly rateLimitRequestsPerKey: number
  readonly rateLimitWindowSeconds: number
  /** Where browsers reach this service, without a slash at its end; undefined: where callers do. */
  readonly publicUrl: string | undefined
  readonly manualCheckoutInLive: boolean
  /** undefined: for ever */
  readonly eventsKeptDays: number | undefined
  readonly logLevel: string
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/
const MIRROR_MAX_AGE_LIMIT_MS = 900_000
const RATE_LIMIT_REQUESTS_MAX = 1_000_000
const RATE_LIMIT_WINDOW_MAX_SECONDS = 3_600
const EVENTS_KEPT_DAYS_MAX = 36_500

/** All that is wrong with the settings, one readable line each. */
export class ConfigProblems extends Error {
  override readonly name = 'ConfigProblems'
  readonly problems: readonly string[]
  constructor (problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

type Env = Readonly<Record<string, string | undefined>>

/** The only reader of settings. An empty setting counts as absent. @throws ConfigProblems with every problem at once */
export function loadConfig (env: Env): Config {
  const problems: string[] = []
  const text = (name: string): string | undefined => env[name]?.trim() || undefined

  function whole<Standard extends number | undefined> (name: string, standard: Standard, max: number, min = 0): number | Standard {
    const value = text(name)
    if (value === undefined) return standard
    if (/^\d+$/.test(value) && Number(value) >= min && Number(value) <= max) return Number(value)
    problems.push(`${name} must be a whole number from ${min} to ${max}, not "${value}"`)
    return standard
  }

  function url (name: string, schemes: readonly string[], isGood: (value: string) => boolean): string | undefined {
    const value = text(name)
    // The value may hold a password: it is not repeated.
    if (value !== undefined && !isGood(value)) problems.push(`${name} must be a URL that begins with ${schemes.map(scheme => `${scheme}://`).join(' or ')}`)
    return value
  }

  function flag (name: string): boolean {
    const value = text(name) ?? 'false'
    if (value !== 'true' && value !== 'false') problems.push(`${name} must be true or false, not "${value}"`)
    return value === 'true'
  }

  function webAddress (name: string): string | undefined {
    const value = text(name)
    if (value === undefined) return undefined
    const parsed = /^https?:\/\/[^/?#@]+(\/[^?#]*)?$/.test(value) && URL.canParse(value) ? new URL(value) : undefined
    if (parsed === undefined) problems.push(`${name} must be an http or https URL without name, query and fragment, such as https://tollgate.example.com`)
    return parsed?.href.replace(/\/+$/, '')
  }

  const host = text('HOST') ?? '127.0.0.1'
  const adminKey = text('TOLLGATE_ADMIN_KEY')
  const logLevel = text('LOG_LEVEL') ?? 'info'
  if (adminKey !== undefined && environmentOfKey(adminKey) === undefined) {
    problems.push('TOLLGATE_ADMIN_KEY must look like prv_<environment>_<at least 16 letters or digits>, ' +
      'as prv_live_ followed by the output of "openssl rand -hex 16"')
  }
  if (adminKey === undefined && !isLoopback(host)) {
    problems.push(`HOST ${host} is not loopback: set TOLLGATE_ADMIN_KEY, without which anyone who can connect is an administrator`)
  }
  if (!LOG_LEVELS.includes(logLevel)) problems.push(`LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}, not "${logLevel}"`)
  const config = {
    host,
    port: whole('PORT', 8080, 65_535),
    databaseUrl: url('DATABASE_URL', ['postgres', 'postgresql'], isPostgresUrl),
    dataDir: text('TOLLGATE_DATA_DIR') ?? './data',
    redisUrl: url('REDIS_URL', ['redis', 'rediss', 'redis+sentinel', 'rediss+sentinel'], value => parseRedisUrl(value) !== undefined),
    adminKey,
    mirrorMaxAgeMs: whole('MIRROR_MAX_AGE_MS', 1_000, MIRROR_MAX_AGE_LIMIT_MS),
    rateLimitRequestsPerKey: whole('RATE_LIMIT_REQUESTS_PER_KEY', 0, RATE_LIMIT_REQUESTS_MAX),
    rateLimitWindowSeconds: whole('RATE_LIMIT_WINDOW_SECONDS', 1, RATE_LIMIT_WINDOW_MAX_SECONDS, 1),
    publicUrl: webAddress('PUBLIC_URL'),
    manualCheckoutInLive: flag('MANUAL_CHECKOUT_IN_LIVE'),
    eventsKeptDays: whole('EVENTS_KEPT_DAYS', undefined, EVENTS_KEPT_DAYS_MAX, 1),
    logLevel
  }
  if (problems.length > 0) throw new ConfigProblems(problems)
  return Object.freeze(config)
}

/** Can it be reached from this machine only? */
export function isLoopback (host: string): boolean {
  return LOOPBACK.test(host)
}

function isPostgresUrl (url: string): boolean {
  return /^postgres(ql)?:\/\//.test(url) && URL.canParse(url) && /^[^,]+$/.test(new URL(url).host)
}
