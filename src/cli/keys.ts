import { command, Failure, type Terminal, wholeOption } from './command.ts'
import { duration, json as jsonText, plain, table } from './output.ts'
import type { Service } from './service.ts'

/** What is shown of `GET /v1/keys`. Times are RFC 3339. */
interface Key {
  readonly id: string
  readonly environment: string
  readonly kind: string
  readonly scopes: readonly string[]
  readonly name: string
  readonly prefix: string
  readonly lastUsedAt: string | null
  readonly expiresAt: string | null
  readonly revokedAt: string | null
  readonly rotatedTo: string | null
}

type MadeKey = Key & { readonly key: string }

const PAGE_KEYS = 100
const PAGES_MAX = 100
const OVERLAP_SECONDS = { standard: 86_400, min: 0, max: 2_592_000 }

export const keysCreate = command({
  name: 'keys create',
  summary: 'make an API key, and show it this once',
  details: 'The key alone goes to stdout, so that a script can keep it; what else there is to say goes to stderr.',
  options: {
    name: { value: 'text', help: 'for people: who uses it' },
    scopes: { value: 'list', help: 'some of admin, write, read, with commas (default write,read)' },
    kind: { value: 'kind', help: 'private, or public: for the client API and nothing else (default private)' },
    expires: { value: 'time', help: 'refused from then on: RFC 3339, such as 2027-01-31T12:00:00Z (default never)' }
  },
  remote: true,
  examples: ['tollgate keys create --name "billing worker" --scopes write,read'],
  run: async ({ options: { name, scopes, kind, expires }, json, terminal, connect }) => {
    const service = await connect()
    const wanted = {
      ...(kind !== undefined && { kind }),
      ...(scopes !== undefined && { scopes: scopes.split(',').map(scope => scope.trim()) }),
      ...(name !== undefined && { name }),
      ...(expires !== undefined && { expiresAt: expires })
    }
    showMade(await service.call('POST', '/v1/keys', wanted) as MadeKey, json, terminal)
  }
})

export const keysList = command({
  name: 'keys list',
  summary: 'the API keys of the environment, newest first',
  options: {},
  remote: true,
  examples: ['tollgate keys list', 'tollgate keys list --json'],
  run: async ({ json, terminal: { stdout }, connect }) => {
    const keys = await everyKey(await connect())
    if (json) stdout.write(jsonText({ keys }))
    else if (keys.length === 0) stdout.write('no keys\n')
    else stdout.write(table(['ID', 'KEY', 'MAY', 'STATE', 'LAST USED', 'NAME'], keys.map(key => rowOf(key, Date.now()))))
  }
})

export const keysRotate = command({
  name: 'keys rotate',
  summary: 'replace an API key by a new one, while the old one still counts',
  args: ['<id>'],
  options: { overlap: { value: 'seconds', help: 'how long the old key still counts, up to 30 days (default 86400, a day)' } },
  remote: true,
  examples: ['tollgate keys rotate 01935f1c-6c5e-7d10-a3c2-b1f3f2a7c001 --overlap 3600'],
  run: async ({ options: { overlap }, args: [id = ''], json, terminal, connect }) => {
    const overlapSeconds = wholeOption('overlap', overlap, OVERLAP_SECONDS)
    const service = await connect()
    showMade(await service.call('POST', `${pathOf(id)}/rotate`, { overlapSeconds }) as MadeKey, json, terminal)
    if (!json) terminal.stderr.write(`tollgate: the old key still counts for ${duration(overlapSeconds)}\n`)
  }
})

export const keysRevoke = command({
  name: 'keys revoke',
  summary: 'refuse an API key from now on',
  args: ['<id>'],
  options: {},
  remote: true,
  examples: ['tollgate keys revoke 01935f1c-6c5e-7d10-a3c2-b1f3f2a7c001'],
  run: async ({ args: [id = ''], json, terminal: { stdout }, connect }) => {
    const service = await connect()
    const key = await service.call('POST', `${pathOf(id)}/revoke`) as Key
    stdout.write(json ? jsonText(key) : `${plain(nameOf(key))} is refused from now on, everywhere within 5 seconds\n`)
  }
})

function pathOf (id: string): string {
  return `/v1/keys/${encodeURIComponent(id)}`
}

async function everyKey (service: Service): Promise<Key[]> {
  const keys: Key[] = []
  let cursor: string | null = null
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = new URLSearchParams({ limit: String(PAGE_KEYS), ...(cursor !== null && { cursor }) })
    const answer = await service.call('GET', `/v1/keys?${query}`) as { keys: Key[], nextCursor: string | null }
    keys.push(...answer.keys)
    if (answer.nextCursor === null) return keys
    cursor = answer.nextCursor
  }
  throw new Failure(`there are more than ${PAGE_KEYS * PAGES_MAX} keys`)
}

/** The key itself goes where a script can take it: `key=$(tollgate keys create)`. */
function showMade (made: MadeKey, json: boolean, { stdout, stderr }: Terminal): void {
  stdout.write(json ? jsonText(made) : `${made.key}\n`)
  if (!json) stderr.write(`tollgate: ${plain(nameOf(made))}, of environment ${made.environment}: keep it, it is shown this once\n`)
}

function nameOf ({ id, name }: Key): string {
  return name === '' ? `key ${id}` : `key ${id} (${name})`
}

function rowOf (key: Key, now: number): string[] {
  const { id, prefix, kind, scopes, lastUsedAt, name } = key
  const may = kind === 'public' ? 'client API' : scopes.join(',')
  return [id, `${prefix}...`, may, stateOf(key, now), lastUsedAt === null ? 'never' : minuteOf(lastUsedAt), name]
}

function stateOf ({ revokedAt, expiresAt, rotatedTo }: Key, now: number): string {
  if (revokedAt !== null) return 'revoked'
  if (expiresAt === null) return 'good'
  if (Date.parse(expiresAt) <= now) return rotatedTo === null ? 'expired' : 'replaced'
  return `${rotatedTo === null ? 'good' : 'replaced'} until ${minuteOf(expiresAt)}`
}

/** `2026-01-31 12:00`, of an instant in UTC. */
function minuteOf (time: string): string {
  return time.slice(0, 16).replace('T', ' ')
}
