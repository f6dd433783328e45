import { test } from 'tap'
import { PRUNE_EVERY_MS, pruneEvents } from '../../src/background/retention.ts'
import type { Instant } from '../../src/domain/entitlement.ts'
import type { Org } from '../../src/domain/org.ts'
import { verify } from '../../src/operations/verify.ts'
import type { Difference } from '../../src/operations/verify-round.ts'
import type { Stores } from '../../src/storage/stores.ts'
import { databaseKinds } from '../storage/databases.ts'
import { ask, DAY, moveTo, newOrg, NOON, openLedger, opOf, START, usedOf } from '../storage/ledger-fixture.ts'

/** Now: two months after the first events. Kept: what was used in the last 40 days. */
const NOW = START + 61 * DAY
const KEPT_DAYS = 40
const CUTOFF = NOW - KEPT_DAYS * DAY
const SECOND_MONTH = START + 32 * DAY

for (const { name, missing, open } of databaseKinds) {
  test(`events that are kept for a time on ${name}`, { skip: missing }, async t => {
    const database = await open(t)
    const { stores } = await openLedger(t, { database })
    const other = (await openLedger(t, { database })).stores
    await ask(database, "update environments set fixed_now = null where name = 'test'")

    const prune = async (now: Instant, by: Stores = stores, signal?: AbortSignal): Promise<number> => {
      let deleted = 0
      await pruneEvents(by, { keptDays: KEPT_DAYS, now, pruned: events => { deleted += events }, ...(signal !== undefined && { signal }) })
      return deleted
    }
    const idsOf = async (org: Org): Promise<unknown> => await ask(database, 'select id from events where org = $1 order by seq', org.key)
    const check = async (org: Org, repair = false): Promise<{ differences: readonly Difference[], pruned: number }> => {
      const { differences, checked: { pruned } } = await verify(stores, { environment: 'test', org: org.name, cursor: undefined, repair })
      return { differences, pruned }
    }
    const count = async (org: Org, id: string, at: Instant, more = {}) => await stores.ledger.append(opOf(org, 2, { id, at, ...more }))
    /** Forgets that anything was deleted, so that the next run is a first one. */
    const anew = async (): Promise<unknown> => await ask(database, 'update ledger set events_kept_since = null')

    await t.test('what was used before goes, with its id; figures stay, and what was used since', async t => {
      const org = await newOrg(stores)
      await count(org, 'old', NOON)
      await count(org, 'just before', CUTOFF - 1)
      await count(org, 'just then', CUTOFF)
      await count(org, 'new', SECOND_MONTH)
      t.equal(await prune(NOW), 2)
      t.strictSame(await idsOf(org), ['just then', 'new'])
      t.strictSame(await ask(database, 'select events_kept_since from ledger'), [new Date(CUTOFF).toISOString().replace('T', ' ').replace('.000Z', '+00')])
      t.strictSame([await usedOf(stores, org), await usedOf(stores, org, 'feature:calls', SECOND_MONTH)], ['6', '2'])
      t.equal((await count(org, 'new', SECOND_MONTH)).duplicate, true, 'what is kept is still a duplicate')
      t.strictSame(await check(org), { differences: [], pruned: 1 }, 'what is left of a window is not added up')
    })

    await t.test('late usage of a window that has lost events counts on top of what was there', async t => {
      await anew()
      const org = await newOrg(stores)
      await count(org, 'old', NOON)
      await prune(NOW)
      t.hasStrict(await count(org, 'late', NOON + 1), { usedAfter: 4_000_000_000n, duplicate: false })
      t.strictSame((await check(org)).differences, [])
      await prune(NOW + PRUNE_EVERY_MS)
      t.strictSame(await idsOf(org), [], 'and goes with the next run')
      t.equal(await usedOf(stores, org), '4')
    })

    await t.test('a window whose counter is not there has one before it loses the first event', async t => {
      await anew()
      const org = await newOrg(stores)
      for (const feature of ['feature:calls', 'feature:storage']) {
        await count(org, `${feature} old`, NOON, { feature })
        await count(org, `${feature} new`, CUTOFF, { feature })
      }
      await ask(database, 'delete from counters where org = $1', org.key)
      t.equal(await prune(NOW), 2)
      t.strictSame([await usedOf(stores, org), await usedOf(stores, org, 'feature:storage')], ['4', '2'])
      t.hasStrict(await count(org, 'earlier', CUTOFF - DAY, { feature: 'feature:storage', amount: 9n }), { usedAfter: 2_000_000_000n }, 'the last is the last')
      t.strictSame((await check(org)).differences, [])
    })

    await t.test('where it was deleted by hand since, it is what the last event left it at', async t => {
      await anew()
      const org = await newOrg(stores)
      for (const [id, at] of [['old', NOON], ['new', CUTOFF], ['newer', CUTOFF + 1]] as const) await count(org, id, at)
      await prune(NOW)
      await ask(database, 'delete from counters where org = $1', org.key)
      t.hasStrict((await check(org)).differences, [{ kind: 'counter_missing', expected: 6_000_000_000n, mended: false }])
      t.hasStrict((await check(org, true)).differences, [{ kind: 'counter_missing', mended: true }])
      t.equal(await usedOf(stores, org), '6')
      t.strictSame((await check(org)).differences, [])
      await ask(database, 'delete from counters where org = $1', org.key)
      t.hasStrict(await count(org, 'newest', CUTOFF + 2), { usedAfter: 8_000_000_000n }, 'the ledger takes that, too, and does not add up the rest')
      t.strictSame((await check(org)).differences, [])
    })

    await t.test('in bounded pages, whosever they are, and once among replicas', async t => {
      await anew()
      const orgs = [await newOrg(stores), await newOrg(stores)]
      for (const org of orgs) {
        await count(org, 'first', NOON)
        await ask(database, `insert into events (org, id, feature, at, window_start, window_end, amount, mode, delta, used_after, fingerprint)
          select org, 'more-' || n, feature, at + n * interval '1 second', window_start, window_end, 1, 'add', 1, 2 + n, fingerprint
          from events, generate_series(1, 1500) n where org = ${org.key}`)
        await ask(database, 'update counters set used = 1502, version = 1501 where org = $1', org.key)
      }
      const pages: number[] = []
      const aborted = new AbortController()
      await pruneEvents(stores, {
        keptDays: KEPT_DAYS,
        now: NOW,
        signal: aborted.signal,
        pruned: events => {
          pages.push(events)
          aborted.abort()
        }
      })
      t.strictSame(pages, [1_000], 'a job that is told to stop stops between two pages')
      t.equal(await prune(NOW, other), 0, 'it has been done lately')
      const [mine, theirs] = await Promise.all([prune(NOW + PRUNE_EVERY_MS), prune(NOW + PRUNE_EVERY_MS, other)])
      t.ok(Math.max(mine, theirs) >= 2_002)
      t.equal(Math.min(mine, theirs), 0, 'one of them did it')
      for (const org of orgs) t.strictSame([await idsOf(org), await usedOf(stores, org)], [[], '1502'])
    })

    await t.test('where time is frozen it does not pass', async t => {
      await anew()
      await stores.clocks.add({ id: 'clock-1', parent: 'test', present: NOON })
      const org = await moveTo(stores, 'org:frozen', 'base', START)
      await count(org, 'old', NOON)
      await ask(database, `update orgs set environment = 'clock-1' where id = ${org.key}`)
      t.equal(await prune(NOW), 0)
      await ask(database, `update orgs set environment = 'test' where id = ${org.key}`)
      await ask(database, 'update environments set fixed_now = \'2024-03-02\' where name = \'test\'')
      t.equal(await prune(NOW + PRUNE_EVERY_MS), 0)
      t.strictSame(await idsOf(org), ['old'])
    })
  })
}
