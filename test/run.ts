/**
 * `npm test`: compiles, starts one PostgreSQL for all test files, runs them, stops everything, and says what was counted.
 * `npm test -- test/domain/amount.test.ts` runs that file. Redis is started by each test file that wants one.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { compile } from './compile.ts'
import { type Exit, exitOf, runChild } from './fixtures/child.ts'
import { guard, runFolder, temporaryFolder } from './fixtures/guard.ts'
import { WASM_FOR_SHORT_LIVES } from './fixtures/node.ts'
import { dropDatabases, makeCluster, postgresProgramsMissing, startPostgres } from './fixtures/postgres.ts'
import { isHidden } from './fixtures/programs.ts'
import { redisMissing, redisProgramMissing } from './fixtures/redis.ts'
import { readTap, type TapResult } from './fixtures/tap-output.ts'

/** A run takes a quarter of it on two quiet cores; this ends one that hangs. */
const RUN_TIMEOUT_MS = 1_500_000
/** tap needs a moment to say which files it did not finish. */
const KILL_GRACE_MS = 5_000

/** To be run; none: all. */
const FILES = process.argv.slice(2)
/** A file, and where in it. */
const COMPILED_CODE = /\b((?:src|test)\/[\w/.-]+)\.js(:\d|$)/g
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TAP = fileURLToPath(new URL('../node_modules/.bin/tap', import.meta.url))
const TAP_CLASS = new URL('../node_modules/@tapjs/test/test-built/dist/esm/index.js', import.meta.url)

let tap: ChildProcess | undefined
let stoppedBecause: string | undefined
let exitCodeOfSignal: number | undefined

const print = (line: string) => process.stdout.write(`${line}\n`)

async function main (): Promise<number> {
  const deadline = setTimeout(() => stop(`it took longer than ${RUN_TIMEOUT_MS / 1000} seconds`, 'SIGTERM'), RUN_TIMEOUT_MS)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => onSignal(signal))
  const { TEST_DATABASE_URL: given } = process.env
  const folder = runFolder()
  process.env.TEST_TEMPLATE_FOLDER = temporaryFolder('template')
  const compiled = compiledFolder()
  const compiledGuard = guard('KILL', compiled)
  const databasePrefix = `test_${randomBytes(4).toString('hex')}_`
  process.env.TEST_DATABASE_PREFIX = databasePrefix
  const making = given === undefined && postgresProgramsMissing === false ? makeCluster() : undefined
  const starting = making?.then(async () => await startPostgres())
  try {
    // The server starts meanwhile, and is looked at when it is there.
    const [own] = await Promise.all([starting, compileAll(compiled)])
    const url = isHidden('postgres') ? undefined : given ?? own?.server.url
    const template = FILES.length === 0 ? await prepareForMany(compiled, url) : undefined
    const env = {
      TEST_ROOT: ROOT,
      ...(url !== undefined && { TEST_DATABASE_URL: url }),
      ...(template !== undefined && { TEST_LEDGER_DATABASE: template })
    }
    const { exit, result } = await runTap(compiled, env)
    return report(exit, result, missingParts(url))
  } finally {
    clearTimeout(deadline)
    // That it did not start was said.
    const own = await starting?.catch(() => undefined)
    await own?.release()
    const cluster = await making?.catch(() => undefined)
    await cluster?.release()
    await folder.release()
    await compiledGuard.release()
    // Our own server has gone with all that was on it.
    if (given !== undefined && !isHidden('postgres')) await dropDatabases(given, databasePrefix)
  }
}

async function compileAll (folder: string): Promise<void> {
  await buildTap()
  compile(ROOT, folder)
}

/** It pays in a run that starts a hundred processes; whoever names a file would wait for it, and for the packages it needs. */
async function prepareForMany (compiled: string, databaseUrl: string | undefined): Promise<string | undefined> {
  for (const flag of WASM_FOR_SHORT_LIVES) setFlagsFromString(flag)
  const { makeEmptyLedger, makeLedgerDatabase } = await import('./fixtures/ledger-template.ts')
  const { bundlePackages } = await import('./bundle.ts')
  const template = databaseUrl === undefined ? undefined : makeLedgerDatabase(databaseUrl)
  await Promise.all([template, bundlePackages(compiled), makeEmptyLedger()])
  return await template
}

/** tap keeps a class composed of its plugins, and uses the old one during the run that finds it stale. */
async function buildTap (): Promise<void> {
  if (readFileSync(TAP_CLASS, 'utf8').includes('@tapjs/typescript')) await runChild(process.execPath, [TAP, 'build'], { cwd: ROOT })
}

/** Inside the project, for its packages; each run has one of its own. */
function compiledFolder (): string {
  const parent = join(ROOT, '.tap')
  mkdirSync(parent, { recursive: true })
  return mkdtempSync(join(parent, 'compiled-'))
}

async function runTap (compiled: string, env: Record<string, string>): Promise<{ exit: Exit, result: TapResult }> {
  const args = [join(compiled, 'test', 'suite.js'), ...FILES]
  // A group of its own, so that what a test leaves behind goes with it; so Ctrl-C has to be passed on.
  const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, ...env }, detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  const group = guard('TERM')
  if (child.pid !== undefined) group.watch(-child.pid)
  tap = child
  const reader = readTap(line => print(sourceOf(line, compiled)))
  createInterface({ input: child.stdout }).on('line', reader.line)
  const exit = await exitOf(child)
  await group.release()
  return { exit, result: reader.result() }
}

/** Where a line names compiled code, the reader wants the source. */
function sourceOf (line: string, compiled: string): string {
  return line.replaceAll(`${compiled}/`, ROOT).replaceAll(`${relative(ROOT, compiled)}/`, '').replaceAll(COMPILED_CODE, '$1.ts$2')
}

function stop (reason: string, signal: NodeJS.Signals): void {
  stoppedBecause ??= reason
  tap?.kill(signal)
  setTimeout(killGroup, KILL_GRACE_MS).unref()
}

function killGroup (): void {
  if (tap?.pid === undefined) return
  // It may have ended in the meantime.
  try { process.kill(-tap.pid, 'SIGKILL') } catch {}
}

function onSignal (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void {
  exitCodeOfSignal = 128 + constants.signals[signal]
  // Nothing to wait for yet: the guards clean up after us.
  if (tap === undefined) process.exit(exitCodeOfSignal)
  stop(`of ${signal}`, signal)
}

function missingParts (databaseUrl: string | undefined): string[] {
  return [
    postgresProgramsMissing && databaseUrl === undefined && `real PostgreSQL (${postgresProgramsMissing}, or set TEST_DATABASE_URL)`,
    postgresProgramsMissing && databaseUrl !== undefined && `faults of PostgreSQL (${postgresProgramsMissing})`,
    redisMissing && `real Redis (${redisMissing}, or set TEST_REDIS_URL)`,
    redisProgramMissing && !redisMissing && `faults of Redis (${redisProgramMissing})`
  ].filter(part => part !== false)
}

/** Says what happened and answers the exit code. The last line is always the count. */
function report (exit: Exit, result: TapResult, missing: string[]): number {
  const { passed, skipped, reasons, complete } = result
  const unexplained = result.failed === 0 && (exit.code !== 0 || !complete)
  const failed = unexplained ? 1 : result.failed
  const incomplete = process.env.TOLLGATE_TEST_REQUIRE_ALL === '1' && (skipped > 0 || missing.length > 0)
  print('')
  for (const [reason, tests] of reasons) print(`skipped: ${tests} ${tests === 1 ? 'test' : 'tests'} (${reason})`)
  for (const part of missing) print(`skipped: ${part}`)
  if (incomplete) print('failed: TOLLGATE_TEST_REQUIRE_ALL is set, and something was skipped')
  if (stoppedBecause !== undefined) print(`failed: the run was stopped because ${stoppedBecause}`)
  else if (unexplained) print(`failed: tap ended with ${exit.signal ?? exit.code}${complete ? '' : ' and its output is not complete'}`)
  print(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  return exitCodeOfSignal ?? (failed > 0 || incomplete ? 1 : 0)
}

process.exitCode = await main()
