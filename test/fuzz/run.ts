/**
 * `npm run fuzz`: a million requests, in rounds. `FUZZ_REQUESTS` asks for another number; `FUZZ_SEED` begins with
 * that seed: the one that a failure names sends the same again.
 */
import { inScope, runFolder } from '../fixtures/guard.ts'
import { postgresProgramsMissing, startPostgres } from '../fixtures/postgres.ts'
import { redisMissing } from '../fixtures/redis.ts'
import { fuzzRound, type RoundResult } from './round.ts'

const REQUESTS_STANDARD = 1_000_000
/** So that tables stay small, and so that what is found is found again soon. */
const ROUND_REQUESTS = 20_000
/** Of so many rounds, one is on Postgres and Redis; which, its seed says. */
const SERVERS_EVERY = 10

const { FUZZ_REQUESTS, FUZZ_SEED, TEST_DATABASE_URL } = process.env
const wanted = Number(FUZZ_REQUESTS ?? REQUESTS_STANDARD)
const firstSeed = Number(FUZZ_SEED ?? Date.now() % 2 ** 31)

const print = (line: string): void => { process.stdout.write(`${line}\n`) }

async function main (): Promise<number> {
  const folder = runFolder()
  const own = TEST_DATABASE_URL === undefined && postgresProgramsMissing === false ? await startPostgres() : undefined
  if (own !== undefined) process.env.TEST_DATABASE_URL = own.server.url
  const haveServers = process.env.TEST_DATABASE_URL !== undefined && redisMissing === false
  const totals = new Map<string, number>()
  const started = performance.now()
  try {
    let sent = 0
    for (let round = 0; sent < wanted; round += 1) {
      const seed = (firstSeed + round) % 2 ** 31
      const on = haveServers && seed % SERVERS_EVERY === 0 ? 'servers' : 'embedded'
      const result = await inScope(async scope => await fuzzRound(scope, {
        on, seed, requests: Math.min(ROUND_REQUESTS, wanted - sent)
      }))
      if (result.failure !== undefined) {
        print(`\n${result.failure}\n\nFUZZ_SEED=${seed} npm run fuzz sends the same`)
        return 1
      }
      sent += result.requests
      add(totals, result)
      const seconds = (performance.now() - started) / 1_000
      print(`${sent} requests in ${Math.round(seconds)} s (${Math.round(sent / seconds)}/s), the last ${result.requests} on ${on}, seed ${seed}`)
    }
  } finally {
    await own?.release()
    await folder.release()
  }
  print('')
  // What was sent where, and what it was answered.
  for (const [answer, count] of [...totals].sort()) print(`${String(count).padStart(8)}  ${answer}`)
  return 0
}

function add (totals: Map<string, number>, { answers }: RoundResult): void {
  for (const [operation, counts] of answers) {
    for (const [answer, count] of counts) totals.set(`${operation}: ${answer}`, (totals.get(`${operation}: ${answer}`) ?? 0) + count)
  }
}

process.exitCode = await main()
