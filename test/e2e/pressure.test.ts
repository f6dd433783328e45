import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { serve } from '../fixtures/process.ts'
import { until } from '../storage/until.ts'
import { anyLedger } from './embedded.ts'
import { flood, type RawConnection, rawConnection, trickle } from '../fixtures/raw-connection.ts'

const HEADERS_TIMEOUT_MS = 2_000
const REQUEST_TIMEOUT_MS = 3_000
const STALLED_TIMEOUT_MS = 4_000
const CONNECTIONS_MAX = 1_000
/** How often connections are looked at, and what a busy machine may add. */
const SLACK_MS = 6_000
const FILLED_WITHIN_MS = 20_000
const MEGABYTE = 1024 * 1024

/** One that is its own sentence: who connects, what they do, and how the service ends it. */
interface Case {
  readonly reads?: boolean
  readonly act: (connection: RawConnection) => void
  /** Not before. */
  readonly fromMs: number
  readonly answer?: RegExp
}

const head = (path: string, ...headers: string[]): string => [`POST ${path} HTTP/1.1`, 'host: x', 'content-type: application/json', ...headers, '\r\n'].join('\r\n')
const CAN = 'GET /v1/can?org=org:acme HTTP/1.1\r\nhost: x\r\n\r\n'
const DOCUMENT = 'GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n'

/** Who still sends as the connection is closed may lose what came before that: so it is in TCP. */
const UNHEARD_OR_LATE = /^$|^HTTP\/1.1 408 .*"code":"request_timeout"/s

const CASES: Record<string, Case> = {
  'connects and says nothing': { act: () => {}, fromMs: HEADERS_TIMEOUT_MS, answer: /^HTTP\/1.1 408 / },
  'sends its headers byte by byte': {
    act: connection => {
      connection.socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ')
      trickle(connection, 'x', 100)
    },
    fromMs: HEADERS_TIMEOUT_MS,
    answer: UNHEARD_OR_LATE
  },
  'sends its body byte by byte': {
    act: connection => {
      connection.socket.write(head('/v1/report', 'content-length: 60000'))
      trickle(connection, ' ', 100)
    },
    fromMs: REQUEST_TIMEOUT_MS,
    answer: UNHEARD_OR_LATE
  },
  'vanishes in the middle of a body': {
    act: ({ socket }) => socket.write(`${head('/v1/report', 'content-length: 100')}{"org":`), fromMs: REQUEST_TIMEOUT_MS, answer: /^HTTP\/1.1 408 .*"code":"request_timeout"/s
  },
  'vanishes after an answer': {
    act: ({ socket }) => socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'), fromMs: 2_000, answer: /^HTTP\/1.1 200 .*\{"ok":true\}$/s
  },
  'is slow with a second request': {
    act: connection => {
      connection.socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /healthz HTTP/1.1\r\n')
      trickle(connection, 'x', 100)
    },
    fromMs: HEADERS_TIMEOUT_MS,
    answer: /^HTTP\/1.1 200 /
  },
  'goes on with a body that was refused before it came': {
    act: connection => {
      connection.socket.write(head('/v1/report', 'tier-clock: none', 'content-length: 60000'))
      trickle(connection, 'x', 100)
    },
    fromMs: REQUEST_TIMEOUT_MS,
    answer: /^HTTP\/1.1 400 .*"code":"org_not_found"/s
  },
  'asks for much and takes none of it': { reads: false, act: ({ socket }) => socket.write(DOCUMENT.repeat(90)), fromMs: 0 },
  'floods with requests and takes no answer': {
    reads: false, act: connection => { void flood(connection, CAN.repeat(1_000), 100 * MEGABYTE) }, fromMs: 0
  }
}

/** How many connections the system keeps for a process at most; Linux says so. */
const SOMAXCONN = '/proc/sys/net/core/somaxconn'
const AT_ONCE = Math.min(CONNECTIONS_MAX, existsSync(SOMAXCONN) ? Number(readFileSync(SOMAXCONN, 'utf8')) : 100)

const service = await serve(t, { entry: 'test/e2e/impatient.ts', args: [], env: { ...await anyLedger(t), LOG_LEVEL: 'warn' } })

async function metric (name: string): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1])
}

async function nobodyIsLeft (afterMs: number): Promise<void> {
  await until('nobody is left but who asks', async () => await metric('tollgate_http_connections') <= 2, afterMs + SLACK_MS)
}

async function isHealthy (): Promise<boolean> {
  const { status } = await fetch(`${service.url}/v1/whoami`, { headers: { connection: 'close' } })
  return status === 200
}

/** Others are served while `work` is under way: told the longest that one had to wait. */
async function meanwhile (work: Promise<unknown>): Promise<{ answered: number, failed: number, longestMs: number }> {
  const seen = { answered: 0, failed: 0, longestMs: 0 }
  const over = new AbortController()
  const done = work.finally(() => over.abort())
  while (!over.signal.aborted) {
    const startedAt = performance.now()
    const good = await isHealthy().catch(() => false)
    seen.longestMs = Math.max(seen.longestMs, performance.now() - startedAt)
    seen[good ? 'answered' : 'failed'] += 1
  }
  await done
  return seen
}

t.test('whatever a connection does, it ends, and others are served meanwhile', async t => {
  const opened = await Promise.all(Object.entries(CASES).map(async ([name, { reads, act, ...expected }]) => {
    const connection = await rawConnection(t, service.port, reads)
    act(connection)
    return { name, connection, ...expected }
  }))
  const readers = opened.filter(({ name }) => CASES[name]?.reads !== false)
  const seen = await meanwhile(Promise.all(readers.map(async ({ connection }) => await connection.closed)))
  for (const { name, connection, fromMs, answer } of readers) {
    const openMs = await connection.closed
    t.ok(openMs >= fromMs && openMs < REQUEST_TIMEOUT_MS + SLACK_MS, `who ${name}: open for ${Math.round(openMs)} ms`)
    if (answer !== undefined) t.match(connection.answers(), answer, `who ${name} was told`)
  }
  t.ok(seen.answered > 0 && seen.failed === 0 && seen.longestMs < SLACK_MS, JSON.stringify(seen))
  // Those who take nothing do not hear of the end either: it is the service that knows.
  await nobodyIsLeft(STALLED_TIMEOUT_MS)
})

t.test('a body without end is cut where it is too long', async t => {
  for (const [path, bytesMax] of [['/v1/report', 64 * 1024], ['/v1/push', 4 * MEGABYTE]] as const) {
    const connection = await rawConnection(t, service.port)
    connection.socket.write(head(path, 'transfer-encoding: chunked'))
    const bytes = await flood(connection, `10000\r\n${' '.repeat(65_536)}\r\n`, 1024 * MEGABYTE)
    await connection.closed
    // What was taken lies in buffers of the system, on both sides.
    t.ok(bytes < bytesMax + 16 * MEGABYTE, `${path}: ${bytes} bytes were sent`)
    const announced = await rawConnection(t, service.port)
    announced.socket.write(head(path, 'content-length: 1000000000'))
    await announced.closed
    t.match(announced.answers(), /^HTTP\/1.1 413 .*"code":"body_too_large"/s)
  }
})

t.test('of requests that are sent all at once on one connection the first ones are answered, in order, and the rest is told to come back', async t => {
  const connection = await rawConnection(t, service.port)
  connection.socket.write(CAN.repeat(400))
  await connection.closed
  const statuses = [...connection.answers().matchAll(/HTTP\/1.1 (\d+) /g)].map(([, status]) => status)
  t.equal(statuses.findIndex(status => status === '429'), 100)
  t.equal(statuses.length, 101, 'the connection ends with the first refusal')
  t.match(connection.answers(), /connection: close.*"code":"rate_limited"/s)
})

t.test('no flood makes the process grow', async t => {
  const before = await metric('process_resident_memory_bytes')
  const seen = await meanwhile(Promise.all(Array.from({ length: 8 }, async (_, i) => {
    const connection = await rawConnection(t, service.port, false)
    void flood(connection, (i % 2 === 0 ? DOCUMENT : CAN).repeat(1_000), 20 * MEGABYTE)
    await until('it is full', () => connection.socket.writableLength > 0, SLACK_MS).catch(() => {})
    connection.socket.destroy()
  })))
  t.ok(seen.failed === 0 && seen.longestMs < SLACK_MS, JSON.stringify(seen))
  const grownBy = await metric('process_resident_memory_bytes') - before
  // Garbage of the young is let lie up to some 200 MB, as it is started.
  t.ok(grownBy < 400 * MEGABYTE, `${Math.round(grownBy / MEGABYTE)} MB more`)
})

t.test('who comes while the process is busy waits in a queue, a thousand at once', async t => {
  let connected = 0
  process.kill(service.pid, 'SIGSTOP')
  t.teardown(() => process.kill(service.pid, 'SIGCONT'))
  for (let n = 0; n < AT_ONCE; n += 1) void rawConnection(t, service.port).then(() => { connected += 1 })
  await until('all are connected', () => connected === AT_ONCE)
})

t.test('a thousand silent connections and a thousand more that find no place: silent ones end, and others are served again', async t => {
  const opened: RawConnection[] = []
  const refused = (): RawConnection[] => opened.filter(({ socket, answers }) => socket.destroyed && answers() === '')
  await until('every place is taken', async () => {
    opened.push(...await Promise.all(Array.from({ length: CONNECTIONS_MAX }, async () => await rawConnection(t, service.port))))
    return refused().length >= CONNECTIONS_MAX
  }, FILLED_WITHIN_MS)
  // It is the service that knows. Some may wait for ever: where the queue of those to be accepted is full, the kernel forgets a connection
  // of which its other side believes that it is there, until it says something.
  await nobodyIsLeft(HEADERS_TIMEOUT_MS)
  await until('others are served again', isHealthy)
  t.ok(await metric('tollgate_http_connections_refused_total') >= refused().length)
})

t.test('afterwards it stops as always', async t => {
  t.strictSame(await service.kill(), { code: 0, signal: null })
  t.notMatch(service.output(), /"level":[56]0/)
})

t.end()
