import { execFileSync } from 'node:child_process'
import { cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { inScope, type Scope } from '../test/fixtures/guard.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))

/** @throws if it is set to something else than a number above 0 */
export function setting (name: string, standard: number): number {
  const value = Number(process.env[name] ?? standard)
  if (!(value > 0)) throw new Error(`${name} must be a number above 0`)
  return value
}

export function tell (text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Of what is built, and of where it runs. */
export interface Facts {
  readonly commit: string
  readonly machine: string
}

/** Builds the service, and ends what the work has started, however it ends; then the process. */
export function runMain (work: (scope: Scope, facts: Facts) => Promise<void>): void {
  async function main (): Promise<void> {
    const facts = { commit: commit(), machine: machine() }
    tell('building')
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' })
    await inScope(async scope => await work(scope, facts))
  }

  main().then(() => process.exit(0), error => {
    console.error(error)
    process.exit(1)
  })
}

function commit (): string {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim()
  const changed = git('status', '--porcelain', '--', 'src', 'migrations', 'package-lock.json') !== ''
  return git('rev-parse', '--short', 'HEAD') + (changed ? ' with changes' : '')
}

function machine (): string {
  const [cpu] = cpus()
  return `${cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), load average ${(loadavg()[0] as number).toFixed(1)} at the start, ` +
    `Node ${process.versions.node}`
}
