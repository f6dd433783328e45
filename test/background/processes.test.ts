import { type Test, test } from 'tap'
import { sweepClocks } from '../../src/background/clocks.ts'
import { purgeDeletedOrgs } from '../../src/background/deleted-orgs.ts'
import type { Database } from '../../src/storage/database.ts'
import { type Child, startChild } from '../fixtures/child.ts'
import { guard } from '../fixtures/guard.ts'
import { nodeArguments } from '../fixtures/node.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { openPostgres } from '../storage/databases.ts'
import { ask, openLedger } from '../storage/ledger-fixture.ts'
import { until } from '../storage/until.ts'

const READY_WITHIN_MS = 20_000
const [ORGS, EVENTS, ORG_PAGES] = [6, 2_500, 4]
const [CLOCKS, CLOCK_PAGES] = [4, 2]

async function start (t: Test, databaseUrl: string): Promise<Child> {
  const owner = guard('KILL')
  t.teardown(owner.release)
  return await startChild(process.execPath, [...nodeArguments('test/background/job-process.ts'), databaseUrl], {
    ready: /^ready$/m, withinMs: READY_WITHIN_MS, guard: owner
  })
}

/** Deleted orgs, and clocks that were removed two minutes ago, all with usage. Each page takes a moment, so that processes meet. */
async function fill (database: Database): Promise<void> {
  await ask(database, `
    with deleted as (
      insert into orgs (environment, name, deleted_at) select 'test', 'deleted:' || n, now() from generate_series(1, ${ORGS}) n returning id
    )
    insert into events (org, id, feature, at, window_start, amount, mode, delta, used_after, fingerprint)
    select deleted.id, n, 1, now(), now(), 1, 'add', 1, n, gen_random_uuid() from deleted, generate_series(1, ${EVENTS}) n`)
  await ask(database, `insert into environments (name, parent, last_used_at)
    select 'gone-' || n, 'test', now() - interval '2 minutes' from generate_series(1, ${CLOCKS}) n`)
  await ask(database, `insert into orgs (environment, name) select 'gone-' || n, 'org:' || n from generate_series(1, ${CLOCKS}) n`)
  await ask(database, `create or replace function take_a_moment () returns trigger language plpgsql as
    $$ begin perform pg_sleep(0.02); return null; end $$`)
  for (const table of ['events', 'orgs', 'environments']) {
    await ask(database, `create or replace trigger slowly after delete on ${table} for each statement execute function take_a_moment()`)
  }
}

async function left (database: Database): Promise<unknown> {
  const [row] = await ask(database, `select (select count(*)::int from events), (select count(*)::int from orgs),
    (select count(*)::int from environments where name like 'gone-%')`)
  return row
}

test('jobs of two processes share the work: each page is done once', { skip: postgresMissing }, async t => {
  const databaseUrl = await freshLedger(t)
  const database = openPostgres(t, databaseUrl)
  await openLedger(t, { database })
  await fill(database)
  const children = await Promise.all([start(t, databaseUrl), start(t, databaseUrl)])
  for (const { pid } of children) process.kill(pid, 'SIGUSR2')
  const exits = await Promise.all(children.map(async child => await child.exited))
  t.strictSame(exits.map(({ code }) => code), [0, 0], children.map(child => child.output()).join(''))
  t.strictSame(await left(database), [0, 0, 0])
  const pages = children.map(child => JSON.parse(/^done (.*)$/m.exec(child.output())?.[1] as string) as { clocks: number, orgs: number })
  t.equal(pages.reduce((sum, { orgs }) => sum + orgs, 0), ORGS * ORG_PAGES)
  t.equal(pages.reduce((sum, { clocks }) => sum + clocks, 0), CLOCKS * CLOCK_PAGES)
  t.ok(pages.every(({ orgs }) => orgs > 0), `both worked: ${JSON.stringify(pages)}`)
})

test('what a process that is killed had begun, another one does', { skip: postgresMissing }, async t => {
  const databaseUrl = await freshLedger(t)
  const database = openPostgres(t, databaseUrl)
  const { stores } = await openLedger(t, { database })
  await fill(database)
  const before = await left(database)
  const killed = await start(t, databaseUrl)
  process.kill(killed.pid, 'SIGUSR2')
  await until('it is at work', async () => JSON.stringify(await left(database)) !== JSON.stringify(before))
  await killed.kill('SIGKILL')
  t.not(JSON.stringify(await left(database)), JSON.stringify([0, 0, 0]), 'there is something left')
  // As a loop does: a page that the dead process had locked is free when Postgres has noticed.
  await until('all is gone', async () => {
    await Promise.all([sweepClocks(stores, Date.now()), purgeDeletedOrgs(stores)])
    return JSON.stringify(await left(database)) === JSON.stringify([0, 0, 0])
  }, 15_000)
  t.strictSame(await left(database), [0, 0, 0])
})
