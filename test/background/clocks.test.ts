import { test } from 'tap'
import { sweepClocks } from '../../src/background/clocks.ts'
import { amountOf } from '../../src/domain/amount.ts'
import { databaseKinds } from '../storage/databases.ts'
import { ask, openLedger } from '../storage/ledger-fixture.ts'

const DAY_MS = 24 * 3_600_000
const MINUTE_MS = 60_000
const TABLES = ['orgs', 'subscriptions', 'overrides', 'events', 'counters', 'keys']

for (const { name, missing, open } of databaseKinds) {
  test(`test clocks in the background on ${name}`, { skip: missing }, async t => {
    const database = await open(t)
    const { stores } = await openLedger(t, { database })
    const other = (await openLedger(t, { database })).stores
    const { clocks, environments } = stores
    const present = Date.parse('2020-01-31T00:00:00Z')
    const start = Date.now()
    let made = 0

    async function newClock (): Promise<string> {
      const id = `clock-${(made += 1)}`
      await clocks.add({ id, parent: 'test', present })
      return id
    }

    const exists = async (id: string): Promise<boolean> => await environments.get(id) !== undefined
    const stored = async (id: string): Promise<boolean> => (await ask(database, `select 1 from environments where name = '${id}'`)).length > 0
    async function rows (): Promise<Record<string, number>> {
      const [counts] = await ask(database, `select ${TABLES.map(table => `(select count(*)::int from ${table})`).join()}`) as [number[]]
      return Object.fromEntries(TABLES.map((table, i) => [table, counts[i] as number]))
    }

    /** Orgs that hold, used and were granted something. @param events of each org, besides the one that was reported */
    async function fill (environment: string, orgs: number, events = 0): Promise<void> {
      const plan = await stores.catalog.find(environment, { name: 'plan:base', version: '1' })
      if (plan === undefined) throw new Error('the plan is the parent\'s')
      const row = { plan: plan.plan.ref, feature: null, startsAt: present, endsAt: null, anchorAt: present, phaseAt: present }
      for (let i = 0; i < orgs; i += 1) {
        const { org } = await stores.subscriptions.change(environment, `org:${i}`, present, async locked => {
          await locked.reschedule({ end: [], remove: [], add: [{ ...row, status: 'active', timeZone: 'UTC' }] }, () => plan)
        })
        await stores.ledger.append({
          org,
          feature: 'feature:calls',
          kind: 'report',
          mode: 'add',
          amount: amountOf(1),
          at: present,
          fixedNow: present,
          atIsNow: false,
          id: `${environment}-${i}`,
          idGiven: true,
          fingerprint: '00000000-0000-0000-0000-000000000000',
          properties: null
        })
        await ask(database, `insert into overrides (org, feature, starts_at, reason) select ${org.key}, feature, starts_at, 'test'
          from (select feature, window_start as starts_at from events where org = ${org.key} limit 1) used`)
        await ask(database, `insert into events (org, id, feature, at, window_start, amount, mode, delta, used_after, fingerprint)
          select org, 'more-' || n, feature, at, window_start, 1, 'add', 1, n, fingerprint
          from events, generate_series(1, ${events}) n where org = ${org.key} and id = '${environment}-${i}'`)
      }
      await ask(database, `insert into keys (id, environment, name, kind, scopes, prefix, digest)
        values (gen_random_uuid(), '${environment}', '', 'private', '{}', '', '${environment}')`)
    }

    await t.test('a clock that no call has named for 30 days is deleted; until then it is kept', async t => {
      const [unused, used] = [await newClock(), await newClock()]
      const clock = await environments.get(used)
      if (clock === undefined) throw new Error('it was just made')
      await clocks.used(clock, start + 10 * DAY_MS)
      await sweepClocks(stores, start + 30 * DAY_MS - MINUTE_MS)
      t.strictSame([await exists(unused), await exists(used)], [true, true])
      await sweepClocks(stores, start + 30 * DAY_MS + MINUTE_MS)
      t.strictSame([await exists(unused), await exists(used)], [false, true])
      await sweepClocks(stores, start + 40 * DAY_MS + MINUTE_MS)
      t.strictSame([await exists(unused), await exists(used)], [false, false])
      t.ok(await exists('test') && await exists('live'), 'an environment that is no clock stays, however old it is')
    })

    await t.test('its use is noted at most once an hour, also by calls at the same time', async t => {
      const id = await newClock()
      const lastUsed = async (): Promise<number | undefined> => (await environments.get(id))?.lastUsedAt
      const made = await lastUsed() as number
      const use = async (at: number): Promise<void> => {
        const clock = await environments.get(id)
        if (clock !== undefined) await Promise.all([clocks.used(clock, at), clocks.used(clock, at), other.clocks.used(clock, at - 1)])
      }
      await use(made + 59 * MINUTE_MS)
      t.equal(await lastUsed(), made)
      await use(made + 61 * MINUTE_MS)
      t.equal(await lastUsed(), made + 61 * MINUTE_MS)
      await use(made + 62 * MINUTE_MS)
      t.equal(await lastUsed(), made + 61 * MINUTE_MS)
    })

    await t.test('a deleted clock is gone for everybody at once, its rows a minute later, and nobody else\'s', async t => {
      await fill('test', 2)
      const kept = await newClock()
      await fill(kept, 2)
      const before = await rows()
      const id = await newClock()
      await fill(id, 3)
      const filled = await rows()
      t.strictSame(TABLES.filter(table => filled[table] === before[table]), [], 'there is something in every table')
      const at = Date.now()
      t.ok(await clocks.remove(id, 'test', at))
      t.notOk(await clocks.remove(id, 'test', at), 'once')
      t.strictSame([await exists(id), await other.environments.get(id)], [false, undefined])
      await sweepClocks(stores, at + MINUTE_MS)
      t.strictSame([await stored(id), await rows()], [true, filled], 'what was under way may end')
      await sweepClocks(stores, at + MINUTE_MS + 1)
      t.strictSame([await stored(id), await rows()], [false, before])
      t.ok(await exists(kept))
    })

    await t.test('its rows go page by page, and another replica goes on where one stopped', async t => {
      const before = await rows()
      const id = await newClock()
      await fill(id, 3, 4_000)
      const at = Date.now()
      await clocks.remove(id, 'test', at)
      const left: unknown[] = []
      for (const { clocks } of [stores, other, stores, other, stores]) left.push(await clocks.purge(at + 1), (await rows()).events)
      const { events = NaN } = before
      t.strictSame(left, [true, events + 7_003, true, events + 2_003, true, events, true, events, false, events])
      t.strictSame([await stored(id), await rows()], [false, before])
    })

    await t.test('a sweep that is told to stop stops between pages', async t => {
      const id = await newClock()
      const at = Date.now()
      await clocks.remove(id, 'test', at)
      await sweepClocks(stores, at + 2 * MINUTE_MS, AbortSignal.abort())
      t.ok(await stored(id))
      await sweepClocks(stores, at + 2 * MINUTE_MS)
      t.notOk(await stored(id))
    })

    await t.test('many replicas at once delete each thing once', async t => {
      const before = await rows()
      const ids = await Promise.all([newClock(), newClock(), newClock()])
      for (const id of ids) await fill(id, 2)
      for (const id of ids) await clocks.remove(id, 'test', Date.now())
      const now = Date.now() + 2 * MINUTE_MS
      await Promise.all([stores, other, stores, other].map(async it => await sweepClocks(it, now)))
      await sweepClocks(stores, now)
      t.strictSame([await rows(), await Promise.all(ids.map(stored))], [before, [false, false, false]])
    })
  })
}
