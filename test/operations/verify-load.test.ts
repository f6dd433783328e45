import t from 'tap'
import { type Api, type Body, openApi } from '../fixtures/api.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { freshRedis, redisMissing } from '../fixtures/redis.ts'
import { CALLS, OF, only, push, sql, used, verified } from './verify-specification.ts'

const SKIP = { skip: postgresMissing || redisMissing }
/** More than one statement reads, and more than one call. */
const MANY = 60_000
const DAY_MS = 86_400_000

const servers = {
  on: 'servers',
  databaseUrl: SKIP.skip === false ? await freshLedger(t) : '',
  redisUrl: SKIP.skip === false ? await freshRedis(t) : ''
} as const

/** As if they had been reported one by one, a second apart, into the window of what was reported before. */
async function grow (api: Api, org: string, events: number): Promise<void> {
  await sql(api, `
    with first as (select * from events where ${OF} order by seq desc limit 1), added as (
      insert into events (org, id, feature, at, window_start, window_end, amount, mode, delta, used_after, limit_after, fingerprint)
      select org, 'many-' || n, feature, window_start + n % 1000 * interval '1 second', window_start, window_end, 1, 'add', 1, used_after + n, limit_after, fingerprint
      from first, generate_series(1, ${events}) n order by n returning 1
    )
    update counters set used = used + ${events}, version = version + ${events}, based_on = version where ${OF}`, org)
}

t.test('while everybody reports, consumes, reserves and corrects, nothing differs', SKIP, async t => {
  const [a, b] = [await openApi(t, servers), await openApi(t, servers)]
  await push(a)
  const orgs = Array.from({ length: 6 }, (_, i) => `org:${i}`)
  for (const org of orgs) await used(a, org, 2)
  await grow(a, 'org:0', MANY)
  let calls = 0
  const stop = new AbortController()

  /** One caller of `api`: whatever changes a counter, in an order of its own. */
  async function caller (api: Api, n: number): Promise<void> {
    for (let i = 0; !stop.signal.aborted; i += 1) {
      const org = orgs[(i * n) % orgs.length] as string
      const id = `${n}-${i}`
      const post = async (path: string, body: Body = {}): Promise<unknown> => (await api.post(`/v1/${path}`, { org, ...body })).body.code
      const codes = [
        await api.report(org, CALLS, i % 13, { id }),
        await api.report(org, 'feature:storage', i % 13, { at: new Date(Date.now() - DAY_MS * (i % 60)).toISOString() }),
        i % 4 === 0 ? await api.report(org, CALLS, i, { clobber: true }) : {}
      ].map(({ code }) => code as unknown)
      codes.push(await post('consume', { feature: CALLS, n: 2 }), await post('reservations', { feature: CALLS, n: 5, ttlSeconds: 1 + i % 3, id: `r${id}` }))
      if (i % 3 > 0) codes.push(await post(`reservations/r${id}/${i % 3 === 1 ? 'commit' : 'release'}`))
      // In the first org's window a correction reads all of it.
      if (i % 5 === 0 && org !== orgs[0]) codes.push(await post(`events/${id}/${i % 2 === 0 ? 'void' : 'amend'}`, i % 2 === 0 ? {} : { n: 3 }))
      const unexpected = codes.find(code => !['reservation_conflict', 'ledger_unavailable', undefined].includes(code as string | undefined))
      if (unexpected !== undefined) throw new Error(String(unexpected))
      calls += codes.length
    }
  }

  const callers = Array.from({ length: 8 }, async (_, n) => await caller(n % 2 === 0 ? a : b, n + 1))
  try {
    const rounds = [await verified(b), await verified(a), await verified(b, { repair: true }), await verified(a)]
    for (const { differences, mirror, pages, checked } of rounds) {
      t.strictSame(differences, [])
      t.equal(mirror, 'compared')
      t.ok(pages > 1, 'the long window took more than one call')
      t.ok(checked.events > MANY && checked.orgs === orgs.length)
    }
  } finally {
    stop.abort()
    await Promise.all(callers)
  }
  t.comment(`${calls} calls`)
  t.ok(calls > 50)

  await t.test('in a window of many events, what is wrong is found among those that came in the meantime', async t => {
    const org = 'org:0'
    await sql(a, `delete from events where ${OF} and id = 'many-40000'`, org)
    const missing = { kind: 'event_missing', missing: 1, after: { id: 'many-39999' }, before: { id: 'many-40001' } }
    await only(t, a, org, [missing])
    const next = async (cursor?: string): Promise<Body> => (await a.post('/v1/verify', { org, ...(cursor !== undefined && { cursor }) })).body
    let page = await next()
    const differences = [...page.differences]
    while (page.nextCursor !== null) {
      await b.report(org, CALLS, 3)
      page = await next(page.nextCursor)
      differences.push(...page.differences)
    }
    t.hasStrict(differences, [missing])
    await sql(a, `update counters set used = used + 5 where ${OF} and window_start = (select window_start from events where id = 'many-1')`, org)
    t.match((await verified(a, { org })).differences, [missing, { kind: 'event_missing', missing: 5, before: null }], 'a counter that is ahead of its last event')
  })
})

t.test('a long window whose counter was changed by hand is mended', SKIP, async t => {
  const api = await openApi(t, { ...servers, databaseUrl: await freshLedger(t) })
  await push(api)
  await used(api, 'org:long', 2)
  await grow(api, 'org:long', 30_000)
  t.hasStrict(await verified(api), { ok: true, checked: { events: 30_002 } })
  await sql(api, `update counters set used = 7 where ${OF}`, 'org:long')
  await only(t, api, 'org:long', [{ kind: 'counter_differs', stored: 7, expected: 30_003, mended: true }], { repair: true })
  t.hasStrict(await api.can('org:long', CALLS), { used: 30_003 })
  t.hasStrict(await verified(api), { ok: true, checked: { events: 30_002 } })
})
