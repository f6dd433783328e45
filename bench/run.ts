import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Scope } from '../test/fixtures/guard.ts'
import { linesNamed } from './lines.ts'
import { startGenerator } from './load/generator.ts'
import { measure, type Measured, type Pace } from './measure.ts'
import { watchMemory } from './memory-watch.ts'
import { type Facts, runMain, setting, tell } from './settings.ts'
import { countsOf, isExact, lookInto } from './sides/counts.ts'
import { prepareLedgers } from './sides/prepared.ts'
import { type Servers, startServers } from './sides/servers.ts'
import { type LedgerName, SIDES } from './sides/sides.ts'
import { countsTable, figuresTable, memoryTable, ratiosOf, ratiosTable } from './table.ts'

const README = new URL('README.md', import.meta.url)
const MARKED = /(<!-- table -->\n)[^]*(<!-- \/table -->)/

const pace: Pace = { rounds: setting('BENCH_ROUNDS', 5), seconds: setting('BENCH_SECONDS', 4), warmupSeconds: setting('BENCH_WARMUP', 1) }
const { values: { only, write } } = parseArgs({ options: { only: { type: 'string' }, write: { type: 'boolean', default: false } } })
if (only !== undefined && write) throw new Error('--write writes the whole table: leave --only away')
const lines = linesNamed(only?.split(','))

async function bench (scope: Scope, facts: Facts): Promise<void> {
  tell('starting PostgreSQL, Redis and the servers')
  const servers = await startServers(scope, new Set(lines.map(({ side }) => side)))
  const generate = startGenerator(scope)
  await prepareLedgers(servers, tell)
  const before = await lookInto(servers)
  const watches = servers.services.map(({ pid }) => watchMemory(pid))
  const measured = await measure(lines, servers, generate, pace, tell)
  for (const watch of watches) watch.stop()
  const counts = countsOf(before, await lookInto(servers), ledger => countedIn(ledger, measured))
  const ratios = ratiosOf(measured)
  const tables = [figuresTable(measured), ratiosTable(ratios), countsTable(counts), memoryTable(servers.services, watches)]
  const text = [setup(servers, facts, measured), ...tables].join('\n\n')
  console.log(text)
  const short = ratios.filter(({ holds }) => !holds)
  console.log(short.length === 0 ? '\nEvery ratio holds.' : `\n${short.length} of ${ratios.length} ratios FALL SHORT; see ✗ above.`)
  if (!counts.every(isExact)) throw new Error('what was counted is not what was answered')
  if (write) writeTables(text)
}

function countedIn (ledger: LedgerName, measured: readonly Measured[]): number {
  return measured.filter(({ side }) => SIDES[side].ledger === ledger)
    .flatMap(({ peak, half }) => [...peak, ...half])
    .reduce((sum, { counted }) => sum + counted, 0)
}

function setup ({ postgresVersion, redisVersion }: Servers, { commit, machine }: Facts, measured: readonly Measured[]): string {
  return `${new Date().toISOString().slice(0, 10)}, commit ${commit}. ${machine}, PostgreSQL ${postgresVersion}, Redis ${redisVersion}. ` +
    `Median of ${pace.rounds} interleaved rounds of ${measured.length} lines, ${pace.seconds} s each after ${pace.warmupSeconds} s to warm up, ` +
    `and ${pace.seconds} s at half of that speed.`
}

function writeTables (text: string): void {
  const page = readFileSync(README, 'utf8')
  if (!MARKED.test(page)) throw new Error('bench/README.md has lost its markers')
  writeFileSync(README, page.replace(MARKED, (_all, open: string, close: string) => `${open}\n${text}\n\n${close}`))
}

runMain(bench)
