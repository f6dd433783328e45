import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Scope } from '../test/fixtures/guard.ts'
import { startGenerator } from './generator.ts'
import { measure, type Measured, type Pace } from './lines.ts'
import { ORGS } from './load.ts'
import { type Servers, startServers } from './servers.ts'
import { countsTable, figuresTable, ratiosOf, ratiosTable } from './table.ts'
import { countAll, isExact, prepare } from './usage.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const README = new URL('README.md', import.meta.url)
const MARKED = /(<!-- table -->\n)[^]*(<!-- \/table -->)/

const pace: Pace = { rounds: setting('BENCH_ROUNDS', 5), seconds: setting('BENCH_SECONDS', 4), warmupSeconds: setting('BENCH_WARMUP', 1) }

function setting (name: string, standard: number): number {
  const value = Number(process.env[name] ?? standard)
  if (!(value > 0)) throw new Error(`${name} must be a number above 0`)
  return value
}

function tell (text: string): void {
  process.stderr.write(`${text}\n`)
}

async function main (): Promise<void> {
  tell('building')
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' })
  const teardowns: Array<() => unknown> = []
  try {
    await bench({ teardown: stop => teardowns.push(stop) })
  } finally {
    for (const stop of teardowns.reverse()) await stop()
  }
}

async function bench (scope: Scope): Promise<void> {
  tell('starting PostgreSQL, Redis and the servers')
  const facts = { commit: commit(), load: (loadavg()[0] as number).toFixed(1) }
  const servers = await startServers(scope)
  const first = { embedded: await prepare(servers.embedded), servers: await prepare(servers.replicas[0]) }
  const measured = await measure(servers, startGenerator(scope), pace, tell)
  const reported = (...sides: string[]): number => measured
    .filter(({ call, side }) => call === 'report' && sides.includes(side))
    .reduce((sum, { rounds }) => rounds.reduce((sum, { answers }) => sum + answers, sum), 0)
  const counts = await countAll(servers, {
    embedded: first.embedded + reported('embedded'), servers: first.servers + reported('servers', 'replicas'), hand: reported('hand')
  })
  const ratios = ratiosOf(measured)
  const text = [setup(servers, facts, measured), figuresTable(measured), ratiosTable(ratios), countsTable(counts)].join('\n\n')
  console.log(text)
  const short = ratios.filter(({ holds }) => !holds)
  console.log(short.length === 0 ? '\nEvery ratio holds.' : `\n${short.length} of ${ratios.length} ratios FALL SHORT; see ✗ above.`)
  if (!counts.every(isExact)) throw new Error('what was counted is not what was answered')
  if (process.argv.includes('--write')) write(text)
}

interface Facts { readonly commit: string, readonly load: string }

function setup ({ postgresVersion, redisVersion }: Servers, { commit, load }: Facts, measured: readonly Measured[]): string {
  const [cpu] = cpus()
  return `${new Date().toISOString().slice(0, 10)}, commit ${commit}. ${cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), ` +
    `load average ${load} at the start, Node ${process.versions.node}, PostgreSQL ${postgresVersion}, Redis ${redisVersion}. ` +
    `Median of ${pace.rounds} interleaved rounds of ${measured.length} lines, ${pace.seconds} s each after ${pace.warmupSeconds} s to warm up; ` +
    `${ORGS.toLocaleString('en-US')} orgs.`
}

function commit (): string {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim()
  const changed = git('status', '--porcelain', '--', 'src', 'migrations', 'package-lock.json') !== ''
  return git('rev-parse', '--short', 'HEAD') + (changed ? ' with changes' : '')
}

function write (text: string): void {
  const page = readFileSync(README, 'utf8')
  if (!MARKED.test(page)) throw new Error('bench/README.md has lost its markers')
  writeFileSync(README, page.replace(MARKED, (_all, open: string, close: string) => `${open}\n${text}\n\n${close}`))
}

main().then(() => process.exit(0), error => {
  console.error(error)
  process.exit(1)
})
