/**
 * `npm run test:faults`: 100 faults on servers, some on an embedded ledger, and what is answered without Postgres.
 * `FAULT_SEED` breaks the same again, `FAULT_COUNT` asks for another number, `FAULT_WORLD` for one world,
 * `FAULT_ONLY='way to Redis'` for faults of that name.
 */
import { outageTable } from './outage-table.ts'
import { faultRound } from './round.ts'
import { worldMissing, WORLDS } from './world.ts'

const FAULTS_STANDARD = { servers: 100, embedded: 20 }
const REPLICAS = { servers: 3, embedded: 1 }
const SHOWN_MAX = 20

const { FAULT_SEED, FAULT_COUNT, FAULT_WORLD, FAULT_ONLY } = process.env
const seed = Number(FAULT_SEED ?? Date.now() % 1_000_000)

const print = (line: string): void => { process.stdout.write(`${line}\n`) }

async function main (): Promise<number> {
  for (const on of WORLDS.filter(name => FAULT_WORLD === undefined || name === FAULT_WORLD)) {
    const missing = worldMissing(on)
    if (missing !== false) throw new Error(missing)
    print(`${on}, FAULT_SEED=${seed}`)
    const faults = Number(FAULT_COUNT ?? FAULTS_STANDARD[on])
    const options = { on, replicas: REPLICAS[on], faults, seed, progress: print, ...(FAULT_ONLY !== undefined && { named: FAULT_ONLY }) }
    const { wrong, tally, happenings, seconds } = await inScope(async t => await faultRound(t, options))
    print(`\n${happenings.length} faults in ${seconds} s`)
    for (const [what, count] of Object.entries(tally)) print(`${String(count).padStart(8)}  ${what}`)
    for (const line of wrong.slice(0, SHOWN_MAX)) print(line)
    if (wrong.length > 0) {
      print(`\n${wrong.length} promises were broken; FAULT_SEED=${seed} FAULT_WORLD=${on} npm run test:faults breaks the same`)
      return 1
    }
    print('every promise was kept\n')
  }
  return FAULT_WORLD === undefined ? await printOutages() : 0
}

async function printOutages (): Promise<number> {
  const rows = await inScope(outageTable)
  print('Postgres is                   | call                         | answer                 | after')
  for (const { outage, call, answer, afterMs } of rows) print(`${outage.padEnd(30)}| ${call.padEnd(29)}| ${answer.padEnd(23)}| ${afterMs} ms`)
  const wrong = rows.flatMap(row => row.wrong ?? [])
  for (const line of wrong) print(line)
  return wrong.length === 0 ? 0 : 1
}

async function inScope<T> (work: (scope: { teardown: (end: () => unknown) => unknown }) => Promise<T>): Promise<T> {
  const ends: Array<() => unknown> = []
  try {
    return await work({ teardown: end => ends.unshift(end) })
  } finally {
    for (const end of ends) await end()
  }
}

process.exitCode = await main()
