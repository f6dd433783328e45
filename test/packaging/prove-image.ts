/**
 * `npm run prove-image`: builds what the Dockerfile says, step by step and without Docker, and uses the result as Docker
 * would: as its own user, on a read-only root, as process 1. Needs Linux, root and the npm registry; takes minutes.
 */
import { equal, match, notEqual, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../fixtures/ports.ts'
import { until } from '../storage/until.ts'
import { build, type Container, exec, run, type Running } from './container.ts'
import { namesInContext, parseDockerfile, type Stage } from './dockerfile.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const START_WITHIN_MS = 60_000
/** The drain's own bound, and time to end. */
const STOP_WITHIN_MS = 35_000
const KEY = 'prv_live_0123456789abcdef0123456789abcdef'
const ORG = { org: 'org:acme', feature: 'feature:calls' }

const TRY_TO_WRITE = 'for f in / /app /app/dist /tmp /usr /etc; do touch $f/x && echo "wrote $f"; done; touch /data/x && rm /data/x'

const print = (line: string) => process.stdout.write(`${line}\n`)
const work = mkdtempSync(join(tmpdir(), 'tollgate-image-'))

async function main (): Promise<void> {
  const stages = parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))
  const [last] = stages.slice(-1) as [Stage]
  const node = nodeOf(last.base)
  const containers = stages.map((_, n): Container => ({ root: join(work, `stage-${n}`), node }))
  const image = containers.at(-1) as Container
  const since = performance.now()
  build(stages, contextFolder(), containers)
  print(`built in ${Math.round((performance.now() - since) / 1000)} s: ${stages.flatMap(({ steps }) => steps).length} steps of ${stages.length} stages`)
  checkContents(image, last)
  await checkRefusal(image, last)
  await checkService(image, last)
}

/** Of the base image's major version, from the npm registry. */
function nodeOf (base: string): string {
  const major = /^node:(\d+)-/.exec(base)?.[1] ?? 'none'
  const name = `node-linux-${process.arch}`
  const folder = join(work, 'node')
  const args = ['install', '--silent', '--no-audit', '--no-fund', '--prefix', folder, `${name}@${major}`]
  equal(spawnSync('npm', args, { stdio: 'inherit' }).status, 0, `npm ${args.join(' ')}`)
  const bin = join(folder, 'node_modules', name, 'bin')
  print(`base ${base}: the programs of this machine, with Node ${spawnSync(join(bin, 'node'), ['--version'], { encoding: 'utf8' }).stdout.trim()}`)
  return bin
}

function contextFolder (): string {
  const context = join(work, 'context')
  mkdirSync(context)
  for (const name of namesInContext(readFileSync(join(ROOT, '.dockerignore'), 'utf8'))) {
    cpSync(join(ROOT, name), join(context, name), { recursive: true })
  }
  return context
}

function checkContents ({ root }: Container, { workdir, user }: Stage): void {
  const app = join(root, workdir)
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, { dev?: boolean }> }
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '')
  const there = packages.filter(([path]) => existsSync(join(app, path)))
  const developers = there.filter(([, { dev }]) => dev === true).map(([path]) => path)
  equal(developers.join(), '', 'packages for developers only')
  const files = filesOf(app)
  equal(files.filter(path => !path.includes('/node_modules/') && path.endsWith('.ts')).join(), '', 'sources')
  match(user, /^[1-9]\d*:[1-9]\d*$/, 'a numeric user who is not root')
  equal(files.filter(path => `${statSync(path).uid}` === user.split(':')[0]).join(), '', 'files that the service owns')
  const bytes = files.reduce((sum, path) => sum + statSync(path).size, 0)
  print(`${there.length} of ${packages.length} packages, ${files.length} files, ${Math.round(bytes / 1e6)} MB; nothing for developers, nothing that the service owns`)
}

async function checkRefusal (image: Container, stage: Stage): Promise<void> {
  const { child, output } = run(image, stage, {})
  const [code] = await once(child, 'close')
  equal(code, 2)
  match(output(), /^tollgate: HOST 0\.0\.0\.0 .*TOLLGATE_ADMIN_KEY/)
  print(`without a key it ends with 2: ${output().trim()}`)
}

async function checkService (image: Container, stage: Stage): Promise<void> {
  const port = await freePort()
  const env = { PORT: `${port}`, TOLLGATE_ADMIN_KEY: KEY }
  const before = fingerprint(image, stage)
  const first = await started(image, stage, env)
  const uids = /^Uid:\s+(.*)$/m.exec(readFileSync(`/proc/${first.pid()}/status`, 'utf8'))?.[1]
  equal(uids, Array.from({ length: 4 }, () => stage.user.split(':')[0]).join('\t'))
  const health = stage.healthcheck?.command ?? []
  equal(exec(first.pid(), stage, health, env).status, 0, 'healthy')
  notEqual(exec(first.pid(), stage, health, { ...env, PORT: `${await freePort()}` }).status, 0, 'nobody there is not healthy')
  const written = exec(first.pid(), stage, ['/bin/sh', '-c', TRY_TO_WRITE], env)
  equal(written.status, 0, written.output)
  ok(!written.output.includes('wrote'), written.output)
  print('it serves as process 1, healthy, on a root that is read-only; the check fails where nobody listens')
  await use(port, 1)
  await stopped(first)
  const second = await started(image, stage, env)
  await use(port, 2)
  await stopped(second)
  equal(fingerprint(image, stage), before, 'nothing was written outside of the volume')
  print('stopped with 0 by its stop signal, twice; the embedded ledger is in the volume, and nothing was written elsewhere')
}

async function started (image: Container, stage: Stage, env: Record<string, string>): Promise<Running> {
  const running = run(image, stage, env)
  const since = performance.now()
  const ready = until('it is ready', async () => (await fetch(`http://127.0.0.1:${env.PORT}/readyz`)).ok, START_WITHIN_MS)
  await ready.catch(error => { throw new Error(`${error.message}. Its output:\n${running.output()}`) })
  print(`ready after ${Math.round(performance.now() - since)} ms`)
  return running
}

async function use (port: number, times: number): Promise<void> {
  const call = async (path: string, body: object): Promise<Record<string, unknown>> => {
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    equal(response.status, 200, path)
    return await response.json() as Record<string, unknown>
  }
  await call('/v1/push', { plans: { 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 1000 }] } } } } })
  await call('/v1/subscribe', { org: ORG.org, phases: [{ features: ['plan:free@0'] }] })
  equal((await call('/v1/report', ORG)).used, times)
}

async function stopped ({ child, pid, output }: Running): Promise<void> {
  const closed = once(child, 'close')
  process.kill(pid(), 'SIGTERM')
  const late = sleep(STOP_WITHIN_MS, 'late' as const, { ref: false })
  const ended = await Promise.race([closed, late])
  ok(ended !== 'late', `not stopped within ${STOP_WITHIN_MS} ms:\n${output()}`)
  equal(ended[0], 0, output())
}

function filesOf (folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
}

/** Every file outside of the volume, and when it was last written. */
function fingerprint ({ root }: Container, { volumes }: Stage): string {
  const outside = filesOf(root).filter(path => !volumes.some(volume => path.startsWith(join(root, volume))))
  return outside.map(path => `${path} ${statSync(path).mtimeMs}`).sort().join('\n')
}

try {
  equal(process.getuid?.(), 0, 'this needs root: it mounts and changes its root folder')
  await main()
  print('the image is as it should be')
} finally {
  rmSync(work, { recursive: true, force: true })
}
