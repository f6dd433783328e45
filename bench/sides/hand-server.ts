import postgres from 'postgres'
import { v7 as uuidv7 } from 'uuid'
import { bareFastify, LIMIT, listen, type ReportBody, schemasOfTheService } from './baseline.ts'

/**
 * What one would write by hand: each request inserts its event and upserts its counter in a transaction of its own.
 * postgres.js with its default pool of 10; its statements are prepared, and the two of a transaction go out together.
 */

const sql = postgres(process.env.DATABASE_URL ?? '', { onnotice: () => {} })

await sql`
  create table if not exists events (
    org text not null, id uuid not null, feature text not null, at timestamptz not null, amount numeric not null, primary key (org, id)
  )`
await sql`create index if not exists events_org_feature_at on events (org, feature, at)`
await sql`
  create table if not exists counters (
    org text not null, feature text not null, window_start timestamptz not null, used numeric not null,
    primary key (org, feature, window_start)
  )`

const app = bareFastify()
const { report } = await schemasOfTheService()

app.post<{ Body: ReportBody }>('/v1/report', { schema: report }, async ({ body: { org, feature, n } }) => {
  const id = uuidv7()
  const at = new Date()
  const start = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 1))
  const end = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1))
  const [, [counter]] = await sql.begin(tx => [
    tx`insert into events (org, id, feature, at, amount) values (${org}, ${id}, ${feature}, ${at}, ${n})`,
    tx<[{ used: string }]>`
      insert into counters (org, feature, window_start, used) values (${org}, ${feature}, ${start}, ${n})
      on conflict (org, feature, window_start) do update set used = counters.used + excluded.used returning used`
  ])
  const used = Number(counter.used)
  const window = { start: start.toISOString(), end: end.toISOString() }
  return { id, org, feature, used, reserved: 0, limit: LIMIT, remaining: LIMIT - used, window, duplicate: false }
})

app.addHook('onClose', async () => { await sql.end() })
await listen(app)
