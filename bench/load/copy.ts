import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import postgres from 'postgres'
import { BATCH_ITEMS, type CopyLoad, type Loaded } from './load.ts'
import { stopwatch } from './stopwatch.ts'

/** The columns of `events` that a plain report fills. */
export const COPY_TABLE = `
  create table copied (
    org integer not null, id text not null, seq bigint not null generated always as identity, feature integer not null,
    at timestamptz(3) not null, window_start timestamptz(3) not null, window_end timestamptz(3), amount numeric(38,9) not null,
    mode text not null, refers_to text, reason text, actor text, delta numeric(38,9) not null, used_after numeric(38,9) not null,
    limit_after numeric(38,9), reserved_after numeric(38,9), fingerprint uuid not null, properties jsonb, primary key (org, id)
  )`
const FILLED = 'org, id, feature, at, window_start, window_end, amount, mode, delta, used_after, limit_after, fingerprint'
const ORGS = 1_000

/** Each connection sends one COPY after the other, each of them a transaction. */
export async function loadByCopy (load: CopyLoad): Promise<Loaded> {
  const watch = stopwatch(load)
  const sql = postgres(load.databaseUrl, { max: load.connections })
  const seed = Date.now()
  let rows = 0
  const clock = { isRunning: true }

  async function copy (): Promise<void> {
    const stream = await sql.unsafe(`copy copied (${FILLED}) from stdin`).writable()
    const done = once(stream, 'finish')
    stream.end(Array.from({ length: BATCH_ITEMS }, () => rowOf(seed, rows++)).join(''))
    await done
  }

  async function work (): Promise<void> {
    while (clock.isRunning) {
      const begun = performance.now()
      await copy()
      const now = performance.now()
      watch.note(now, now - begun, BATCH_ITEMS)
    }
  }

  const workers = Promise.all(Array.from({ length: load.connections }, work))
  await Promise.race([workers, watch.run()])
  clock.isRunning = false
  await workers
  await sql.end()
  return { counted: rows, ...watch.figures() }
}

/** As a report of one unit leaves it, in COPY's text format; its id looks like one of the service's. */
function rowOf (seed: number, i: number): string {
  const number = i.toString(16).padStart(12, '0')
  const time = seed.toString(16).padStart(12, '0')
  const id = `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${number}`
  const month = '2026-01-01T00:00:00.000Z\t2026-02-01T00:00:00.000Z'
  return `${i % ORGS}\t${id}\t1\t2026-01-15T12:00:00.000Z\t${month}\t1\tadd\t1\t${i}\t1000000000\t${id}\n`
}
