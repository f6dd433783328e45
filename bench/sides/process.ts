import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exitOf } from '../../test/fixtures/child.ts'
import { guard, type Scope, temporaryFolder } from '../../test/fixtures/guard.ts'
import { freePort } from '../../test/fixtures/ports.ts'

const ROOT = new URL('../../', import.meta.url)
const TSX = ['--import', import.meta.resolve('tsx')]
const READY_WITHIN_MS = 30_000
const POLL_MS = 50
const STDERR_KEPT = 10_000

export interface Started {
  readonly url: string
  readonly pid: number
}

/** The service as `npm start` runs it; with BENCH_PROFILE it leaves a profile of the processor in that folder. */
export async function startTollgate (scope: Scope, env: Record<string, string>): Promise<Started> {
  const { scripts } = JSON.parse(await readFile(new URL('package.json', ROOT), 'utf8')) as { scripts: { start: string } }
  const [node, ...args] = scripts.start.split(' ')
  if (node !== 'node') throw new Error(`npm start is not a call of node: ${scripts.start}`)
  const profiled = process.env.BENCH_PROFILE === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', resolve(process.env.BENCH_PROFILE)]
  return await start(scope, [...profiled, ...args], env)
}

/** @param file in this folder */
export async function startSide (scope: Scope, file: string, env: Record<string, string> = {}): Promise<string> {
  const { url } = await start(scope, [...TSX, `bench/sides/${file}`], env)
  return url
}

/** Once it answers HTTP. What it logs goes nowhere, so that nobody here has to read it. */
async function start (scope: Scope, args: readonly string[], env: Record<string, string>): Promise<Started> {
  const folder = temporaryFolder('bench')
  const owner = guard('TERM', folder)
  scope.teardown(owner.release)
  const port = await freePort()
  const entry = args.find(arg => /\.[jt]s$/.test(arg)) as string
  const child = spawn(process.execPath, args.map(arg => arg === entry ? fileURLToPath(new URL(entry, ROOT)) : arg), {
    cwd: folder,
    env: { PATH: process.env.PATH, PORT: `${port}`, ...env },
    stdio: ['ignore', 'ignore', 'pipe']
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => { said = (said + chunk).slice(-STDERR_KEPT) })
  if (child.pid !== undefined) owner.watch(child.pid)
  const ended = exitOf(child).then(({ code }) => {
    owner.watch()
    throw new Error(`${entry} ended (${code}): ${said}`)
  })
  ended.catch(() => {})
  const url = `http://127.0.0.1:${port}`
  await Promise.race([ended, answers(url)])
  return { url, pid: child.pid as number }
}

async function answers (url: string): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS
  while (Date.now() < deadline) {
    try {
      await (await fetch(url)).arrayBuffer()
      return
    } catch {
      await new Promise(resolve => setTimeout(resolve, POLL_MS))
    }
  }
  throw new Error(`${url} did not answer within ${READY_WITHIN_MS} ms`)
}
