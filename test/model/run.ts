/**
 * `npm run model`: 5,000 random sequences on the service and on the model. `MODEL_SEQUENCES` asks for another number,
 * `MODEL_ON=servers` for Postgres, Redis and two replicas in turn; `MODEL_SEED` and `MODEL_PATH`, as a failure names them, play
 * the one that failed.
 */
import { inScope, runFolder } from '../fixtures/guard.ts'
import { startPostgres } from '../fixtures/postgres.ts'
import { playSequences } from './sequences.ts'

const SEQUENCES_STANDARD = 5_000
/** As many as there are cores on a small machine. */
const LEDGERS = 2

const { MODEL_SEQUENCES, MODEL_SEED, MODEL_PATH, MODEL_ON, TEST_DATABASE_URL } = process.env
const count = Number(MODEL_SEQUENCES ?? SEQUENCES_STANDARD)
const seed = Number(MODEL_SEED ?? Date.now() % 2 ** 31)
const on = MODEL_ON === 'servers' ? 'servers' : 'embedded'

const print = (line: string): void => { process.stdout.write(`${line}\n`) }

async function main (): Promise<number> {
  const folder = runFolder()
  const own = on === 'servers' && TEST_DATABASE_URL === undefined ? await startPostgres() : undefined
  if (own !== undefined) process.env.TEST_DATABASE_URL = own.server.url
  const [started, used] = [performance.now(), process.cpuUsage()]
  try {
    const run = { on, ledgers: LEDGERS, count, seed, path: MODEL_PATH } as const
    const { tally, failure } = await inScope(async scope => await playSequences(scope, run))
    const { user, system } = process.cpuUsage(used)
    for (const [what, times] of [...tally].sort()) print(`${String(times).padStart(8)}  ${what}`)
    print(`\nMODEL_SEED=${seed}: ${count} sequences on ${on} in ${seconds(performance.now() - started)}, ` +
      `${seconds((user + system) / 1_000)} of them this process's own`)
    if (failure === undefined) return 0
    print(`\n${failure}`)
    return 1
  } finally {
    await own?.release()
    await folder.release()
  }
}

function seconds (ms: number): string {
  return `${Math.round(ms / 1_000)} s`
}

process.exitCode = await main()
