import t from 'tap'
import { openApi } from '../fixtures/api.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { redisMissing } from '../fixtures/redis.ts'
import { connection, ledgerBlocked } from '../storage/locks.ts'

/** Of a request; and so many requests take the turns of all. */
const [ITEMS_MAX, REQUESTS] = [1_000, 2]
/** For which the ledger waits for a lock. */
const LOCK_TIMEOUT_MS = 5_000

t.test('many items take turns, and nobody waits for long behind those that somebody holds up', { skip: postgresMissing || redisMissing }, async t => {
  const databaseUrl = await freshLedger(t)
  const api = await openApi(t, { on: 'servers', databaseUrl })
  await api.push({ 'plan:p@1': { features: { 'feature:calls': { tiers: [{}] } } } })
  const [held, free] = ['org:held', 'org:free']
  for (const org of [held, free]) await api.subscribe(org, 'plan:p@1')
  const send = async (org: string) => {
    const { status, body } = await api.post('/v1/reports', { reports: Array.from({ length: ITEMS_MAX }, () => ({ org, feature: 'feature:calls' })) })
    return [status, body.results?.at(-1)?.used ?? body.code]
  }

  await t.test('all are counted', async t => {
    const answers = await Promise.all(Array.from({ length: 2 * REQUESTS }, async () => await send(free)))
    t.strictSame(answers.map(([status]) => status), Array(2 * REQUESTS).fill(200))
    t.equal((await api.can(free, 'feature:calls')).used, 2 * REQUESTS * ITEMS_MAX)
  })

  await t.test('and those who can be, while others wait for a lock', async t => {
    const holder = await connection(t, databaseUrl)
    await holder.run(`begin; select id from orgs where name = '${held}' for no key update`)
    const stuck = Promise.all(Array.from({ length: REQUESTS }, async () => await send(held)))
    const watch = await connection(t, databaseUrl)
    await ledgerBlocked(watch)
    const started = performance.now()
    t.strictSame(await send(free), [200, (2 * REQUESTS + 1) * ITEMS_MAX])
    t.ok(performance.now() - started < LOCK_TIMEOUT_MS - 1_000, `after ${Math.round(performance.now() - started)} ms`)
    await holder.run('rollback')
    t.strictSame((await stuck).map(([status]) => status), [200, 200])
  })
})
