/** `npm run bench:memory`: is the memory of a process that is under load flat? */
import type { Scope } from '../test/fixtures/guard.ts'
import { privatePostgres } from '../test/fixtures/postgres.ts'
import { privateRedis } from '../test/fixtures/redis.ts'
import { type Generate, startGenerator } from './load/generator.ts'
import { type Call, MANY, type Orgs, THOUSAND } from './load/load.ts'
import { slope, watchMemory } from './memory-watch.ts'
import { type Facts, runMain, setting } from './settings.ts'
import { preparePlan, reportOnce } from './sides/prepared.ts'
import { startTollgate } from './sides/process.ts'
import { seed } from './sides/seed.ts'

const MINUTES = setting('BENCH_MINUTES', 10)
const CONNECTIONS = 128
const STEP_SECONDS = 30
/** As often as each is listed here, over and over. */
const MIX: readonly Call[] = ['can', 'can', 'can', 'can', 'report', 'report', 'consume', 'canUseFeature', 'recordUsage']

async function bench (scope: Scope, { commit, machine }: Facts): Promise<void> {
  const generate = startGenerator(scope)
  console.log(`commit ${commit}. ${machine}`)
  for (const orgs of [THOUSAND, MANY]) await watched(scope, generate, orgs)
}

/** One process, new servers. */
async function watched (scope: Scope, generate: Generate, orgs: Orgs): Promise<void> {
  const { url: DATABASE_URL } = await privatePostgres(scope, { fsync: true })
  const { url: REDIS_URL } = await privateRedis(scope)
  const { url, pid } = await startTollgate(scope, { DATABASE_URL, REDIS_URL })
  await preparePlan(url)
  if (orgs === MANY) await seed(DATABASE_URL, orgs, 1)
  else await reportOnce(url, orgs)
  console.log(`\n${orgs.count.toLocaleString('en-US')} orgs, ${CONNECTIONS} connections, ${MINUTES} minutes\n`)
  const watch = watchMemory(pid)
  const show = (): void => { console.log(`${seconds(watch.samples.length - 1)}: ${mb(watch.samples.at(-1) as number)}`) }
  show()
  const shown = setInterval(show, STEP_SECONDS * 1_000)
  const { perSecond, p99 } = await generate({
    calls: MIX, orgs, urls: [url], connections: CONNECTIONS, warmupSeconds: 1, seconds: MINUTES * 60
  })
  clearInterval(shown)
  watch.stop()
  const later = watch.samples.slice(Math.floor(watch.samples.length / 2))
  console.log(`highest ${mb(Math.max(...watch.samples))}; over the second half ${(slope(later) * 60).toFixed(2)} MB a minute`)
  console.log(`${Math.round(perSecond)} calls a second, p99 ${p99.toFixed(1)} ms`)
}

function seconds (count: number): string {
  return `${String(count).padStart(5)} s`
}

function mb (megabytes: number): string {
  return `${megabytes.toFixed(0)} MB`
}

runMain(bench)
