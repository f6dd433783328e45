import t, { type Test } from 'tap'
import { amountOf } from '../../src/domain/amount.ts'
import { SESSION_SETTINGS, WAIT_SETTINGS } from '../../src/storage/session-settings.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing, postgresProgramsMissing, privatePostgres } from '../fixtures/postgres.ts'
import { tcpProxy } from '../fixtures/proxy.ts'
import { openPostgres } from './databases.ts'
import { ask, newOrg, openLedger, opOf, usedOf } from './ledger-fixture.ts'
import { type Connection, connection } from './locks.ts'
import { until } from './until.ts'

// Faults that last for seconds before anybody may give up. They are real, and wait side by side.
t.jobs = 5
const SKIP = { skip: postgresMissing, buffered: true }

/** An org whose lock somebody has had for a while, idle in a transaction, and another one. */
async function heldOrg (t: Test, settings: Record<string, string>) {
  const url = await freshLedger(t)
  const opened = await openLedger(t, { database: openPostgres(t, url) })
  const [org, other] = [await newOrg(opened.stores), await newOrg(opened.stores)]
  const holder = await connection(t, url, settings)
  const session = await sessionOf(holder)
  await holder.run(`begin; select id from orgs where id = ${org.key} for no key update`)
  const watch = await connection(t, url)
  await until('it idles', async () => await idles(watch))
  return { ...opened, org, other, holder, session }
}

async function sessionOf (connection: Connection): Promise<unknown> {
  const [row] = await connection.run('select pg_backend_pid() as pid')
  return row?.pid
}

async function idles (watch: Connection): Promise<boolean> {
  const [row] = await watch.run(`select 1 from pg_stat_activity where datname = current_database() and state = 'idle in transaction'
    and state_change < clock_timestamp() - interval '300 milliseconds'`)
  return row !== undefined
}

t.test('a replica that freezes with an org’s lock loses it after 5 s, and others go on', SKIP, async t => {
  const { stores, org, other, holder, session } = await heldOrg(t, { ...SESSION_SETTINGS, ...WAIT_SETTINGS, application_name: 'frozen' })
  const started = performance.now()
  const answer = stores.ledger.append(opOf(org, 2))
  await until('its batch takes long', () => performance.now() - started > 100)
  await stores.ledger.append(opOf(other, 1))
  t.ok(performance.now() - started < 2_000, 'who comes later does not wait')
  t.match(await answer, { usedAfter: amountOf(2), duplicate: false })
  t.ok(performance.now() - started < 9_000)
  // It may hear of that only by asking.
  t.not(await sessionOf(holder).catch(async () => await sessionOf(holder)), session, 'when it thaws, its session is gone')
  t.equal(await usedOf(stores, org), '2')
})

t.test('a stranger who holds an org’s lock for longer costs its reports a ledger_unavailable, and nothing is counted', SKIP, async t => {
  const { stores, org, other, holder } = await heldOrg(t, {})
  const op = opOf(org, 2)
  const started = performance.now()
  const refused = stores.ledger.append(op).then(() => 'counted', error => error.code)
  await until('its batch takes long', () => performance.now() - started > 100)
  await stores.ledger.append(opOf(other, 1))
  t.equal(await refused, 'ledger_unavailable')
  await holder.run('rollback')
  t.equal(await usedOf(stores, org), '0')
  t.match(await stores.ledger.append(op), { usedAfter: amountOf(2), duplicate: false })
})

t.test('an outcome that cannot be found out for 10 s is outcome_unknown with the event’s id, and a retry finds it', SKIP, async t => {
  const url = await freshLedger(t)
  const proxy = await tcpProxy(t, Number(new URL(url).port))
  const { stores } = await openLedger(t, { database: openPostgres(t, proxy.url(url)) })
  const org = await newOrg(stores)
  await stores.ledger.append(opOf(org, 1))
  const dropped = proxy.dropAnswers({ when: request => request.includes('commit') })
  const op = opOf(org, 2, { id: 'made-by-us', idGiven: false })
  const started = performance.now()
  await t.rejects(stores.ledger.append(op), { code: 'outcome_unknown', members: { id: 'made-by-us' }, retryAfterSeconds: 1 })
  t.ok(performance.now() - started >= 10_000 && performance.now() - started < 15_000)
  await dropped
  await proxy.pass()
  t.match(await stores.ledger.append({ ...op, idGiven: true }), { usedAfter: amountOf(3), duplicate: true }, 'it had been counted')
  t.strictSame(await ask(openPostgres(t, url), 'select amount::int4 from events order by seq'), [1, 2])
})

t.test('a Postgres that freezes before a report is sent refuses it within 10 s, and does not count it when it thaws',
  { skip: postgresProgramsMissing, buffered: true }, async t => {
    const server = await privatePostgres(t)
    const { stores } = await openLedger(t, { database: openPostgres(t, server.url) })
    const org = await newOrg(stores)
    await stores.ledger.append(opOf(org, 1))
    server.pause()
    const op = opOf(org, 2)
    const started = performance.now()
    const read = t.rejects(stores.reader.read(org.key, []), { code: 'ledger_unavailable' })
    await t.rejects(stores.ledger.append(op), { code: 'ledger_unavailable' })
    t.ok(performance.now() - started < 10_000)
    await read
    server.resume()
    await until('it is back', async () => await usedOf(stores, org) === '1')
    t.match(await stores.ledger.append(op), { usedAfter: amountOf(3), duplicate: false })
  })
