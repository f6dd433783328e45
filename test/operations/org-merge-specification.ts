import fc from 'fast-check'
import type { Test } from 'tap'
import { purgeDeletedOrgs } from '../../src/background/deleted-orgs.ts'
import type { Api, Body } from '../fixtures/api.ts'
import { everyPage } from '../fixtures/pages.ts'

const PLANS = {
  'plan:small@1': { features: { 'feature:calls': { tiers: [{ upto: 100 }] }, 'feature:peak': { tiers: [{ upto: 100 }], aggregate: 'max' } } },
  'plan:large@1': { features: { 'feature:calls': { tiers: [{ upto: 1_000 }] }, 'feature:jobs': { tiers: [{ upto: 50 }] } } }
}

/** What merging one org into another promises, whatever stores are underneath. */
export async function orgMergeSpecification (t: Test, api: Api): Promise<void> {
  let orgs = 0
  /** Two orgs of the test's own. */
  const two = (): [string, string] => {
    orgs += 1
    return [`org:kept-${orgs}`, `org:old-${orgs}`]
  }
  const merge = async (kept: string, from: string): Promise<Body> => (await api.post(`/v1/orgs/${kept}/merge`, { from })).body
  /** By the starts of windows: what `GET /v1/usage` says was used. */
  const windows = async (org: string, feature = 'feature:calls'): Promise<Record<string, number>> => {
    const { current, past } = await api.usage(org, feature)
    return Object.fromEntries([current, ...past].map(({ start, used }: Body) => [start.slice(0, 10), used]))
  }
  const report = async (org: string, n: number, more: Body = {}): Promise<Body> => await api.report(org, 'feature:calls', n, more)
  const sound = async (t: Test, org: string): Promise<void> => {
    const { ok, differences } = (await api.post('/v1/verify', { org })).body
    t.strictSame({ ok, differences }, { ok: true, differences: [] }, 'counters are what their events say')
  }
  const idsOf = async (org: string): Promise<string[]> => ((await api.get('/v1/events', { org })).body.events as Body[]).map(({ id }) => id).sort()
  /** Both subscribed on the same day, so that they have the same windows. */
  const subscribed = async (plans: [string, string] = ['plan:small@1', 'plan:small@1']): Promise<[string, string]> => {
    const pair = two()
    await api.on('2024-01-01')
    for (const [i, org] of pair.entries()) await api.subscribe(org, plans[i] as string)
    return pair
  }
  await api.on('2024-01-01')
  await api.push(PLANS)

  await t.test('usage of both adds up, window by window, and the other org is gone', async t => {
    const [kept, old] = await subscribed()
    await report(kept, 5, { id: 'a' })
    await report(old, 7, { id: 'b' })
    await api.report(old, 'feature:peak', 9)
    await api.on('2024-02-10')
    await report(kept, 1)
    await api.report(kept, 'feature:peak', 4)
    await report(old, 2.5, { id: 'c' })
    await api.on('2024-03-15')
    await report(old, 3)
    const [first, second] = [await api.get(`/v1/orgs/${kept}`), await api.get(`/v1/orgs/${old}`)].map(({ body }) => body.subscriptions[0].id)
    t.hasStrict(await merge(kept, old), { org: kept, subscriptions: [{ id: first, org: kept }, { id: second, org: kept }] })
    t.strictSame(await windows(kept), { '2024-03-01': 3, '2024-02-01': 3.5, '2024-01-01': 12 })
    t.strictSame(await windows(kept, 'feature:peak'), { '2024-03-01': 0, '2024-02-01': 4, '2024-01-01': 9 })
    t.hasStrict(await api.can(kept, 'feature:calls', 97), { ok: true, used: 3, limit: 100 })
    t.hasStrict(await api.can(kept, 'feature:calls', 98), { ok: false, used: 3 })
    await sound(t, kept)
    await purgeDeletedOrgs(api.stores)
    t.hasStrict(await merge(kept, old), { org: kept }, 'once it is merged, this says so again')
    t.strictSame(await windows(kept), { '2024-03-01': 3, '2024-02-01': 3.5, '2024-01-01': 12 })
  })

  await t.test('an org that held nothing takes over what the other one had', async t => {
    const [kept, old] = two()
    await api.on('2024-01-10')
    await api.post('/v1/subscribe', { org: kept, info: { name: 'Kept', metadata: { a: '1', b: '1' } } })
    await api.subscribe(old, 'plan:small@1')
    await api.post('/v1/subscribe', { org: old, info: { name: 'Old', email: 'old@example.com', metadata: { a: '2', c: '2' } } })
    await report(old, 5)
    await api.on('2024-02-20')
    await report(old, 6)
    t.hasStrict(await merge(kept, old), { plans: ['plan:small@1'], info: { name: 'Kept', email: 'old@example.com', metadata: { a: '1', b: '1', c: '2' } } })
    t.strictSame(await windows(kept), { '2024-02-10': 6, '2024-01-10': 5 })
    await sound(t, kept)
  })

  await t.test('equal event ids become <old id>/<id>, and both ids of the org find them', async t => {
    const [kept, old] = await subscribed()
    await report(kept, 1, { id: 'same' })
    await report(old, 2, { id: 'same' })
    await report(old, 4, { id: 'own' })
    await api.post('/v1/events/same/amend', { org: old, n: 3 })
    await merge(kept, old)
    const name = old.slice('org:'.length)
    t.ok((await idsOf(kept)).includes(`${name}/same`))
    t.strictSame(await idsOf(old), await idsOf(kept), 'the old id leads to the org that is kept')
    const n = async (org: string, id: string): Promise<Body> => (await api.get(`/v1/events/${encodeURIComponent(id)}`, { org })).body
    t.hasStrict(await n(kept, 'same'), { org: kept, n: 1 })
    t.hasStrict(await n(old, 'same'), { id: `${name}/same`, n: 2, countsAs: 3 })
    t.hasStrict(await n(kept, `${name}/same`), { n: 2, countsAs: 3 })
    for (const org of [kept, old]) t.hasStrict(await n(org, 'own'), { n: 4 })
    t.hasStrict(await report(old, 4, { id: 'own' }), { duplicate: true }, 'sent again, it is known')
    t.hasStrict(await report(old, 2, { id: 'same' }), { duplicate: true, id: 'same' })
    t.hasStrict(await report(kept, 1, { id: 'same' }), { duplicate: true })
    t.hasStrict(await report(old, 10, { id: 'new' }), { used: 18, duplicate: false })
    t.hasStrict((await api.post(`/v1/events/${encodeURIComponent(`${name}/same`)}/void`, { org: kept })).body, { used: 15 })
    await sound(t, kept)
  })

  await t.test('the old id leads to the org that is kept, in every call, until somebody else has it', async t => {
    const [kept, old] = await subscribed()
    await report(kept, 5)
    await merge(kept, old)
    t.hasStrict(await api.can(old, 'feature:calls'), { ok: true, used: 5 })
    t.hasStrict((await api.get(`/v1/orgs/${old}`)).body, { org: kept })
    t.hasStrict((await api.post('/v1/consume', { org: old, feature: 'feature:calls', n: 2 })).body, { ok: true, used: 7 })
    await api.subscribe(old, 'plan:large@1')
    t.hasStrict((await api.get(`/v1/orgs/${kept}`)).body, { plans: ['plan:large@1'] })
    const [third] = two()
    await api.subscribe(third, 'plan:small@1')
    await merge(third, kept)
    t.hasStrict(await api.can(old, 'feature:calls'), { used: 7 }, 'also when that is merged in its turn')
  })

  await t.test('plans that cut windows otherwise: each use counts in the window in which it was', async t => {
    const [kept, old] = two()
    await api.on('2024-01-10')
    await api.subscribe(kept, 'plan:small@1')
    for (const at of ['2024-01-10', '2024-01-25', '2024-02-12']) {
      await api.on(at)
      await report(kept, 1)
    }
    await api.on('2024-02-20')
    await api.subscribe(old, 'plan:large@1')
    await report(old, 10)
    await api.on('2024-03-12')
    await report(kept, 1)
    await report(old, 10)
    await api.report(old, 'feature:jobs', 3)
    await api.on('2024-03-25')
    await report(old, 100)
    await merge(kept, old)
    t.hasStrict(await api.can(kept, 'feature:calls'), { limit: 1_000 }, 'the highest limit decides')
    t.strictSame(await windows(kept), { '2024-03-20': 100, '2024-02-20': 21, '2024-02-10': 1, '2024-01-10': 2 })
    t.strictSame(await windows(kept, 'feature:jobs'), { '2024-03-20': 0, '2024-02-20': 3 })
    await sound(t, kept)
  })

  await t.test('a total that was set is that of its own org', async t => {
    const [kept, old] = await subscribed()
    await report(kept, 5, { id: 'k' })
    await report(old, 9)
    await report(old, 3, { clobber: true })
    await report(kept, 4, { clobber: true })
    await report(old, -10)
    await report(old, 2, { id: 'o' })
    await merge(kept, old)
    t.hasStrict(await api.can(kept, 'feature:calls'), { used: 6 })
    await sound(t, kept)
    await api.database.run([{ text: 'delete from counters where org = (select id from orgs where name = $1)', params: [kept] }])
    t.strictSame(await windows(kept), { '2024-01-01': 6 }, 'also when it is added up anew')
  })

  await t.test('thousands of events move, page by page', async t => {
    const [kept, old] = await subscribed(['plan:large@1', 'plan:large@1'])
    for (const [org, count] of [[kept, 10], [old, 1_000], [old, 500]] as const) {
      const reports = Array.from({ length: count }, (_, i) => ({ org, feature: 'feature:calls', n: 0.5, id: `p-${count}-${i}` }))
      await api.post('/v1/reports', { reports })
    }
    await merge(kept, old)
    t.hasStrict(await api.can(kept, 'feature:calls'), { used: 755 })
    await sound(t, kept)
  })

  await t.test('what was used and whose events were deleted for their age is not lost', async t => {
    const [kept, old] = await subscribed()
    await report(kept, 1)
    await report(old, 7)
    await api.report(old, 'feature:peak', 6)
    await api.on('2024-02-10')
    await report(old, 2)
    await api.database.run([{
      text: "delete from events where at < '2024-02-01' and org = (select id from orgs where environment = 'test' and name = $1)", params: [old]
    }])
    await api.database.run([{ text: "update ledger set events_kept_since = '2024-02-01'", params: [] }])
    await merge(kept, old)
    t.strictSame(await windows(kept), { '2024-02-01': 2, '2024-01-01': 8 })
    t.strictSame(await windows(kept, 'feature:peak'), { '2024-02-01': 0, '2024-01-01': 6 })
    await sound(t, kept)
    await api.database.run([{ text: 'update ledger set events_kept_since = null', params: [] }])
  })

  await t.test('reservations of both hold, and are committed by their ids', async t => {
    const [kept, old] = await subscribed()
    const hold = async (org: string, n: number, id: string): Promise<Body> =>
      (await api.post('/v1/reservations', { org, feature: 'feature:calls', n, id, ttlSeconds: 3_600 })).body
    await hold(kept, 10, `job-${orgs}`)
    await hold(old, 20, `job-${orgs}`)
    await hold(old, 30, `other-${orgs}`)
    await merge(kept, old)
    t.hasStrict(await api.can(kept, 'feature:calls'), { used: 0, reserved: 60, remaining: 40 })
    await sound(t, kept)
    t.hasStrict((await api.post(`/v1/reservations/other-${orgs}/commit`, { org: kept })).body, { ok: true, used: 30, reserved: 30 })
    const renamed = encodeURIComponent(`${old.slice('org:'.length)}/job-${orgs}`)
    t.hasStrict((await api.post(`/v1/reservations/${renamed}/release`, { org: kept })).body, { state: 'released' })
    t.hasStrict(await api.can(kept, 'feature:calls'), { used: 30, reserved: 10 })
    await sound(t, kept)
  })

  await t.test('overrides come along; where both have one at the same time, the one of the org that is kept stays', async t => {
    const [kept, old] = await subscribed(['plan:small@1', 'plan:large@1'])
    const override = async (org: string, feature: string, limit: number): Promise<number> =>
      (await api.send({ method: 'PUT', url: `/v1/orgs/${org}/overrides/${feature}`, payload: { limit, reason: 'for a test' } })).status
    for (const [org, feature, limit] of [[kept, 'feature:calls', 7], [old, 'feature:calls', 8], [old, 'feature:jobs', 9]] as const) {
      t.equal(await override(org, feature, limit), 200)
    }
    await merge(kept, old)
    t.hasStrict(await api.can(kept, 'feature:calls'), { limit: 7 })
    t.hasStrict(await api.can(kept, 'feature:jobs'), { limit: 9 })
  })

  await t.test('orgs that may be duplicates are listed: with an e-mail that others have, or without a billing id', async t => {
    const other = await api.as('prv_lists_0123456789abcdef')
    const people = ['a,x@example.com,', 'b,,cus_b', 'c,X@Example.com,cus_c', 'd,y@example.com,', 'e,z@example.com,', 'f,Y@example.com,']
    for (const [name, email, billingId] of people.map(line => line.split(','))) {
      await other.database.run([{
        text: "insert into orgs (environment, name, info) values ('lists', $1, $2::jsonb)",
        params: [`org:${name}`, JSON.stringify({ ...(email !== '' && { email }), ...(billingId !== '' && { billingId }) })]
      }])
    }
    for (const limit of ['1', '50']) {
      const list = async (query: Record<string, string>): Promise<string[]> =>
        (await everyPage(other, '/v1/orgs', 'orgs', { ...query, limit })).flat().map(({ org }) => org)
      t.strictSame(await list({ shared: 'email' }), ['org:a', 'org:c', 'org:d', 'org:f'], 'those that share one stand together')
      t.strictSame(await list({ missing: 'billingId' }), ['org:a', 'org:d', 'org:e', 'org:f'])
    }
    await other.post('/v1/orgs/org:a/merge', { from: 'org:c' })
    t.hasStrict((await other.get('/v1/orgs', { shared: 'email' })).body, { orgs: [{ org: 'org:d' }, { org: 'org:f' }] })
    t.hasStrict((await other.get('/v1/orgs', { shared: 'email', prefix: 'org:a' })).body, { status: 400, errors: [{ pointer: '?shared' }] })
  })

  await t.test('an org that is not there, itself, and what is no id are refused', async t => {
    const [kept, old] = await subscribed()
    t.hasStrict(await merge(kept, 'org:nobody'), { status: 400, code: 'org_not_found', errors: [{ pointer: '/from' }] })
    t.hasStrict(await merge('org:nobody', old), { status: 404, code: 'not_found' })
    t.hasStrict(await merge(kept, kept), { status: 409, code: 'org_conflict' })
    t.hasStrict(await merge(kept, 'old'), { status: 400, code: 'invalid_request', errors: [{ pointer: '/from' }] })
    t.hasStrict(await api.can(old, 'feature:calls'), { ok: true }, 'nothing has happened')
  })

  await t.test('nothing that is reported meanwhile is lost or counted twice', async t => {
    const [kept, old] = await subscribed()
    const reports = Array.from({ length: 60 }, (_, i) => [kept, old][i % 2] as string)
    const sent = reports.map(async (org, i) => await report(org, 1, { id: `m-${i}` }))
    const [, ...answers] = await Promise.all([merge(kept, old), ...sent])
    t.ok(answers.every(({ used }) => used > 0), 'each was counted')
    t.hasStrict(await api.can(kept, 'feature:calls'), { used: 60 })
    await sound(t, kept)
  })

  await t.test('any use of any two orgs: what both have used is what the merged one has', async () => {
    const day = fc.integer({ min: 0, max: 90 })
    const use = fc.record({ old: fc.boolean(), day, n: fc.integer({ min: 0, max: 9 }) })
    await fc.assert(fc.asyncProperty(fc.array(use, { maxLength: 25 }), async uses => {
      const [kept, old] = await subscribed(['plan:small@1', 'plan:small@1'])
      await api.on('2024-03-31')
      for (const { old: isOld, day, n } of uses) {
        await report(isOld ? old : kept, n, { at: new Date(Date.UTC(2024, 0, 1 + day, 12)).toISOString() })
      }
      const [a, b] = [await windows(kept), await windows(old)]
      await merge(kept, old)
      const sums = Object.fromEntries(Object.keys({ ...a, ...b }).map(start => [start, (a[start] ?? 0) + (b[start] ?? 0)]))
      const merged = await windows(kept)
      for (const start of Object.keys(sums)) if (merged[start] !== sums[start]) throw new Error(`${start}: ${merged[start]}, not ${sums[start]}`)
      const { ok } = (await api.post('/v1/verify', { org: kept })).body
      if (ok !== true) throw new Error('verify finds differences')
    }), { numRuns: 6 })
  })
}
