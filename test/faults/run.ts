/**
 * `npm run test:faults`: 100 faults on servers, some on an embedded ledger, and what is answered without Postgres.
 * `FAULT_SEED` breaks the same again, `FAULT_COUNT` asks for another number, `FAULT_REDIS=cluster` or `sentinel` for that kind
 * of Redis, `FAULT_WORLD=embedded` for that alone, `FAULT_ONLY='way to Redis'` for faults of that name.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compile } from '../compile.ts'
import { exitOf } from '../fixtures/child.ts'
import { inScope, runFolder } from '../fixtures/guard.ts'
import { outageTable } from './outage-table.ts'
import { faultRound } from './round.ts'
import { isWorld, worldMissing, type WorldName } from './world.ts'

const FAULTS_STANDARD = { servers: 100, cluster: 100, sentinel: 100, embedded: 20 }
const REPLICAS = { servers: 3, cluster: 3, sentinel: 3, embedded: 1 }
const SHOWN_MAX = 20

const { FAULT_SEED, FAULT_COUNT, FAULT_WORLD, FAULT_REDIS, FAULT_ONLY } = process.env
const seed = Number(FAULT_SEED ?? Date.now() % 1_000_000)

const print = (line: string): void => { process.stdout.write(`${line}\n`) }

async function main (): Promise<number> {
  const chosen = FAULT_WORLD ?? FAULT_REDIS
  const worlds = chosen === undefined ? ['servers', 'embedded'] : [chosen]
  const folder = runFolder()
  try {
    for (const world of worlds) {
      if (!isWorld(world)) throw new Error(`there is no world ${world}`)
      const code = await printRound(world)
      if (code !== 0) return code
    }
    return chosen === undefined ? await printOutages() : 0
  } finally {
    await folder.release()
  }
}

async function printRound (on: WorldName): Promise<number> {
  const missing = worldMissing(on)
  if (missing !== false) throw new Error(missing)
  print(`${on}, FAULT_SEED=${seed}`)
  const faults = Number(FAULT_COUNT ?? FAULTS_STANDARD[on])
  const options = { on, replicas: REPLICAS[on], faults, seed, progress: print, ...(FAULT_ONLY !== undefined && { named: FAULT_ONLY }) }
  const { wrong, tally, happenings, seconds } = await inScope(async t => await faultRound(t, options))
  print(`\n${happenings.length} faults in ${seconds} s`)
  for (const [what, count] of Object.entries(tally)) print(`${String(count).padStart(8)}  ${what}`)
  for (const line of wrong.slice(0, SHOWN_MAX)) print(line)
  print(wrong.length === 0
    ? 'every promise was kept\n'
    : `\n${wrong.length} promises were broken; FAULT_SEED=${seed} FAULT_WORLD=${on} npm run test:faults breaks the same`)
  return wrong.length === 0 ? 0 : 1
}

async function printOutages (): Promise<number> {
  const rows = await inScope(outageTable)
  print('Postgres is                   | call                         | answer                 | after')
  for (const { outage, call, answer, afterMs } of rows) print(`${outage.padEnd(30)}| ${call.padEnd(29)}| ${answer.padEnd(23)}| ${afterMs} ms`)
  const wrong = rows.flatMap(row => row.wrong ?? [])
  for (const line of wrong) print(line)
  return wrong.length === 0 ? 0 : 1
}

/** Replicas start many times: this takes the loader off them, as `npm test` does. */
async function runCompiled (): Promise<number> {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  mkdirSync(join(root, '.tap'), { recursive: true })
  const folder = mkdtempSync(join(root, '.tap', 'compiled-'))
  try {
    compile(root, folder)
    const run = join(folder, 'test', 'faults', 'run.js')
    const child = spawn(process.execPath, [run], { env: { ...process.env, TEST_ROOT: root }, stdio: 'inherit' })
    return (await exitOf(child)).code ?? 1
  } finally {
    rmSync(folder, { recursive: true })
  }
}

// By itself Node 20 may not come to its end: once in some ten runs it spins there, waiting for a handle to close.
process.exit(import.meta.url.endsWith('.ts') ? await runCompiled() : await main())
