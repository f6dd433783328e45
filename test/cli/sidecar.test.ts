import { chmodSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { emptyLedger, folderOf } from '../e2e/embedded.ts'
import { freePort } from '../fixtures/ports.ts'
import { until } from '../storage/until.ts'
import { runTool, scriptText, ourCommand, startTool, TIER, type Tool, type ToolOptions } from './tool.ts'

const WITHIN_MS = 60_000
const PROGRAM = ourCommand('test/tier/sidecar-program.ts')
/** What a program may have set for itself, and what a service would take for its own. */
const ITS_OWN = {
  DATABASE_URL: 'postgres://nobody@127.0.0.1:1/app',
  REDIS_URL: 'redis://127.0.0.1:1',
  HOST: '0.0.0.0',
  PORT: 'http',
  LOG_LEVEL: 'verbose',
  TOLLGATE_ADMIN_KEY: 'prv_live_0123456789abcdef'
}

interface Project {
  readonly cwd: string
  readonly options: ToolOptions
  /** Of the sidecar that was started last. */
  sidecar (): { readonly pid: number, readonly args: string }
}

/** A folder, with `tier` on the PATH, which notes how it was called, and an empty ledger in ./data, as it takes seconds to make. */
async function project (t: Test, env: Record<string, string> = {}, data?: string | null): Promise<Project> {
  const [cwd, bin] = [folderOf(t), folderOf(t)]
  if (data !== null) symlinkSync(data ?? await emptyLedger(t), join(cwd, 'data'))
  writeFileSync(join(bin, 'tier'), scriptText(TIER, 'echo "$$ $*" > sidecar'))
  chmodSync(join(bin, 'tier'), 0o755)
  return {
    cwd,
    options: { cwd, env: { PATH: `${bin}:${process.env.PATH}`, ...env }, command: PROGRAM },
    sidecar: () => {
      const [, pid, args = ''] = /^(\d+) (.*)\n$/.exec(readFileSync(join(cwd, 'sidecar'), 'utf8')) ?? []
      return { pid: Number(pid), args }
    }
  }
}

function isAlive (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const isGone = async (pid: number): Promise<void> => await until('the sidecar is gone', () => !isAlive(pid), WITHIN_MS)
const said = async (tool: Tool): Promise<void> => await until('the program has its answers', () => tool.stdout().includes('}\n'), WITHIN_MS)
const ANSWERS = { before: true, after: false, usage: [{ feature: 'feature:convert', used: 3, limit: 3 }], environment: 'test' }

t.test('6 item 4, sidecar mode: the unmodified SDK works with nothing set, and its sidecar ends with it', async t => {
  const { cwd, options, sidecar } = await project(t, {}, null)
  const program = startTool(t, [], options)
  const { code, stdout, stderr } = await program.ended
  const { pid, args } = sidecar()
  await isGone(pid)
  t.strictSame([code, stderr], [0, ''])
  t.strictSame(JSON.parse(stdout), ANSWERS)
  t.match(args, /^serve --addr 127\.0\.0\.1:1\d{4}$/)
  t.ok(existsSync(join(cwd, 'data', 'ledger')))
})

t.test('with TIER_LIVE and TIER_DEBUG, and amid what the program has set for itself', async t => {
  const { options, sidecar } = await project(t, { TIER_LIVE: '1', TIER_DEBUG: '1', ...ITS_OWN })
  const { code, stdout, stderr } = await startTool(t, [], options).ended
  await isGone(sidecar().pid)
  t.equal(code, 0)
  // The SDK's own lines come before.
  t.strictSame(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''), { ...ANSWERS, environment: 'live' })
  t.match(sidecar().args, /^--live -v serve --addr 127\.0\.0\.1:\d+$/)
  t.match(stderr, '"msg":"Tollgate listening on http://127.0.0.1:', '-v shows log lines, where the program shows its errors')
})

t.test('killed without a word, a program leaves nobody on the folder, and one that follows at once gets it', async t => {
  const { options, sidecar } = await project(t)
  const first = startTool(t, ['--stay'], options)
  await said(first)
  const { pid } = sidecar()
  t.ok(isAlive(pid))
  await first.kill('SIGKILL')
  const second = await startTool(t, [], options).ended
  t.match(second, { code: 0, stderr: '' })
  t.match(JSON.parse(second.stdout), { before: false, usage: [{ used: 6 }] }, 'it goes on where the first one was')
  t.notOk(isAlive(pid))
  await isGone(sidecar().pid)
})

t.test('stdout says one line, once it listens', async t => {
  const { cwd, options: { env = {} } } = await project(t)
  const port = await freePort()
  const tool = startTool(t, ['serve', '--addr', `127.0.0.1:${port}`], { cwd, env, command: TIER })
  await until('it says something', () => tool.stdout() !== '', WITHIN_MS)
  t.equal((await fetch(`http://127.0.0.1:${port}/readyz`)).status, 200)
  await fetch(`http://127.0.0.1:${port}/v1/limits?org=org:nobody`)
  t.match(await tool.kill('SIGTERM'), { code: 0, stdout: `listening on 127.0.0.1:${port}\n`, stderr: '' })
})

t.test('what keeps it from serving is said on stderr, and stdout stays silent', async t => {
  const { cwd } = await project(t)
  const holder = startTool(t, ['serve', '--addr', `127.0.0.1:${await freePort()}`], { cwd, command: TIER })
  await until('the folder is taken', () => holder.stdout() !== '', WITHIN_MS)
  const cases: Array<[words: string[], code: number, stderr: RegExp]> = [
    [['serve', '--addr', `127.0.0.1:${await freePort()}`], 2, /^tollgate: .*in use by another Tollgate process.*\n$/],
    [['serve', '--addr', '0.0.0.0:8080'], 2, /^tollgate: tier serves this machine only, .*\ntollgate: for help: tier help serve\n$/],
    [['--live', 'ls'], 2, /^tollgate: --live is for serve: elsewhere the key says which environment\n/],
    [['frobnicate'], 2, /^tollgate: there is no command "frobnicate"\n/]
  ]
  await Promise.all(cases.map(async ([words, code, stderr]) => t.match(await runTool(t, words, { cwd, command: TIER }), { code, stdout: '', stderr })))
  await holder.kill('SIGTERM')
})

t.test('tier is tollgate for everything else', async t => {
  const run = async (...words: string[]) => await runTool(t, words, { command: TIER })
  t.match(await run('-v'), { code: 0, stdout: /^tollgate \d/ })
  t.match(await run('help', 'serve'), { code: 0, stdout: /^tier serve \[options\]\n/ })
  t.match(await run('help', 'push'), { code: 0, stdout: /^tollgate push / })
  t.match(await run('limits', 'org:a', '--url', 'http://127.0.0.1:1'), { code: 1, stderr: /^tollgate: cannot reach/ })
})
