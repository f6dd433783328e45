import { randomUUID } from 'node:crypto'
import { type Test, test } from 'tap'
import { amountOf } from '../../src/domain/amount.ts'
import { type Database, ROLLBACK, BEGIN, sqlState } from '../../src/storage/database.ts'
import { write } from '../../src/storage/ledger-statements.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { freshDatabase, postgresMissing } from '../fixtures/postgres.ts'
import { openPostgres } from './databases.ts'
import {
  ask, counterOf, DAY, moveTo, newOrg, NOON, openLedger, type OpenedLedger, opOf, START, unequalCounters, usedOf
} from './ledger-fixture.ts'
import { connection, ledgerBlocked } from './locks.ts'

const SKIP = { skip: postgresMissing }

interface Replicas {
  readonly url: string
  readonly database: Database
  readonly one: OpenedLedger
  readonly two: OpenedLedger
}

/** Two replicas, each with connections of its own, on one Postgres. */
async function twoReplicas (t: Test): Promise<Replicas> {
  const url = await freshLedger(t)
  const [database, second] = [openPostgres(t, url), openPostgres(t, url)]
  return { url, database, one: await openLedger(t, { database }), two: await openLedger(t, { database: second }) }
}

/** Tables without the ledger's remedies: one org at version 1, whose month has counted 5. */
async function plainTables (t: Test) {
  const url = await freshDatabase(t)
  const open = async () => await connection(t, url)
  const admin = await open()
  await admin.run(`create table orgs (org int primary key, ver int);
    create table counters (org int, w text, used int, primary key (org, w));
    create table events (org int, n int)`)
  await admin.run("insert into orgs values (1, 1), (2, 1); insert into counters values (1, 'month', 5); insert into events values (1, 5)")
  const figures = async () => {
    const [row] = await admin.run(`select (select sum(n)::int from events) as fold, (select used from counters where w = 'month') as month,
      (select used from counters where w = 'year') as year`)
    return row
  }
  return { open, admin, figures }
}

test('a version that is checked without a lock loses usage for ever (write skew)', SKIP, async t => {
  const show = async (lock: string) => {
    const { open, figures } = await plainTables(t)
    const [holder, report, change] = [await open(), await open(), await open()]
    const startYear = async () => await change.run(`begin;
      insert into counters select 1, 'year', sum(n) + 1 from events; insert into events values (1, 1); commit`)
    await holder.run('begin; select 1 from counters where org = 1 for update')
    const counted = report.run(`with held as (select org from orgs where org = 1 and ver = 1 ${lock}),
      recorded as (insert into events select org, 1 from held)
      update counters set used = used + 1 where org in (select org from held) and w = 'month'`)
    await report.blocked()
    const changed = change.run('update orgs set ver = 2 where org = 1')
    if (lock === '') {
      await changed
      await startYear()
      await holder.run('rollback')
      await counted
    } else {
      await change.blocked()
      await holder.run('rollback')
      await Promise.all([counted, changed])
      await startYear()
    }
    const { fold, year } = await figures() ?? {}
    return { fold, year }
  }
  t.strictSame(await show(''), { fold: 7, year: 6 }, 'the trap: the year has lost a report that was answered')
  t.strictSame(await show('for share'), { fold: 7, year: 7 })
})

test('a plan that two replicas change back and forth while both count loses nothing', SKIP, async t => {
  const { database, one, two } = await twoReplicas(t)
  const org = await newOrg(one.stores)
  const plans = ['daily', 'base'] as const
  const changes = async () => {
    for (let i = 0; i < 10; i += 1) await moveTo(two.stores, org.name, plans[i % 2] as 'daily', START + (i + 1) * 3_600_000)
  }
  const reports = Array.from({ length: 300 }, async (_, i) => {
    // Every tenth instant is after all changes, so its window is another one each time.
    const at = i % 10 === 0 ? START + DAY - 1 : START + i * 60_000
    await (i % 2 === 0 ? one : two).stores.ledger.append(opOf(org, 1, { at }))
  })
  await Promise.all([...reports, changes()])
  t.strictSame(await unequalCounters(database, org), [])
  t.strictSame(await ask(database, 'select count(*)::int4, sum(delta)::int4 from events where org = $1::int', org.key), [[300, 300]])
})

test('a lock and a read in one statement lose an update', SKIP, async t => {
  const show = async (read: string[]) => {
    const { open, figures } = await plainTables(t)
    const [one, two] = [await open(), await open()]
    await one.run('begin; select 1 from orgs where org = 1 for no key update')
    await two.run('begin')
    const reading = (async () => {
      let used: unknown
      for (const text of read) used = (await two.run(text))[0]?.used
      return used as number
    })()
    await two.blocked()
    await one.run('update counters set used = used + 1 where org = 1; commit')
    await two.run(`update counters set used = ${await reading + 1} where org = 1; commit`)
    return (await figures())?.month
  }
  t.equal(await show([`with held as materialized (select org from orgs where org = 1 for no key update)
    select used from held join counters using (org)`]), 6, 'the trap: two added one, and one is lost')
  t.equal(await show(['select org from orgs where org = 1 for no key update', 'select used from counters where org = 1']), 7)
})

test('two replicas with 400 reports to one org at once lose nothing', SKIP, async t => {
  const { database, one, two } = await twoReplicas(t)
  const org = await newOrg(one.stores)
  const answers = await Promise.all(Array.from({ length: 400 }, async (_, i) =>
    await (i % 2 === 0 ? one : two).stores.ledger.append(opOf(org, 1))))
  t.equal(await usedOf(one.stores, org), '400')
  t.equal(new Set(answers.map(({ usedAfter }) => usedAfter)).size, 400, 'each answer is another partial sum')
  t.strictSame(await unequalCounters(database, org), [])
  t.strictSame([...one.retries, ...two.retries], [])
})

test('rows that are locked in opposite order deadlock', SKIP, async t => {
  const { open } = await plainTables(t)
  const [one, two] = [await open(), await open()]
  const lock = (org: number) => `select 1 from orgs where org = ${org} for no key update`
  await one.run(`begin; ${lock(1)}`)
  await two.run(`begin; ${lock(2)}`)
  const outcomes = await Promise.allSettled([one.run(lock(2)), two.run(lock(1))])
  t.strictSame(outcomes.map(it => it.status === 'rejected' ? sqlState(it.reason) : it.status).sort(), ['40P01', 'fulfilled'])
})

test('two replicas that report to the same orgs in opposite order never deadlock', SKIP, async t => {
  const { database, one, two } = await twoReplicas(t)
  const orgs = await Promise.all(Array.from({ length: 20 }, async () => await newOrg(one.stores)))
  const features = ['feature:calls', 'feature:visits', 'feature:seats']
  const round = async ({ stores }: OpenedLedger, order: typeof orgs, names: string[]) => await Promise.all(
    order.flatMap(org => names.map(async feature => await stores.ledger.append(opOf(org, 1, { feature })))))
  for (let i = 0; i < 15; i += 1) {
    await Promise.all([round(one, orgs, features), round(two, [...orgs].reverse(), [...features].reverse())])
  }
  t.strictSame([...one.retries, ...two.retries], [])
  for (const org of orgs) t.strictSame(await unequalCounters(database, org), [])
  t.equal(await usedOf(one.stores, orgs[0] as typeof orgs[number]), '30')
})

test('a batch that a deadlock ended is run again', SKIP, async t => {
  const { url, one } = await twoReplicas(t)
  const orgs = [await newOrg(one.stores), await newOrg(one.stores), await newOrg(one.stores)]
  const [low, , high] = orgs as [typeof orgs[number], typeof orgs[number], typeof orgs[number]]
  const stranger = await connection(t, url)
  // Who first waits for so long is the one that Postgres ends; it must be the ledger.
  await stranger.run("set deadlock_timeout = '1min'")
  await stranger.run(`begin; select 1 from orgs where id = ${high.key} for update`)
  const reports = [one.stores.ledger.append(opOf(low, 1)), one.stores.ledger.append(opOf(high, 1))]
  await ledgerBlocked(await connection(t, url))
  await stranger.run(`select 1 from orgs where id = ${low.key} for update; commit`)
  t.match(await Promise.all(reports), [{ usedAfter: amountOf(1), duplicate: false }, { usedAfter: amountOf(1), duplicate: false }])
  t.strictSame(one.retries, ['40P01'])
})

test('a batch that Postgres could not serialize is run again', SKIP, async t => {
  const { url, one } = await twoReplicas(t)
  const org = await newOrg(one.stores)
  const admin = await connection(t, url)
  await admin.run(`create sequence attempts; create function refuse_first () returns trigger language plpgsql as $$ begin
    if nextval('attempts') = 1 then raise exception 'not now' using errcode = 'serialization_failure'; end if; return new; end $$;
    create trigger refuse_first before insert on events for each row execute function refuse_first ()`)
  t.match(await one.stores.ledger.append(opOf(org, 1)), { usedAfter: amountOf(1), duplicate: false })
  t.strictSame(one.retries, ['40001'])
  t.equal(await usedOf(one.stores, org), '1')
})

test('a batch writes in the transaction that locked, from the counter that it read, or not at all', SKIP, async t => {
  const { url, database, one } = await twoReplicas(t)
  const org = await newOrg(one.stores)
  await one.stores.ledger.append(opOf(org, 5))
  const { key: { feature }, window } = counterOf(org)
  const instant = (at: number) => `{${at}}`
  const row = {
    orgs: `{${org.key}}`,
    features: `{${feature}}`,
    ats: instant(NOON),
    starts: instant(window.start),
    ends: instant(window.end as number),
    amounts: '{1}',
    modes: '{add}',
    deltas: '{1}',
    usedAfter: '{6}',
    limitAfter: '{null}',
    fingerprints: `{${randomUUID()}}`,
    properties: '{null}',
    cOrgs: `{${org.key}}`,
    cFeatures: `{${feature}}`,
    cStarts: instant(window.start),
    cEnds: instant(window.end as number),
    cUsed: '{6}',
    cReserved: '{0}',
    cLastAts: '{null}',
    cReservedUntil: '{null}',
    refersTo: '{null}',
    reasons: '{null}',
    actors: '{null}',
    reservedAfter: '{null}',
    locked: '{}',
    known: '{}'
  }
  const written = (transaction: string | null, basedOn: number, changes = {}) =>
    write({ ...row, ...changes, transaction, ids: `{${randomUUID()}}`, cVersions: `{${basedOn + 1}}`, cBasedOn: `{${basedOn}}` })
  const lane = database.lane()
  t.teardown(async () => await lane.close())
  const attempt = async (transaction: string | undefined, basedOn: number) => {
    const [, locked] = await lane.run([BEGIN, { text: 'select pg_current_xact_id()::text', params: [] }])
    const outcome = await lane.run([written(transaction ?? String(locked?.rows[0]?.[0]), basedOn)]).then(() => 'written', sqlState)
    await lane.run([ROLLBACK])
    return outcome
  }
  t.equal(await attempt(undefined, 1), 'written', 'as it should be')
  t.equal(await attempt('1', 1), '40001', 'another transaction')
  t.equal(await attempt(undefined, 0), '40001', 'another version of the counter')
  t.equal(await lane.run([written('1', 1)]).then(() => 'written', sqlState), '40001', 'no transaction at all')
  t.strictSame(await ask(database, 'select count(*)::int4 from events where org = $1::int', org.key), [1])
  t.equal(await usedOf(one.stores, org), '5')

  await t.test('or by itself: it takes the locks, and writes if the orgs are as they are known', async t => {
    const alone = async (version: number, basedOn: number) => {
      const statement = written(null, basedOn, { locked: `{${org.key}}`, known: `{${version}}` })
      return await lane.alone(statement).then(() => 'written', sqlState)
    }
    const holder = await connection(t, url)
    await holder.run(`begin; select id from orgs where id = ${org.key} for no key update`)
    const waits = alone(org.version, 1)
    await ledgerBlocked(holder)
    await holder.run(`update orgs set version = version + 1 where id = ${org.key}; commit`)
    t.equal(await waits, '40001', 'it sees the change for which it has waited')
    t.equal(await alone(org.version + 1, 0), '40001', 'another version of the counter')
    t.equal(await alone(org.version + 2, 1), '40001', 'another version of the org')
    t.equal(await alone(org.version + 1, 1), 'written', 'as it should be')
    await holder.run(`update orgs set deleted_at = now() where id = ${org.key}`)
    t.equal(await alone(org.version + 1, 2), '40001', 'an org that is gone')
    t.strictSame(await ask(database, 'select count(*)::int4 from events where org = $1::int', org.key), [2])
  })
})
