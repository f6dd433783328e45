import { test } from 'tap'
import { type Config, ConfigProblems, loadConfig } from '../src/config.ts'

const KEY = 'prv_live_0123456789abcdef'
const standard: Config = {
  host: '127.0.0.1',
  port: 8080,
  databaseUrl: undefined,
  dataDir: './data',
  redisUrl: undefined,
  adminKey: undefined,
  mirrorMaxAgeMs: 1_000,
  rateLimitRequestsPerKey: 0,
  rateLimitWindowSeconds: 1,
  publicUrl: undefined,
  manualCheckoutInLive: false,
  eventsKeptDays: undefined,
  logLevel: 'info'
}

function problems (env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env)
    return []
  } catch (error) {
    if (!(error instanceof ConfigProblems)) throw error
    return error.problems
  }
}

test('every setting is optional', async t => {
  t.strictSame(loadConfig({}), standard)
  const names = [
    'HOST', 'PORT', 'DATABASE_URL', 'TOLLGATE_DATA_DIR', 'REDIS_URL', 'TOLLGATE_ADMIN_KEY', 'MIRROR_MAX_AGE_MS', 'PUBLIC_URL',
    'MANUAL_CHECKOUT_IN_LIVE', 'EVENTS_KEPT_DAYS', 'LOG_LEVEL'
  ]
  t.strictSame(loadConfig(Object.fromEntries(names.map(name => [name, '']))), standard, 'an empty one is absent')
  t.strictSame(loadConfig(Object.fromEntries(names.map(name => [name, '  ']))), standard)
  t.strictSame(loadConfig({ PATH: '/bin', HTTP_PORT: '1' }), standard, 'others are not ours')
})

test('settings that are taken', async t => {
  const cases: Array<[env: Record<string, string>, config: Partial<Config>]> = [
    [{ HOST: 'localhost' }, { host: 'localhost' }],
    [{ HOST: '::1' }, { host: '::1' }],
    [{ HOST: '127.0.0.2' }, { host: '127.0.0.2' }],
    [{ HOST: '0.0.0.0', TOLLGATE_ADMIN_KEY: KEY }, { host: '0.0.0.0', adminKey: KEY }],
    [{ PORT: '0' }, { port: 0 }],
    [{ PORT: ' 65535 ' }, { port: 65_535 }],
    [{ DATABASE_URL: 'postgres://u:p@h:5432/d?sslmode=require' }, { databaseUrl: 'postgres://u:p@h:5432/d?sslmode=require' }],
    [{ DATABASE_URL: 'postgresql://h/d' }, { databaseUrl: 'postgresql://h/d' }],
    [{ DATABASE_URL: 'postgres://u:p,w@h/d' }, { databaseUrl: 'postgres://u:p,w@h/d' }],
    [{ TOLLGATE_DATA_DIR: '/var/lib/tollgate' }, { dataDir: '/var/lib/tollgate' }],
    [{ REDIS_URL: 'redis://h:6379/2' }, { redisUrl: 'redis://h:6379/2' }],
    [{ REDIS_URL: 'rediss://:secret@h' }, { redisUrl: 'rediss://:secret@h' }],
    [{ REDIS_URL: 'redis://a:1,redis://b:2' }, { redisUrl: 'redis://a:1,redis://b:2' }],
    [{ REDIS_URL: 'redis+sentinel://a:1,b:2/main' }, { redisUrl: 'redis+sentinel://a:1,b:2/main' }],
    [{ REDIS_URL: 'rediss+sentinel://u:p%40@a,b/main?sentinelPassword=s&db=2' }, { redisUrl: 'rediss+sentinel://u:p%40@a,b/main?sentinelPassword=s&db=2' }],
    [{ TOLLGATE_ADMIN_KEY: 'prv_my-env-2_ABCdef0123456789' }, { adminKey: 'prv_my-env-2_ABCdef0123456789' }],
    [{ MIRROR_MAX_AGE_MS: '0' }, { mirrorMaxAgeMs: 0 }],
    [{ MIRROR_MAX_AGE_MS: '900000' }, { mirrorMaxAgeMs: 900_000 }],
    [{ RATE_LIMIT_REQUESTS_PER_KEY: '1000000' }, { rateLimitRequestsPerKey: 1_000_000 }],
    [{ RATE_LIMIT_WINDOW_SECONDS: '3600' }, { rateLimitWindowSeconds: 3_600 }],
    [{ PUBLIC_URL: 'https://Tollgate.example.com/' }, { publicUrl: 'https://tollgate.example.com' }],
    [{ PUBLIC_URL: 'http://localhost:8080' }, { publicUrl: 'http://localhost:8080' }],
    [{ PUBLIC_URL: 'https://example.com/billing/' }, { publicUrl: 'https://example.com/billing' }],
    [{ MANUAL_CHECKOUT_IN_LIVE: 'true' }, { manualCheckoutInLive: true }],
    [{ MANUAL_CHECKOUT_IN_LIVE: 'false' }, { manualCheckoutInLive: false }],
    [{ EVENTS_KEPT_DAYS: '1' }, { eventsKeptDays: 1 }],
    [{ EVENTS_KEPT_DAYS: '36500' }, { eventsKeptDays: 36_500 }],
    [{ LOG_LEVEL: 'debug' }, { logLevel: 'debug' }]
  ]
  for (const [env, config] of cases) t.strictSame(loadConfig(env), { ...standard, ...config }, JSON.stringify(env))
})

test('settings that are refused, by name', async t => {
  const cases: Array<[name: string, values: string[]]> = [
    ['EVENTS_KEPT_DAYS', ['0', '36501', '-1', '1.5', 'never']],
    ['PORT', ['65536', '-1', '80.5', '0x50', '8080/tcp', 'http', '1e3', '٨٠']],
    ['MIRROR_MAX_AGE_MS', ['900001', '-1', '1s', '0.5']],
    ['RATE_LIMIT_REQUESTS_PER_KEY', ['1000001', '-1', '0.5', 'off']],
    ['RATE_LIMIT_WINDOW_SECONDS', ['0', '3601', '1s', '0.5']],
    ['PUBLIC_URL', [
      'tollgate.example.com', 'ftp://h', 'https://', 'https:///h', 'https://u:p@h', 'https://h/?a', 'https://h/#a', 'javascript:alert(1)', 'https://h:x'
    ]],
    ['MANUAL_CHECKOUT_IN_LIVE', ['yes', '1', 'TRUE', 'live']],
    ['LOG_LEVEL', ['verbose', 'INFO', '30']],
    ['HOST', ['0.0.0.0', '::', '192.168.1.10', 'example.org', '127.0.0.1.example.org']],
    ['DATABASE_URL', ['mysql://h/d', 'localhost:5432', 'postgres://', 'postgres:///d', '/var/run/postgresql']],
    ['REDIS_URL', [
      'http://h', 'localhost:6379', 'redis://', 'redis://a,b', 'redis://a,http://b', 'redis://a,rediss://b', 'redis://a:x', 'redis+sentinel://a',
      'redis+sentinel:///main', 'redis+sentinel://a,/main', 'redis+sentinel://a/main?password=p', 'redis+sentinel://a/main?db=one', 'redis+sentinel://u:%@a/main'
    ]],
    ['TOLLGATE_ADMIN_KEY', [
      'secret', 'prv_live_short', 'pub_live_0123456789abcdef', 'prv__0123456789abcdef', 'prv_Live_0123456789abcdef',
      'prv_live_0123456789abcde!', `prv_${'e'.repeat(64)}_0123456789abcdef`, 'prv_1live_0123456789abcdef'
    ]]
  ]
  for (const [name, values] of cases) {
    for (const value of values) {
      const found = problems({ [name]: value })
      t.ok(found.length === 1 && found[0]?.startsWith(name), `${name}=${value}: ${found.join('; ')}`)
    }
  }
})

test('all that is wrong is said at once, one line each', async t => {
  const found = problems({ HOST: '0.0.0.0', PORT: 'x', LOG_LEVEL: 'y', DATABASE_URL: 'z', REDIS_URL: 'z', MIRROR_MAX_AGE_MS: '-1' })
  t.strictSame(found.map(line => line.split(' ')[0]).sort(), ['DATABASE_URL', 'HOST', 'LOG_LEVEL', 'MIRROR_MAX_AGE_MS', 'PORT', 'REDIS_URL'])
  t.ok(found.every(line => !line.includes('\n')))
})

test('a secret is never repeated', async t => {
  const found = problems({
    TOLLGATE_ADMIN_KEY: 'prv_live_hunter2',
    DATABASE_URL: 'mysql://user:hunter2@h/d',
    REDIS_URL: 'redis://:hunter2@h,http://:hunter2@h'
  })
  t.equal(found.length, 3)
  t.notMatch(found.join('\n'), 'hunter2')
})
