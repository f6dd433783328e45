/**
 * `npm run bench:import`: a file of 100,000 orgs, or as many as the argument says, into a service of its own: how long that takes,
 * how much memory the service has at most, and that the same file again changes nothing.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { inScope, type Scope } from '../test/fixtures/guard.ts'
import { privatePostgres } from '../test/fixtures/postgres.ts'
import { serve, type Service } from '../test/fixtures/process.ts'
import { privateRedis } from '../test/fixtures/redis.ts'

const ROWS = Number(process.argv[2] ?? 100_000)
const LINES_AT_ONCE = 1_000
const POLL_MS = 200

interface Progress {
  readonly id: string
  readonly state: string
  readonly received: number
  readonly applied: number
  readonly created: number
  readonly changed: number
  readonly refused: number
}

async function main (scope: Scope): Promise<void> {
  await measure('embedded', await serve(scope))
  const { url: DATABASE_URL } = await privatePostgres(scope, { fsync: true })
  const { url: REDIS_URL } = await privateRedis(scope)
  await measure('PostgreSQL + Redis', await serve(scope, { env: { DATABASE_URL, REDIS_URL } }))
}

async function measure (name: string, { url, pid, kill }: Service): Promise<void> {
  console.log(`${name}: ${memory(pid)} before`)
  for (const time of ['first', 'second']) {
    const started = performance.now()
    const seconds = (): string => `${((performance.now() - started) / 1_000).toFixed(1)} s`
    const response = await fetch(`${url}/v1/org-imports`, {
      method: 'POST', headers: { 'content-type': 'text/csv' }, body: file(), duplex: 'half'
    } as RequestInit)
    let progress = await response.json() as Progress
    if (response.status !== 200) throw new Error(JSON.stringify(progress))
    console.log(`  ${time} time: received after ${seconds()}, ${memory(pid)}`)
    let seen = 0
    while (progress.state === 'applying') {
      await sleep(POLL_MS)
      progress = await (await fetch(`${url}/v1/org-imports/${progress.id}`)).json() as Progress
      seen += 1
    }
    const { applied, created, changed, refused } = progress
    console.log(`  ${time} time: done after ${seconds()}, ${memory(pid)}; applied ${applied}, created ${created}, changed ${changed}, refused ${refused}; read ${seen} times`)
  }
  const started = performance.now()
  const exported = await (await fetch(`${url}/v1/orgs.csv`)).text()
  console.log(`  exported ${exported.split('\n').length - 2} lines in ${((performance.now() - started) / 1_000).toFixed(1)} s, ${memory(pid)}`)
  await kill()
}

function file (): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let row = 0
  return new ReadableStream({
    pull: controller => {
      const lines = row === 0 ? ['org,name,email,billingId,metadata\n'] : []
      for (const until = Math.min(row + LINES_AT_ONCE, ROWS); row < until; row += 1) {
        lines.push(`org:user-${row},"Name, ${row}",user${row}@example.com,cus_${row},"{""seats"":${row % 50}}"\n`)
      }
      if (lines.length === 0) controller.close()
      else controller.enqueue(encoder.encode(lines.join('')))
    }
  })
}

/** As Linux counts it. */
function memory (pid: number): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const [now, most] = ['VmRSS', 'VmHWM'].map(name => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1_024))
  return `RSS ${now} MiB, at most ${most} MiB`
}

await inScope(main)
