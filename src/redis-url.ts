/** Where Redis is, as `REDIS_URL` says it. */
export type RedisAddress =
  | { readonly kind: 'server', readonly url: string }
  | { readonly kind: 'cluster', readonly nodes: readonly RedisHost[], readonly access: RedisAccess }
  | {
    readonly kind: 'sentinel'
    readonly sentinels: readonly RedisHost[]
    /** What the sentinels call it. */
    readonly name: string
    readonly database: number
    /** To the servers. */
    readonly access: RedisAccess
    readonly sentinelAccess: RedisAccess
  }

export interface RedisHost {
  readonly host: string
  readonly port: number
}

export interface RedisAccess {
  readonly username: string | undefined
  readonly password: string | undefined
  readonly tls: boolean
}

const REDIS_PORT = 6379
const SENTINEL_PORT = 26379
const SENTINEL = /^redis(s?)\+sentinel:\/\/(?:([^@/?]*)@)?([^@/?]+)\/([^/?#]+)(?:\?([^#]*))?$/
const SENTINEL_PARAMETERS = ['sentinelUsername', 'sentinelPassword', 'db']

/**
 * `redis://` or `rediss://` is a server; a comma-separated list of them a cluster, whose nodes all have the first one's user,
 * password and scheme; `redis+sentinel://user:password@host:port,host:port/name` is what these sentinels watch by that name.
 * Users and passwords are percent-encoded. @returns undefined if it is none of them
 */
export function parseRedisUrl (text: string): RedisAddress | undefined {
  try {
    return text.includes('+sentinel://') ? sentinelOf(text) : serversOf(text)
  } catch {
    return undefined
  }
}

/** @throws TypeError or URIError */
function serversOf (text: string): RedisAddress | undefined {
  // A comma elsewhere may be part of a password.
  const urls = text.split(/,(?=\s*rediss?:\/\/)/).map(part => new URL(part.trim()))
  const [first] = urls
  if (first === undefined || !/^rediss?:$/.test(first.protocol)) return undefined
  if (!urls.every(url => isHost(url.host) && url.protocol === first.protocol)) return undefined
  if (urls.length === 1) return { kind: 'server', url: text.trim() }
  const access = accessOf(first.username, first.password, first.protocol === 'rediss:')
  return { kind: 'cluster', nodes: urls.map(url => hostOf(url.host, REDIS_PORT)), access }
}

/** @throws TypeError or URIError */
function sentinelOf (text: string): RedisAddress | undefined {
  const match = SENTINEL.exec(text.trim())
  if (match === null) return undefined
  const [, s, credentials = '', hosts = '', name = '', query] = match
  const parameters = new URLSearchParams(query)
  const database = parameters.get('db') ?? '0'
  if (![...parameters.keys()].every(key => SENTINEL_PARAMETERS.includes(key)) || !/^\d{1,4}$/.test(database)) return undefined
  const each = hosts.split(',')
  if (!each.every(isHost)) return undefined
  const [username = '', ...password] = credentials.split(':')
  return {
    kind: 'sentinel',
    sentinels: each.map(host => hostOf(host, SENTINEL_PORT)),
    name: decodeURIComponent(name),
    database: Number(database),
    access: accessOf(username, password.join(':'), s === 's'),
    sentinelAccess: {
      username: parameters.get('sentinelUsername') ?? undefined,
      password: parameters.get('sentinelPassword') ?? undefined,
      tls: s === 's'
    }
  }
}

function accessOf (username: string, password: string, tls: boolean): RedisAccess {
  return { username: decodeURIComponent(username) || undefined, password: decodeURIComponent(password) || undefined, tls }
}

/** Of a URL: `host`, `host:port` or `[address]:port`. */
function isHost (host: string): boolean {
  return /^[^,\s]+$/.test(host) && URL.canParse(`redis://${host}`)
}

function hostOf (host: string, standardPort: number): RedisHost {
  const { hostname, port } = new URL(`redis://${host}`)
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? standardPort : Number(port) }
}
