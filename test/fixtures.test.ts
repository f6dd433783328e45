import t, { type Test } from 'tap'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { privatePostgres, postgresProgramsMissing } from './fixtures/postgres.ts'
import { serve } from './fixtures/process.ts'
import { tcpProxy } from './fixtures/proxy.ts'
import { privateRedis, redisProgramMissing } from './fixtures/redis.ts'
import { filesUnderWay, finish, take } from './fixtures/taken-files.ts'
import { readTap } from './fixtures/tap-output.ts'

const STAND_IN = `
import { createServer } from 'node:http'
if (process.env.BROKEN) { console.error('bad setting'); process.exit(2) }
const server = createServer((request, response) => response.end(JSON.stringify(process.env)))
server.listen(process.env.PORT, '127.0.0.1', () => console.log(JSON.stringify({ msg: 'listening on http://127.0.0.1:' + process.env.PORT })))
process.on('SIGTERM', () => server.close(() => process.exit(0)))
`

/** Answers each chunk with itself in upper case, and remembers what arrived. */
async function echoServer (t: Test): Promise<{ port: number, arrived: string[] }> {
  const arrived: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', chunk => {
      arrived.push(`${chunk}`)
      socket.write(`${chunk}`.toUpperCase())
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    sockets.forEach(socket => socket.destroy())
  })
  return { port: (server.address() as { port: number }).port, arrived }
}

/** What comes back for one message: the answer, or how the connection ended. */
function ask (port: number, message: string): Promise<string> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(message))
    socket.once('data', chunk => {
      resolve(`${chunk}`)
      socket.destroy()
    })
    socket.once('error', error => resolve((error as NodeJS.ErrnoException).code ?? 'error'))
    socket.once('close', () => resolve('closed'))
  })
}

t.test('the proxy fails as it is told', async t => {
  const server = await echoServer(t)
  const proxy = await tcpProxy(t, server.port)
  t.equal(await ask(proxy.port, 'a'), 'A')
  t.equal(proxy.url('postgres://me@127.0.0.1:1/name?x=1'), `postgres://me@127.0.0.1:${proxy.port}/name?x=1`)

  const dropped = proxy.dropAnswers({ when: request => request.includes('commit'), quietMs: 20, times: 1 })
  t.equal(await ask(proxy.port, 'begin'), 'BEGIN', 'a request that is not meant is answered')
  t.equal(await ask(proxy.port, 'commit'), 'closed')
  await dropped
  t.equal(server.arrived.at(-1), 'commit', 'the request had arrived')
  t.equal(await ask(proxy.port, 'commit'), 'COMMIT', 'once was enough')

  proxy.delay(60)
  const before = performance.now()
  t.equal(await ask(proxy.port, 'b'), 'B')
  t.ok(performance.now() - before >= 55, 'the answer was late')

  proxy.delay(10_000)
  const waiting = ask(proxy.port, 'c')
  await sleep(30)
  proxy.cut()
  t.equal(await waiting, 'closed')

  proxy.refuse()
  t.equal(await ask(proxy.port, 'd'), 'ECONNREFUSED')
  await proxy.pass()
  t.equal(await ask(proxy.port, 'e'), 'E')
})

t.test('serve runs an entry with the given environment only', async t => {
  const entry = `${t.testdir({ 'entry.mjs': STAND_IN })}/entry.mjs`
  const service = await serve(t, { entry, env: { COLOUR: 'green' } })
  const environment = await (await fetch(service.url)).json() as Record<string, string>
  t.strictSame(Object.keys(environment).filter(name => !name.startsWith('__')).sort(), ['COLOUR', 'HOME', 'LC_ALL', 'PATH', 'PORT'])
  t.match(service.output(), 'listening on')
  t.strictSame(await service.kill('SIGTERM'), { code: 0, signal: null })
  await t.rejects(serve(t, { entry, env: { BROKEN: '1' } }), /ended too early \(2\)[^]*bad setting/)
})

t.test('an answer that was dropped was still committed, and a server comes back', { skip: postgresProgramsMissing }, async t => {
  const server = await privatePostgres(t)
  const proxy = await tcpProxy(t, server.port)
  const direct = postgres(server.url, { max: 1, onnotice: () => {} })
  const proxied = postgres(proxy.url(server.url), { max: 1 })
  t.teardown(() => Promise.all([direct.end({ timeout: 1 }), proxied.end({ timeout: 1 })]))
  await direct`create table notes (note text)`
  await proxied`select 1`
  const dropped = proxy.dropAnswers({ when: request => request.includes('insert'), times: 1 })
  await t.rejects(proxied`insert into notes values ('kept')`)
  await dropped
  t.match(await direct`select note from notes`, [{ note: 'kept' }])

  server.pause()
  const answer = direct`select 1 as one`.then(rows => rows.length)
  t.equal(await Promise.race([answer, sleep(200, 'silent')]), 'silent', 'no process of the server answers')
  server.resume()
  t.equal(await answer, 1)

  await server.stop('immediate')
  await t.rejects(direct`select 1`)
  await server.start()
  t.match(await direct`select note from notes`, [{ note: 'kept' }])
})

t.test('a Redis that is killed comes back with what it had written', { skip: redisProgramMissing }, async t => {
  const server = await privateRedis(t, { args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  const redis = new Redis(server.url, { retryStrategy: () => 20 })
  redis.on('error', () => {})
  t.teardown(() => redis.disconnect())
  await redis.set('key', 'value')
  const { pid } = server
  await server.kill()
  await server.start()
  t.not(server.pid, pid)
  t.equal(await redis.get('key'), 'value')
})

t.test('of those who would take a file one does', async t => {
  const folder = t.testdir()
  t.equal(take(folder, 'test/a.test.ts'), true)
  t.equal(take(folder, 'test/a.test.ts'), false)
  t.equal(take(folder, 'test/b.test.ts'), true)
  t.strictSame(filesUnderWay(folder), ['test/a.test.ts', 'test/b.test.ts'])
  finish(folder, 'test/a.test.ts')
  t.equal(take(folder, 'test/a.test.ts'), false, 'once for all')
  t.strictSame(filesUnderWay(folder), ['test/b.test.ts'])
})

t.test('output of tap says what became of each file, and is not complete when it breaks off', async t => {
  const read = (text: string) => {
    const written: string[] = []
    const reader = readTap(line => written.push(line))
    text.split('\n').forEach(reader.line)
    return { written, ...reader.result() }
  }
  const whole = `1..1
# Files: a.test.ts b.test.ts
# Subtest: process 1
    # Subtest: a.test.ts
        ok 1 - fine
        ok 2 - not now # SKIP no server
        1..2
    ok 1 - a.test.ts # time=7.2ms
    # Subtest: b.test.ts
        ok 1 - fine
        1..1
    ok 2 - b.test.ts # time=1.4ms
    1..2
ok 1 - process 1 # time=300.1ms
`
  const summary = '# { total: 3, pass: 2, skip: 1 }\n'
  t.match(read(whole + summary), { written: ['ok   a.test.ts (7 ms)', 'ok   b.test.ts (1 ms)'], passed: 2, failed: 0, skipped: 1, complete: true })
  t.strictSame([...read(whole).reasons], [['no server', 1]])
  t.match(read(whole), { complete: false }, 'without the count')
  t.match(read(`${whole}${summary}`.replace('1..1', '1..2')), { complete: false }, 'without a process')
  t.match(read(`${whole}${summary}`.replace(/ {4}ok 2 - b.*\n/, '').replace(/\nok (.*)/, '\nnot ok $1\n  ---\n  signal: SIGKILL\n  ...')), {
    complete: false, written: ['ok   a.test.ts (7 ms)', '  signal: SIGKILL', 'FAIL b.test.ts']
  }, 'without a file')
  t.match(read(`1..1
# Files: a.test.ts b.test.ts
not ok 1 - timeout!
  ---
  expired: process 1
  ...
# Under way: b.test.ts
# { total: 1, pass: 0, fail: 1 }
`), { complete: false, written: ['  expired: process 1', '# Under way: b.test.ts', 'FAIL a.test.ts', 'FAIL b.test.ts'] }, 'a process that did not answer')
  const failing = `# Files: a.test.ts b.test.ts
# Subtest: process 1
    # Subtest: a.test.ts
        # Subtest: b
            not ok 1 - sum
        not ok 1 - b
    not ok 1 - a.test.ts
      ---
      at: here
      ...
    not ok 2 - late
      ---
      at: there
      ...
not ok 1 - process 1
  ---
  exitCode: 1
  ...
`
  const written = ['FAIL a.test.ts', '        # Subtest: b', '            not ok 1 - sum', '    not ok 2 - late', '      ---', '      at: there', '      ...']
  t.strictSame(read(failing).written, written, 'of a process that failed with a test the code is not worth a line')
  t.strictSame(read(`${failing}# Subtest: process 2
    # Subtest: b.test.ts
not ok 2 - process 2
  ---
  exitCode: 7
  ...
`).written, [...written, '  exitCode: 7'], 'of one without a failed test it is all there is')
  t.strictSame(read(failing.replace('exitCode: 1', 'signal: SIGKILL')).written, [...written, '  signal: SIGKILL'], 'and of one that was killed afterwards')
})
