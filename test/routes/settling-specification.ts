import type { Test } from 'tap'
import type { Api } from '../fixtures/api.ts'
import { reserving, WINDOW } from './reserving.ts'

export async function settling (t: Test, api: Api): Promise<void> {
  const { newOrg, reserve, settle, one, figures } = reserving(api)

  await t.test('commit less, as much, or more, if the limit allows: the rest is free again', async t => {
    const org = await newOrg()
    const less = await reserve(org, 'feature:calls', 4, { id: 'less' })
    t.strictSame(await settle('commit', less, { n: 1.5 }), {
      ok: true,
      reason: 'within_limit',
      id: 'less',
      org,
      feature: 'feature:calls',
      n: 4,
      state: 'committed',
      at: '2024-03-10T00:00:00.000Z',
      expiresAt: '2024-03-10T00:01:00.000Z',
      window: WINDOW,
      event: 'less/commit',
      used: 1.5,
      reserved: 0,
      limit: 10,
      remaining: 8.5,
      overage: 0,
      expired: false,
      duplicate: false
    })
    t.hasStrict((await api.get('/v1/events/less%2Fcommit', { org })).body, { n: 1.5, mode: 'add', at: '2024-03-10T00:00:00.000Z', usedAfter: 1.5 })
    t.hasStrict(await settle('commit', await reserve(org, 'feature:calls', 2)), { ok: true, used: 3.5, remaining: 6.5 }, 'all of it, where nothing is said')
    t.hasStrict(await settle('commit', await reserve(org, 'feature:calls', 2), { n: 3 }), { ok: true, used: 6.5 })
    const more = await reserve(org, 'feature:calls', 2, { id: 'more' })
    t.hasStrict(await settle('commit', more, { n: 4 }), { ok: false, reason: 'limit_reached', id: 'more', used: 6.5, reserved: 0, expired: false })
    t.hasStrict(await one(more), { state: 'held' }, 'a refusal settles nothing')
    t.strictSame(await figures(org), [6.5, 2])
    t.hasStrict(await settle('commit', more, { n: 3.5 }), { ok: true, used: 10, remaining: 0 })
    const none = await reserve(org, 'feature:soft', 2)
    t.hasStrict(await settle('commit', none, { n: null }), { ok: true, used: 0 }, 'null is 0')
  })

  await t.test('what was held is counted, though the limit was lowered meanwhile', async t => {
    const org = await newOrg()
    const held = await reserve(org, 'feature:calls', 6)
    await api.send({ method: 'PUT', url: `/v1/orgs/${org}/overrides/feature:calls`, payload: { limit: 2, reason: 'a lower limit' } })
    t.hasStrict(await settle('commit', held, { n: 7 }), { ok: false })
    t.hasStrict(await settle('commit', held), { ok: true, used: 6, limit: 2, overage: 4 })
  })

  await t.test('a commit counts in the window of its hold, at the instant of the hold', async t => {
    const org = await newOrg()
    const held = await reserve(org, 'feature:calls', 4, { ttlSeconds: 7 * 86_400 })
    await api.on('2024-03-16T23:59:59.999Z')
    await api.subscribe(org, 'plan:daily@0')
    t.strictSame(await figures(org), [0, 0], 'a window that was cut keeps what is held in it')
    const cut = { start: WINDOW.start, end: '2024-03-16T23:59:59.999Z' }
    t.hasStrict(await settle('commit', held), { ok: true, used: 4, limit: 10, window: cut, at: '2024-03-10T00:00:00.000Z', expired: false })
    t.strictSame(await figures(org), [0, 0])
    t.hasStrict((await api.usage(org, 'feature:calls')).past[0], { ...cut, used: 4, reserved: 0 })
  })

  await t.test('a commit after the expiry counts if there is room, and says so', async t => {
    const org = await newOrg()
    const [room, tight] = [await reserve(org, 'feature:calls', 4), await reserve(org, 'feature:calls', 5)]
    await api.on('2024-03-10T00:01:00Z')
    t.hasStrict(await settle('commit', room), { ok: true, used: 4, reserved: 0, expired: true, state: 'committed' })
    await api.report(org, 'feature:calls', 2)
    t.hasStrict(await settle('commit', tight), { ok: false, reason: 'limit_reached', used: 6, remaining: 4, version: 4, expired: true })
    t.hasStrict(await settle('commit', tight, { n: 4 }), { ok: true, used: 10, expired: true }, 'less may still fit')
    t.hasStrict((await api.get(`/v1/events/${encodeURIComponent(`${tight.id}/commit`)}`, { org })).body, { reason: 'its reservation had expired' })
  })

  await t.test('release lets go; again, or after a commit, it does nothing', async t => {
    const org = await newOrg()
    const held = await reserve(org, 'feature:calls', 4)
    t.hasStrict(await settle('release', held), { state: 'released', n: 4, event: null })
    t.strictSame(await figures(org), [0, 0])
    t.hasStrict(await settle('release', held), { state: 'released' })
    t.hasStrict(await settle('commit', held), { status: 409, code: 'reservation_conflict' })
    t.hasStrict(await settle('extend', held, { ttlSeconds: 9 }), { status: 409, code: 'reservation_conflict' })
    const counted = await reserve(org, 'feature:calls', 4)
    await settle('commit', counted)
    t.hasStrict(await settle('release', counted), { state: 'committed' })
    t.hasStrict(await settle('extend', counted, { ttlSeconds: 9 }), { code: 'reservation_conflict' })
    t.strictSame(await figures(org), [4, 0])
  })

  await t.test('extend holds for longer, never for less, and only what is still held', async t => {
    const org = await newOrg()
    const [held, other] = [await reserve(org, 'feature:calls', 4), await reserve(org, 'feature:calls', 2)]
    await api.on('2024-03-10T00:00:30Z')
    t.hasStrict(await settle('extend', held, { ttlSeconds: 10 }), { state: 'held', expiresAt: '2024-03-10T00:01:00.000Z' })
    t.hasStrict(await settle('extend', held, { ttlSeconds: 60 }), { state: 'held', expiresAt: '2024-03-10T00:01:30.000Z' })
    await api.on('2024-03-10T00:01:29.999Z')
    t.strictSame(await figures(org), [0, 4])
    t.hasStrict(await settle('extend', other, { ttlSeconds: 60 }), { status: 409, code: 'reservation_conflict' })
    await api.on('2024-03-10T00:01:30Z')
    t.strictSame(await figures(org), [0, 0])
    t.hasStrict(await settle('extend', held, { ttlSeconds: 60 }), { code: 'reservation_conflict' })
  })

  await t.test('sent again, a hold is held once, and a commit counted once; anything else under that id is a conflict', async t => {
    const org = await newOrg()
    const request = { org, feature: 'feature:calls', n: 4, ttlSeconds: 60, id: 'again' }
    const first = await api.post('/v1/reservations', request)
    await api.report(org, 'feature:calls', 3)
    t.equal((await api.post('/v1/reservations', request)).raw, first.raw.replace('"duplicate":false', '"duplicate":true'))
    t.strictSame(await figures(org), [3, 4])
    for (const change of [{ n: 5 }, { ttlSeconds: 61 }, { feature: 'feature:open' }]) {
      const { body } = await api.post('/v1/reservations', { ...request, ...change })
      t.hasStrict(body, { status: 422, code: 'event_conflict', errors: [{ pointer: '/id' }] })
    }
    const committed = await settle('commit', first.body, { n: 2 })
    await api.report(org, 'feature:calls', 1)
    t.strictSame(await settle('commit', first.body, { n: 2 }), { ...committed, duplicate: true })
    t.hasStrict(await settle('commit', first.body, { n: 3 }), { status: 422, code: 'event_conflict' })
    t.hasStrict((await api.post('/v1/reservations', request)).body, { ok: true, duplicate: true, state: 'committed' })
    await api.post('/v1/events/again%2Fcommit/void', { org })
    t.strictSame(await settle('commit', first.body, { n: 2 }), { ...committed, duplicate: true, voided: true })
    t.strictSame(await figures(org), [4, 0])
  })

  await t.test('a date in the past does not take the window away from under a hold', async t => {
    const org = await newOrg()
    await api.on('2024-03-20')
    const held = await reserve(org, 'feature:calls', 4, { ttlSeconds: 7 * 86_400 })
    await api.on('2024-03-21')
    await api.subscribe(org, { features: ['plan:tiny@0'], effective: '2024-03-12' })
    t.hasStrict(await settle('commit', held), { ok: true, used: 4, limit: 10, window: { start: WINDOW.start, end: '2024-03-21T00:00:00.000Z' } })
    t.hasStrict((await api.usage(org, 'feature:calls')).past[0], { start: WINDOW.start, used: 4 })
  })
}
