import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'tap'
import type { Org } from '../../src/domain/org.ts'
import type { Database } from '../../src/storage/database.ts'
import { type EventFilter, eventLog, type EventPlace } from '../../src/storage/event-log.ts'
import { databaseKinds } from './databases.ts'
import { ask, DAY, moveTo, newOrg, NOON, openLedger, opOf, START } from './ledger-fixture.ts'

const ALL: EventFilter = { from: null, to: null }
const PAGE_MAX = 1_000
const HOUR = 3_600_000

for (const { name, missing, open } of databaseKinds) {
  test(`reading events on ${name}`, { skip: missing }, async t => {
    const database = await open(t)
    const { stores } = await openLedger(t, { database })
    const { eventLog: log } = stores

    await t.test('pages of an org taken one after the other are the whole, the latest use first, whatever happened at once', async t => {
      const org = await newOrg(stores)
      const other = await newOrg(stores)
      const uses = fc.record({ feature: fc.constantFrom('feature:calls', 'feature:visits', 'feature:storage'), hour: fc.nat(3) })
      const ops = fc.sample(uses, { numRuns: 60, seed: 1 })
        .map(({ feature, hour }) => opOf(org, 1, { feature, at: START + hour * HOUR }))
      await Promise.all([...ops, opOf(other, 1)].map(async op => await stores.ledger.append(op)))
      const seqOf = new Map(await ask(database, 'select id, seq from events where org = $1::int', org.key) as Array<[string, string]>)
      const keyOf = (feature: string): number => org.features.get(feature)?.key as number
      for (const feature of [undefined, 'feature:calls', 'feature:seats']) {
        for (const [from, to] of [[null, null], [START + HOUR, null], [null, START + HOUR], [START + 1, START + 2 * HOUR]] as const) {
          const filter = { from, to }
          const wanted = ops
            .filter(op => (feature ?? op.feature) === op.feature && op.at >= (from ?? -Infinity) && op.at < (to ?? Infinity))
            .sort((a, b) => b.at - a.at || Number(seqOf.get(b.id)) - Number(seqOf.get(a.id)))
          for (const size of [1, 7, 60]) {
            const found = await pagesOf(org, feature === undefined ? undefined : keyOf(feature), filter, size)
            t.strictSame(found, wanted.map(({ id }) => id), `${String(feature)}, ${JSON.stringify(filter)}, pages of ${size}`)
          }
        }
      }
    })

    async function pagesOf (org: Org, feature: number | undefined, filter: EventFilter, size: number): Promise<string[]> {
      const ids: string[] = []
      for (let before: EventPlace | null = null; ;) {
        const page = await log.newest(org.key, feature, filter, before, size)
        ids.push(...page.map(({ id }) => id))
        before = page.at(-1) ?? null
        if (page.length < size) return ids
      }
    }

    await t.test('an event is shown as it was recorded, also of a feature that is no longer held', async t => {
      const org = await newOrg(stores)
      await stores.ledger.append(opOf(org, 5))
      const op = opOf(org, 2, { mode: 'set', properties: '{"region":"eu"}' })
      await stores.ledger.append(op)
      await moveTo(stores, org.name, 'bare', START + DAY)
      const event = await log.find(org.key, op.id)
      t.hasStrict(event, {
        id: op.id,
        org: org.name,
        feature: 'feature:calls',
        amount: 2_000_000_000n,
        mode: 'set',
        at: NOON,
        window: { start: START, end: Date.parse('2024-04-01T00:00:00Z') },
        delta: -3_000_000_000n,
        usedAfter: 2_000_000_000n,
        limitAfter: 1_000_000_000_000n,
        refersTo: null,
        reason: null,
        actor: null,
        properties: { region: 'eu' }
      })
      t.strictSame((await log.newest(org.key, undefined, ALL, null, 1))[0], event)
      t.equal(await log.find(org.key, 'nothing'), undefined)
      t.equal(await log.find((await newOrg(stores)).key, op.id), undefined, 'an id belongs to its org')
    })

    await t.test('an answered report is in the next page of arrivals, of its environment alone', async t => {
      const org = await newOrg(stores)
      let after = await log.end()
      for (const feature of ['feature:calls', 'feature:visits', 'feature:calls']) {
        const op = opOf(org, 1, { feature })
        await stores.ledger.append(op)
        const page = await log.arrivals('test', undefined, ALL, after, PAGE_MAX)
        t.strictSame([page.events.map(({ id }) => id), page.more], [[op.id], false])
        t.strictSame((await log.arrivals('live', undefined, ALL, after, PAGE_MAX)).events, [])
        const calls = await log.arrivals('test', await log.featureKey('test', 'feature:calls'), ALL, after, PAGE_MAX)
        t.equal(calls.events.length, feature === 'feature:calls' ? 1 : 0)
        t.equal((await log.arrivals('test', undefined, { from: NOON + 1, to: null }, after, PAGE_MAX)).events.length, 0)
        after = page.readTo
      }
      t.equal(await log.featureKey('live', 'feature:calls'), undefined)
    })

    await t.test('what a deleted org used is not shown', async t => {
      const org = await newOrg(stores)
      const after = await log.end()
      await stores.ledger.append(opOf(org, 1))
      await ask(database, 'update orgs set deleted_at = now() where id = $1::int', org.key)
      t.strictSame((await log.arrivals('test', undefined, ALL, after, PAGE_MAX)).events, [])
    })

    await t.test('few events among many of others: no statement walks far, and each page gets on', async t => {
      const org = await newOrg(stores)
      const foreign = await foreignOrg(database)
      const first = opOf(org, 1)
      const last = opOf(org, 1)
      const start = await log.end()
      await stores.ledger.append(first)
      await fill(database, foreign, 60_000)
      await stores.ledger.append(last)
      const pages = [await log.arrivals('test', undefined, ALL, start, PAGE_MAX)]
      while (pages.at(-1)?.more === true) pages.push(await log.arrivals('test', undefined, ALL, pages.at(-1)?.readTo as number, PAGE_MAX))
      t.strictSame(pages.map(({ events }) => events.map(({ id }) => id)), [[first.id], [last.id]])
      await ask(database, 'delete from events where org = $1::int', foreign)
      const thinned = await log.arrivals('test', undefined, ALL, start, PAGE_MAX)
      t.strictSame([thinned.events.map(({ id }) => id), thinned.more], [[first.id, last.id], false], 'where events were deleted, it steps over the gap')
    })

    await t.test('each statement is answered from its index', async t => {
      const org = await newOrg(stores)
      const after = await log.end()
      await fill(database, org.key, 3_000)
      await ask(database, 'analyze events')
      const plans: string[] = []
      const explained: Database = {
        ...database,
        run: async statements => {
          for (const { text, params } of statements) {
            if (/\bfrom events\b/.test(text)) plans.push(await planOf(database, text, params))
          }
          return await database.run(statements)
        }
      }
      const watched = eventLog(explained)
      t.equal((await watched.newest(org.key, undefined, ALL, null, 10)).length, 10)
      t.equal((await watched.arrivals('test', undefined, ALL, after, 10)).events.length, 10)
      await watched.find(org.key, 'x')
      const [used = '', newest = '', arrivals = '', one = ''] = plans
      for (const plan of [used, newest]) t.match(plan, /events_org_feature_at/)
      t.match(newest, /Index Scan Backward using events_org_feature_at/)
      t.ok(rowsOf(newest) < 50, `a page of 10 takes ${rowsOf(newest)} rows of 3,000`)
      t.match(arrivals, /Index Only Scan using events_seq/)
      t.match(arrivals, /Index Scan using events_seq on events e/)
      t.match(one, /events_org_id_pk/)
      for (const plan of plans) t.notMatch(plan, /Seq Scan|Hash Join|Merge Join/)
    })
  })
}

/** The plan that is used, made without knowledge of the parameters, and what it met. */
async function planOf (database: Database, text: string, params: readonly unknown[]): Promise<string> {
  const literals = params.map(param => typeof param === 'string' ? `'${param}'` : String(param)).join(', ')
  return await database.transaction(async session => {
    await session.run([{ text: `prepare watched as ${text}`, params: [] }])
    const [result] = await session.run([{ text: `explain (analyze, costs off, timing off) execute watched (${literals})`, params: [] }])
    await session.run([{ text: 'deallocate watched', params: [] }])
    return result?.rows.map(([line]) => line).join('\n') ?? ''
  })
}

/** The most rows that one step of a plan took. */
function rowsOf (plan: string): number {
  const taken = [...plan.matchAll(/actual rows=([\d.]+) loops=(\d+)/g)].map(([, rows, loops]) => Number(rows) * Number(loops))
  const dropped = [...plan.matchAll(/Rows Removed by Filter: (\d+)/g)].map(([, rows]) => Number(rows))
  return Math.max(...taken, ...dropped)
}

/** An org of another environment. */
async function foreignOrg (database: Database): Promise<number> {
  const [key] = await ask(database, "insert into orgs (environment, name) values ('live', $1) returning id", `org:${randomUUID()}`)
  return key as number
}

/** Many events of one org at once; how they count is nothing to a reader. */
async function fill (database: Database, org: number, count: number): Promise<void> {
  await ask(database, `
    insert into events (org, id, feature, at, window_start, amount, mode, delta, used_after, fingerprint)
    select $1::int, i::text, (select min(id) from features), '2024-03-01'::timestamptz + i * interval '1 second', '2024-03-01',
      1, 'add', 1, i, gen_random_uuid()
    from generate_series(1, $2::int) i`, org, count)
}
