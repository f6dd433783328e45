import { existsSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { apiOf } from '../e2e/api.ts'
import { emptyLedger } from '../e2e/embedded.ts'
import { freePort } from '../fixtures/ports.ts'
import { until } from '../storage/until.ts'
import { startTool, type Tool } from './tool.ts'

const WITHIN_MS = 60_000

interface Served {
  readonly tool: Tool
  readonly url: string
  /** Of the process that serves. */
  readonly pid: number
}

async function served (t: Test, folder: string, env: Record<string, string> = {}): Promise<Served> {
  const port = await freePort()
  const tool = startTool(t, ['serve', '--addr', `127.0.0.1:${port}`], { env: { TOLLGATE_DATA_DIR: folder, PORT: '1', ...env } })
  await until('it listens', () => tool.stdout().includes(`listening on http://127.0.0.1:${port},`), WITHIN_MS)
  return { tool, url: `http://127.0.0.1:${port}`, pid: Number(/"pid":(\d+)/.exec(tool.stdout())?.[1]) }
}

function isAlive (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

t.test('it serves with room for what is young, and stops as one program', async t => {
  const { tool, url, pid } = await served(t, await emptyLedger(t))
  t.match(await apiOf(t, url).get('/readyz'), { status: 200 })
  t.not(pid, tool.pid, 'a second process has the flag that the first one lacks')
  if (existsSync('/proc/self/cmdline')) t.match(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), '\u0000--max-semi-space-size=32\u0000')
  t.match(await tool.kill('SIGTERM'), { code: 0, signal: null, stdout: '"msg":"stopped"' })
  t.notOk(isAlive(pid))
})

t.test('killed, it leaves nobody on the folder', async t => {
  const folder = await emptyLedger(t)
  const { tool, pid } = await served(t, folder)
  t.ok(isAlive(pid))
  await tool.kill('SIGKILL')
  await until('the second process is gone', () => !isAlive(pid))
  const again = await served(t, folder)
  t.match(await again.tool.kill('SIGINT'), { code: 0 })
})

t.test('with the flag it is one process, and what keeps it from serving is its end, too', async t => {
  const NODE_OPTIONS = '--max-semi-space-size=16'
  const folder = await emptyLedger(t)
  const { tool, pid } = await served(t, folder, { NODE_OPTIONS })
  t.equal(pid, tool.pid)
  const refused = startTool(t, ['serve'], { env: { TOLLGATE_DATA_DIR: folder } })
  t.match(await refused.ended, { code: 2, stdout: '', stderr: /^tollgate: .*in use by another Tollgate process.*\n$/ })
  t.match(await tool.kill('SIGTERM'), { code: 0 })
})
