import { type Test, test } from 'tap'
import { amountOf } from '../../src/domain/amount.ts'
import type { Database } from '../../src/storage/database.ts'
import { ledger } from '../../src/storage/ledger.ts'
import type { Orgs } from '../../src/storage/orgs.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing, postgresProgramsMissing, privatePostgres } from '../fixtures/postgres.ts'
import { tcpProxy, type TcpProxy } from '../fixtures/proxy.ts'
import { openPostgres } from './databases.ts'
import { ask, DAY, moveTo, newOrg, openLedger, type OpenedLedger, opOf, START, unequalCounters, usedOf } from './ledger-fixture.ts'
import { type Connection, connection, ledgerBlocked } from './locks.ts'
import { until } from './until.ts'

const SKIP = { skip: postgresMissing }
const PRIVATE = { skip: postgresProgramsMissing }
const commits = (request: Buffer) => request.includes('commit')

interface Behind extends OpenedLedger {
  readonly proxy: TcpProxy
  /** Not by way of the proxy. */
  readonly direct: Database
}

/** A ledger that reaches Postgres by way of a proxy. */
async function behindProxy (t: Test): Promise<Behind> {
  const url = await freshLedger(t)
  const proxy = await tcpProxy(t, Number(new URL(url).port))
  const opened = await openLedger(t, { database: openPostgres(t, proxy.url(url)) })
  return { ...opened, proxy, direct: openPostgres(t, url) }
}

async function eventsOf (database: Database, org: number): Promise<unknown> {
  return (await ask(database, 'select count(*)::int4 from events where org = $1::int', org))[0]
}

test('a commit whose answer was lost is found again: counted once, and no duplicate', SKIP, async t => {
  const { stores, proxy, direct, retries } = await behindProxy(t)
  const org = await newOrg(stores)
  await stores.ledger.append(opOf(org, 1))
  const batch = [opOf(org, 2), opOf(org, 3, { id: 'ours', idGiven: false }), opOf(org, 4, { feature: 'feature:sso' })]
  const dropped = proxy.dropAnswers({ when: commits, times: 1 })
  const outcomes = await Promise.allSettled(batch.map(async op => await stores.ledger.append(op)))
  await dropped
  t.match(outcomes, [
    { value: { usedAfter: amountOf(3), limitAfter: amountOf(1_000), duplicate: false } },
    { value: { usedAfter: amountOf(6), duplicate: false } },
    { reason: { code: 'invalid_request' } }
  ])
  t.strictSame(retries, ['connection'])
  t.equal(await eventsOf(direct, org.key), 3)
  t.strictSame(await unequalCounters(direct, org), [])
  t.match(await stores.ledger.append(batch[0] as typeof batch[number]), { usedAfter: amountOf(3), duplicate: true })
})

test('a batch that went ahead, and whose answer was lost, is found again: counted once, and no duplicate', SKIP, async t => {
  const { stores, proxy, direct, retries, ahead } = await behindProxy(t)
  const org = await newOrg(stores)
  await stores.ledger.append(opOf(org, 1))
  const batch = Array.from({ length: 10 }, (_, i) => opOf(org, 2, i % 2 === 0 ? {} : { id: `ours-${i}`, idGiven: false }))
  // What is written names the fingerprints, what is read does not.
  const dropped = proxy.dropAnswers({ when: request => request.includes(batch[0]?.fingerprint as string), times: 1 })
  const answers = await Promise.all(batch.map(async op => await stores.ledger.append(op)))
  await dropped
  t.match(answers, batch.map((_op, i) => ({ usedAfter: amountOf(3 + 2 * i), duplicate: false })))
  t.strictSame([retries, ahead], [['connection'], [false, false]], 'the second attempt looks for the ids')
  t.equal(await eventsOf(direct, org.key), 11)
  t.strictSame(await unequalCounters(direct, org), [])
  t.match(await stores.ledger.append({ ...batch[1] as typeof batch[number], idGiven: true }), { usedAfter: amountOf(5), duplicate: true })
})

test('a batch that went ahead, and whose answer was lost, does not take an old report for a new one', SKIP, async t => {
  const { stores, proxy, direct, retries } = await behindProxy(t)
  const org = await newOrg(stores)
  const old = opOf(org, 1)
  await stores.ledger.append(old)
  const batch = Array.from({ length: 8 }, () => opOf(org, 2))
  const dropped = proxy.dropAnswers({ when: request => request.includes(batch[0]?.fingerprint as string), times: 1 })
  const [again, ...answers] = await Promise.all([old, ...batch].map(async op => await stores.ledger.append(op)))
  await dropped
  t.match(again, { usedAfter: amountOf(1), duplicate: true })
  t.match(answers, batch.map((_op, i) => ({ usedAfter: amountOf(3 + 2 * i), duplicate: false })))
  t.strictSame(retries, ['connection'])
  t.strictSame(await unequalCounters(direct, org), [])
})

test('what is refused after an attempt to go ahead that may arrive yet is an unknown outcome', SKIP, async t => {
  const url = await freshLedger(t)
  const database = openPostgres(t, url)
  const { stores, retries } = await openLedger(t, { database })
  const org = await newOrg(stores)
  await stores.ledger.append(opOf(org, 1))
  const [holder, admin] = [await connection(t, url), await connection(t, url)]
  await holder.run(`begin; select id from orgs where id = ${org.key} for no key update`)
  const batch = Array.from({ length: 8 }, () => opOf(org, 2))
  const outcomes = Promise.allSettled(batch.map(async op => await stores.ledger.append(op)))
  await ledgerBlocked(admin)
  await admin.run(`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
    and application_name = 'tollgate' and wait_event_type = 'Lock'`)
  await until('it is sent again', () => retries.length > 0)
  await holder.run(`update orgs set deleted_at = now() where id = ${org.key}; commit`)
  t.match(await outcomes, batch.map(({ id }) => ({ reason: { code: 'outcome_unknown', members: { id } } })))
  t.equal(await eventsOf(database, org.key), 1)
})

test('an answer that is lost three times in a row is still one report', SKIP, async t => {
  const { stores, proxy, direct } = await behindProxy(t)
  const org = await newOrg(stores)
  await stores.ledger.append(opOf(org, 1))
  const dropped = proxy.dropAnswers({ when: commits, times: 3 })
  t.match(await stores.ledger.append(opOf(org, 2, { idGiven: false })), { usedAfter: amountOf(3), duplicate: false })
  await dropped
  t.equal(await eventsOf(direct, org.key), 2)
})

test('a report whose locks were lost before anything was written is counted once', SKIP, async t => {
  const { stores, proxy, direct } = await behindProxy(t)
  const org = await newOrg(stores)
  await stores.ledger.append(opOf(org, 1))
  const dropped = proxy.dropAnswers({ when: request => request.includes('for no key update') || request.includes('begin'), times: 1 })
  t.match(await stores.ledger.append(opOf(org, 2)), { usedAfter: amountOf(3), duplicate: false })
  await dropped
  t.equal(await eventsOf(direct, org.key), 2)
})

test('with Postgres away a report is ledger_unavailable, and nothing of it is counted later', SKIP, async t => {
  const { stores, proxy, direct } = await behindProxy(t)
  const org = await newOrg(stores)
  await stores.ledger.append(opOf(org, 1))
  proxy.refuse()
  proxy.cut()
  const started = performance.now()
  const op = opOf(org, 2)
  await t.rejects(stores.ledger.append(op), { code: 'ledger_unavailable', retryAfterSeconds: 1 })
  t.ok(performance.now() - started < 3_000, 'soon')
  await t.rejects(stores.reader.read(org.key, []), { code: 'ledger_unavailable' })
  await proxy.pass()
  await until('it is back', async () => (await stores.ledger.append(opOf(org, 0))).usedAfter === amountOf(1))
  t.equal(await usedOf(stores, org), '1')
  t.match(await stores.ledger.append(op), { usedAfter: amountOf(3), duplicate: false })
  t.strictSame(await unequalCounters(direct, org), [])
})

test('an outage that is shorter than a caller’s patience is not noticed', SKIP, async t => {
  const { stores, proxy } = await behindProxy(t)
  const org = await newOrg(stores)
  await stores.ledger.append(opOf(org, 1))
  proxy.refuse()
  proxy.cut()
  const answer = stores.ledger.append(opOf(org, 2))
  await t.rejects(stores.reader.ping())
  await proxy.pass()
  t.match(await answer, { usedAfter: amountOf(3), duplicate: false })
})

test('a batch whose connection is replaced between its round trips writes nothing without its locks', SKIP, async t => {
  const url = await freshLedger(t)
  const database = openPostgres(t, url)
  const { stores } = await openLedger(t, { database })
  const stale = await newOrg(stores)
  await moveTo(stores, stale.name, 'daily', START + DAY / 4)
  const admin = await connection(t, url)
  let replaced = false
  const orgs: Orgs = {
    ...stores.orgs,
    loadLocked: async (keys, session) => {
      const found = await stores.orgs.loadLocked(keys, session)
      if (replaced) return found
      replaced = true
      const pid = async () => (await session.run([{ text: 'select pg_backend_pid()', params: [] }]))[0]?.rows[0]?.[0]
      const before = await pid()
      await admin.run(`select pg_terminate_backend(${before as number})`)
      await until('the driver has a new connection', async () => await pid() !== before)
      return found
    }
  }
  const retries: string[] = []
  const events = { batch: () => {}, retry: (reason: string) => retries.push(reason), unknownOutcome: () => {}, publishFailed: () => {} }
  const writer = ledger({ database, orgs, mirror: undefined, mirrorAgeMaxMs: 1_000, events })
  t.teardown(async () => await writer.close())
  t.match(await writer.append(opOf(stale, 2)), { usedAfter: amountOf(2), duplicate: false })
  t.strictSame(retries, ['40001'])
  t.equal(await eventsOf(database, stale.key), 1)
})

test('a Postgres that crashed under load has all that was answered, and nothing that was refused', PRIVATE, async t => {
  const server = await privatePostgres(t)
  const database = openPostgres(t, server.url)
  const { stores } = await openLedger(t, { database })
  const orgs = [await newOrg(stores), await newOrg(stores)]
  const ops = Array.from({ length: 1_200 }, (_, i) => opOf(orgs[i % 2] as typeof orgs[number], 1))
  const answered = new Set<string>()
  const refused = new Map<string, unknown>()
  const callers = Array.from({ length: 12 }, async (_, caller) => {
    for (const op of ops.filter((_op, i) => i % 12 === caller)) {
      await stores.ledger.append(op).then(() => answered.add(op.id), error => refused.set(op.id, error.code))
    }
  })
  await until('there is load', () => answered.size > 100)
  await server.stop('immediate')
  await server.start()
  await Promise.all(callers)
  const stored = new Set(await ask(database, 'select id from events'))
  t.strictSame([...answered].filter(id => !stored.has(id)), [], `${answered.size} were answered`)
  t.strictSame([...refused].filter(([id, code]) => code !== 'ledger_unavailable' || stored.has(id)), [], `${refused.size} were refused`)
  for (const op of ops) await stores.ledger.append(op)
  t.strictSame([await usedOf(stores, orgs[0] as typeof orgs[number]), await usedOf(stores, orgs[1] as typeof orgs[number])], ['600', '600'])
  for (const org of orgs) t.strictSame(await unequalCounters(database, org), [])
})

/** A ledger that is no superuser, so that its connections can be limited and its rights taken away. */
async function limited (t: Test): Promise<Behind & { admin: Connection, refusals: () => number }> {
  const server = await privatePostgres(t)
  const admin = await connection(t, server.url)
  await admin.run('create role limited login')
  await admin.run('create database limited owner limited')
  const url = server.url.replace(/postgres$/, 'limited')
  const proxy = await tcpProxy(t, server.port)
  const opened = await openLedger(t, { database: openPostgres(t, proxy.url(url.replace('tollgate@', 'limited@'))) })
  const refusals = () => server.output().split('too many connections').length - 1
  return { ...opened, proxy, direct: openPostgres(t, url), admin, refusals }
}

test('a Postgres that refuses the ledger', PRIVATE, async t => {
  const { stores, proxy, direct, admin, refusals } = await limited(t)
  const org = await newOrg(stores)
  await stores.ledger.append(opOf(org, 1))
  const ours = (n: number, id: string) => opOf(org, n, { id, idGiven: false })
  const both = async (n: number) => await Promise.allSettled(['a', 'b'].map(async id => await stores.ledger.append(ours(n, `${id}${n}`))))
  const sql = async (text: string) => await direct.run([{ text, params: [] }])

  await t.test('for lack of connections is ledger_unavailable', async t => {
    await admin.run('alter role limited connection limit 0')
    await admin.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'limited'")
    t.match(await both(1), [{ reason: { code: 'ledger_unavailable' } }, { reason: { code: 'ledger_unavailable' } }])
    await admin.run('alter role limited connection limit -1')
    t.match(await stores.ledger.append(opOf(org, 1)), { usedAfter: amountOf(2) })
  })

  await t.test('after a commit whose answer was lost, and then lets it in again, has counted once', async t => {
    await admin.run('alter role limited connection limit 0')
    const before = refusals()
    const dropped = proxy.dropAnswers({ when: commits, times: 1 })
    const outcomes = both(2)
    await dropped
    await until('it was refused', () => refusals() > before)
    await admin.run('alter role limited connection limit -1')
    t.match(await outcomes, [4, 6].map(used => ({ value: { usedAfter: amountOf(used), duplicate: false } })))
    t.equal(await eventsOf(direct, org.key), 4)
  })

  await t.test('after a commit whose answer was lost, for whatever reason, is outcome_unknown', async t => {
    const dropped = proxy.dropAnswers({ when: commits, times: 1, quietMs: 500 })
    const outcomes = both(3)
    await until('it is committed', async () => (await ask(direct, "select id from events where id = 'b3'")).length === 1)
    await sql('revoke all on events from limited')
    await dropped
    t.match(await outcomes, ['a3', 'b3'].map(id => ({ reason: { code: 'outcome_unknown', members: { id } } })))
    await sql('grant all on events to limited')
    t.match(await stores.ledger.append({ ...ours(3, 'a3'), idGiven: true }), { duplicate: true })
  })
})
