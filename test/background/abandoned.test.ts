import postgres from 'postgres'
import t from 'tap'
import { startJobs } from '../../src/background/jobs.ts'
import { openApi } from '../fixtures/api.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { until } from '../storage/until.ts'

t.test('a transaction whose process is not heard of any more is ended, and told', { skip: postgresMissing }, async t => {
  const databaseUrl = await freshLedger(t)
  const { stores, report, subscribe, push } = await openApi(t, { databaseUrl })
  await push({ 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } } })
  await subscribe('org:a', 'plan:free@0')
  // As one of Tollgate that died in the middle of a statement, but for the timeouts, of which none counts that.
  const dead = postgres(databaseUrl, { max: 1, connection: { application_name: 'tollgate' } })
  t.teardown(async () => await dead.end({ timeout: 0 }))
  await dead.unsafe('begin')
  await dead`select id from orgs for update`
  t.hasStrict(await report('org:a', 'feature:calls'), { status: 503, code: 'ledger_unavailable' }, 'it has the lock')
  const told: number[] = []
  const jobs = startJobs(stores, {
    eventsKeptDays: undefined,
    eventsPruned: () => {},
    transactionsAbandoned: transactions => told.push(transactions),
    warn: error => t.fail(String(error))
  })
  t.teardown(jobs.stop)
  await until('it is ended', () => told.length > 0)
  t.strictSame(told, [1])
  t.hasStrict(await report('org:a', 'feature:calls'), { used: 1 })
})
