import { readFileSync } from 'node:fs'
import { type Config, loadConfig } from '../../src/config.ts'
import { ROOT } from '../fixtures/root.ts'

export interface Setting {
  readonly name: string
  readonly member: keyof Config
  /** What stands in the table where there is no default. */
  readonly absent?: string
  /** One that works by itself. */
  readonly example: string
  readonly text: string
}

const LIMIT_MS = 900_000

/** What the tables of settings say, in their order; `src/config.ts` says the names and the defaults. */
export const settings: readonly Setting[] = [
  { name: 'HOST', member: 'host', example: 'localhost', text: 'where to listen; what is not loopback needs `TOLLGATE_ADMIN_KEY`' },
  { name: 'PORT', member: 'port', example: '3000', text: '0 to 65535; 0 is any free one' },
  {
    name: 'DATABASE_URL',
    member: 'databaseUrl',
    absent: 'embedded',
    example: 'postgres://user:password@host/database',
    text: '`postgres://user:password@host/database`, PostgreSQL 15 or later. Migrations run at start'
  },
  { name: 'TOLLGATE_DATA_DIR', member: 'dataDir', example: '/data', text: 'the embedded ledger\'s folder; one process at a time' },
  {
    name: 'REDIS_URL',
    member: 'redisUrl',
    absent: 'none',
    example: 'redis+sentinel://one:26379,two:26379/main',
    text: '`redis://` or `rediss://`; a comma-separated list is a cluster; `redis+sentinel://host:port,host:port/name`'
  },
  {
    name: 'TOLLGATE_ADMIN_KEY',
    member: 'adminKey',
    absent: 'none',
    example: 'prv_live_0123456789abcdef',
    text: '`prv_<environment>_<16 or more letters or digits>`. Without it the server is open, and listens on loopback only'
  },
  {
    name: 'PUBLIC_URL',
    member: 'publicUrl',
    absent: 'where the caller is',
    example: 'https://tollgate.example.com',
    text: 'where browsers reach this service: `https://tollgate.example.com`. Set it behind a proxy'
  },
  {
    name: 'MANUAL_CHECKOUT_IN_LIVE',
    member: 'manualCheckoutInLive',
    example: 'true',
    text: '`true`: environment `live` may use the checkout page, which takes no payment'
  },
  { name: 'MIRROR_MAX_AGE_MS', member: 'mirrorMaxAgeMs', example: `${LIMIT_MS}`, text: `how old a mirror entry may be to be believed; at most ${LIMIT_MS}` },
  {
    name: 'RATE_LIMIT_REQUESTS_PER_KEY',
    member: 'rateLimitRequestsPerKey',
    example: '500',
    text: 'how many requests a key may send in one window, over all replicas if there is Redis, else on each; 0 is without limit'
  },
  { name: 'RATE_LIMIT_WINDOW_SECONDS', member: 'rateLimitWindowSeconds', example: '60', text: 'how long that window is; 1 to 3600' },
  {
    name: 'EVENTS_KEPT_DAYS',
    member: 'eventsKeptDays',
    absent: 'for ever',
    example: '400',
    text: 'events are deleted this many days after the instant of their use, and their ids with them; counters stay. At least 1'
  },
  { name: 'LOG_LEVEL', member: 'logLevel', example: 'warn', text: '`trace`, `debug`, `info`, `warn`, `error`, `fatal`, `silent`' }
]

const PAGES = ['README.md', 'docs/operations.md'].map(page => new URL(page, ROOT))
const [BEGIN, END] = ['<!-- settings, written by `npm run settings` -->', '<!-- end of settings -->']

export function settingsTable (): string {
  const config = loadConfig({})
  const rows = settings.map(({ name, member, absent, text }) => {
    const value = config[member]
    return `| \`${name}\` | ${value === undefined ? absent : `\`${value}\``} | ${text} |`
  })
  return ['| variable | default | |', '|---|---|---|', ...rows].join('\n')
}

export interface Page {
  readonly url: URL
  readonly text: string
  /** With the table as it should be. */
  readonly current: string
}

export function pagesWithSettings (): Page[] {
  return PAGES.map(url => {
    const text = readFileSync(url, 'utf8')
    const [before, rest, ...more] = text.split(BEGIN)
    const [, after, ...others] = rest?.split(END) ?? []
    if (after === undefined || more.length > 0 || others.length > 0) throw new Error(`${url.pathname} must have "${BEGIN}" and "${END}" once`)
    return { url, text, current: `${before}${BEGIN}\n${settingsTable()}\n${END}${after}` }
  })
}
