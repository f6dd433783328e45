import type { Test } from 'tap'
import { type Api, type Body } from '../fixtures/api.ts'
import { reserving, WINDOW } from './reserving.ts'

export async function holding (t: Test, api: Api): Promise<void> {
  const { newOrg, reserve, settle, one, figures } = reserving(api)

  await t.test('units are held, and count in every answer as reserved', async t => {
    const org = await newOrg()
    await api.report(org, 'feature:calls', 2)
    const held = await reserve(org, 'feature:calls', 5, { id: 'job/1' })
    const shape = {
      id: 'job/1',
      org,
      feature: 'feature:calls',
      n: 5,
      state: 'held',
      at: '2024-03-10T00:00:00.000Z',
      expiresAt: '2024-03-10T00:01:00.000Z',
      window: WINDOW,
      event: null,
      used: 2,
      reserved: 5,
      limit: 10,
      remaining: 3
    }
    t.strictSame(held, { ok: true, ...shape, duplicate: false })
    t.strictSame(await one(held), shape)
    t.hasStrict(await api.can(org, 'feature:calls', 4), { ok: false, reason: 'limit_reached', used: 2, reserved: 5, remaining: 3 })
    t.hasStrict((await api.usage(org, 'feature:calls')).current, { used: 2, reserved: 5, remaining: 3, overage: 0 })
    t.hasStrict(await api.report(org, 'feature:calls', 1), { used: 3, reserved: 5, remaining: 2 })
  })

  await t.test('more than the limit allows is not held: the answer says why, and on which state that was decided', async t => {
    const org = await newOrg()
    await reserve(org, 'feature:calls', 8)
    t.strictSame(await reserve(org, 'feature:calls', 3, { id: 'big' }), {
      ok: false,
      reason: 'limit_reached',
      id: 'big',
      org,
      feature: 'feature:calls',
      used: 0,
      reserved: 8,
      limit: 10,
      remaining: 2,
      overage: 0,
      window: WINDOW,
      resetsAt: WINDOW.end,
      version: 1,
      expired: false
    })
    t.hasStrict(await one({ id: 'big', org }), { status: 404, code: 'reservation_not_found' })
    t.hasStrict(await reserve(org, 'feature:soft', 100), { ok: true, remaining: 0 }, 'overage allows it')
    t.hasStrict(await reserve(org, 'feature:open', 1e9), { ok: true, limit: null, remaining: null })
    t.hasStrict(await reserve(org, 'feature:nothing', 1), { ok: false, reason: 'feature_not_found', window: null, version: 0 })
  })

  await t.test('a count holds one per use, whatever its amount', async t => {
    const org = await newOrg()
    const held = await reserve(org, 'feature:visits', 500)
    t.hasStrict(held, { ok: true, n: 1, reserved: 1, remaining: 2 })
    await reserve(org, 'feature:visits', 1)
    await reserve(org, 'feature:visits', 1)
    t.hasStrict(await reserve(org, 'feature:visits', 1), { ok: false, reserved: 3 })
    t.hasStrict(await settle('commit', held, { n: 7 }), { ok: true, used: 1, reserved: 2 })
  })

  await t.test('of a maximum or a last value nothing can be kept free', async t => {
    const org = await newOrg()
    for (const feature of ['feature:peak', 'feature:level', 'feature:seats', 'feature:sso']) {
      t.hasStrict(await reserve(org, feature, 1), { status: 400, code: 'invalid_request', errors: [{ pointer: '/feature' }] }, feature)
    }
  })

  await t.test('a hold stops counting at its instant, with nothing done', async t => {
    const org = await newOrg()
    const short = await reserve(org, 'feature:calls', 3, { ttlSeconds: 1 })
    await reserve(org, 'feature:calls', 4, { ttlSeconds: 2 })
    await api.on('2024-03-10T00:00:00.999Z')
    t.strictSame(await figures(org), [0, 7])
    await api.on('2024-03-10T00:00:01Z')
    t.strictSame(await figures(org), [0, 4])
    t.hasStrict(await one(short), { state: 'expired', event: null })
    t.hasStrict((await api.post('/v1/consume', { org, feature: 'feature:calls', n: 6 })).body, { ok: true, used: 6, reserved: 4 })
    await api.on('2024-03-10T00:00:02Z')
    t.hasStrict(await reserve(org, 'feature:calls', 4), { ok: true, used: 6, reserved: 4 })
  })

  await t.test('reservations and events have ids of their own', async t => {
    const org = await newOrg()
    await api.report(org, 'feature:calls', 1, { id: 'same' })
    t.hasStrict(await reserve(org, 'feature:calls', 2, { id: 'same' }), { ok: true, duplicate: false })
    await api.report(org, 'feature:calls', 1, { id: 'taken/commit' })
    const taken = await reserve(org, 'feature:calls', 2, { id: 'taken' })
    t.hasStrict(await settle('commit', taken), { status: 422, code: 'event_conflict' }, 'but a commit is an event')
    t.hasStrict(await settle('release', taken), { state: 'released' })
  })

  await t.test('two orgs may use one id; who asks for it then has to say whose', async t => {
    const [mine, theirs] = [await newOrg(), await newOrg()]
    const [id, own] = [`shared-${mine}`, `own-${mine}`]
    await reserve(mine, 'feature:calls', 1, { id })
    t.hasStrict((await api.get(`/v1/reservations/${id}`)).body, { org: mine })
    await reserve(theirs, 'feature:calls', 2, { id })
    await reserve(mine, 'feature:calls', 3, { id: own })
    t.hasStrict((await api.get(`/v1/reservations/${id}`)).body, { status: 400, code: 'invalid_request', errors: [{ pointer: '?org' }] })
    t.hasStrict(await one({ id, org: theirs }), { n: 2 })
    for (const what of ['commit', 'release', 'extend'] as const) {
      t.hasStrict(await settle(what, { id: own, org: theirs }, what === 'extend' ? { ttlSeconds: 9 } : {}), { status: 404, code: 'reservation_not_found' })
    }
    t.hasStrict(await one({ id: own, org: theirs }), { code: 'reservation_not_found' })
    const live = await api.as('prv_live_0123456789abcdef')
    t.hasStrict((await live.get(`/v1/reservations/${own}`)).body, { code: 'reservation_not_found' }, 'nor does another environment have it')
    t.hasStrict((await live.post(`/v1/reservations/${own}/release`, {})).body, { code: 'reservation_not_found' })
    t.hasStrict(await one({ id: own, org: mine }), { state: 'held' })
  })

  await t.test('the list: the latest first, by pages, with what became of each', async t => {
    const org = await newOrg()
    const made: Body[] = []
    for (const n of [1, 2, 3, 4, 5]) {
      if (n > 2) await api.on(`2024-03-10T00:00:0${n}Z`)
      made.push(await reserve(org, 'feature:open', n, { id: `list-${n}`, ttlSeconds: 60 }))
    }
    await settle('commit', made[0] as Body)
    await settle('release', made[3] as Body)
    await api.on('2024-03-10T00:01:03Z')
    const list = async (query = {}): Promise<Body> => (await api.get('/v1/reservations', { org, ...query })).body
    const shown = ({ reservations }: Body): string[] => (reservations as Body[]).map(({ n, state }) => `${n} ${state}`)
    const whole = await list()
    t.strictSame(shown(whole), ['5 held', '4 released', '3 expired', '2 expired', '1 committed'])
    t.equal(whole.nextCursor, null)
    const pages: string[][] = []
    for (let cursor: string | null = null; pages.length === 0 || cursor !== null;) {
      const page: Body = await list({ limit: '2', ...(cursor !== null && { cursor }) })
      pages.push(shown(page))
      cursor = page.nextCursor
    }
    t.strictSame(pages, [['5 held', '4 released'], ['3 expired', '2 expired'], ['1 committed']])
    t.hasStrict((await api.get('/v1/reservations', { org: 'org:nobody' })).body, { code: 'org_not_found', errors: [{ pointer: '?org' }] })
    const forged = (...place: unknown[]): string => Buffer.from(JSON.stringify(['reservations', ...place])).toString('base64url')
    for (const cursor of ['', 'x', forged('a', 'b'), forged('9007199254740991', 'b'), forged('-1', 'b'), forged('1'), forged(1, 'b')]) {
      t.hasStrict(await list({ cursor }), { status: 400, code: 'invalid_request', errors: [{ pointer: '?cursor' }] }, cursor)
    }
  })

  await t.test('an org that is first seen is subscribed to the default plan, unless it is refused', async t => {
    await api.on('2024-03-10', 'plan:free@0')
    const before = await api.rows()
    t.hasStrict(await reserve('org:first-hold', 'feature:calls', 11), { ok: false, reason: 'limit_reached', limit: 10, version: 0 })
    t.hasStrict(await reserve('org:first-hold', 'feature:peak', 1), { code: 'invalid_request' })
    t.strictSame(await api.rows(), before)
    t.hasStrict(await reserve('org:first-hold', 'feature:calls', 10), { ok: true, reserved: 10 })
    await api.on('2024-03-10')
  })

  await t.test('callers at the same moment never hold more than there is together', async t => {
    const org = await newOrg()
    const answers = await Promise.all(Array.from({ length: 30 }, async (_, i) => i % 2 === 0
      ? await reserve(org, 'feature:calls', 1)
      : (await api.post('/v1/consume', { org, feature: 'feature:calls' })).body))
    t.equal(answers.filter(({ ok }) => ok).length, 10)
    const [used = 0, reserved = 0] = await figures(org)
    t.equal(used + reserved, 10)
  })

  await t.test('a request that is not well formed names the field, and holds nothing', async t => {
    const org = await newOrg()
    const cases: Array<[change: Body, code: string, pointer: string]> = [
      [{ org: 'nobody' }, 'invalid_request', '/org'],
      [{ org: 'org:nobody' }, 'org_not_found', '/org'],
      [{ feature: 'calls' }, 'invalid_request', '/feature'],
      [{ feature: undefined }, 'invalid_request', '/feature'],
      [{ n: 0 }, 'invalid_amount', '/n'],
      [{ n: null }, 'invalid_amount', '/n'],
      [{ n: -1 }, 'invalid_amount', '/n'],
      [{ n: '1e3' }, 'invalid_amount', '/n'],
      [{ ttlSeconds: undefined }, 'invalid_request', '/ttlSeconds'],
      [{ ttlSeconds: 0 }, 'invalid_request', '/ttlSeconds'],
      [{ ttlSeconds: 604_801 }, 'invalid_request', '/ttlSeconds'],
      [{ ttlSeconds: 1.5 }, 'invalid_request', '/ttlSeconds'],
      [{ ttlSeconds: '60' }, 'invalid_request', '/ttlSeconds'],
      [{ id: '' }, 'invalid_id', '/id'],
      [{ id: 'a\u0000' }, 'invalid_id', '/id'],
      [{ id: 'x'.repeat(249) }, 'invalid_id', '/id'],
      [{ at: '2024-03-10T00:00:00Z' }, 'invalid_request', '/at']
    ]
    for (const [change, code, pointer] of cases) {
      t.hasStrict(await reserve(org, 'feature:calls', 1, change), { status: 400, code, errors: [{ pointer }] }, JSON.stringify(change))
    }
    t.strictSame((await api.get('/v1/reservations', { org })).body.reservations, [])
    const held = await reserve(org, 'feature:calls', 1)
    const settling: Array<[what: 'commit' | 'release' | 'extend', body: Body, code: string, pointer: string]> = [
      ['commit', { n: -1 }, 'invalid_amount', '/n'],
      ['commit', { n: 'many' }, 'invalid_amount', '/n'],
      ['commit', { m: 1 }, 'invalid_request', '/m'],
      ['commit', { org: 'nobody' }, 'invalid_request', '/org'],
      ['release', { n: 1 }, 'invalid_request', '/n'],
      ['extend', {}, 'invalid_request', '/ttlSeconds'],
      ['extend', { ttlSeconds: 604_801 }, 'invalid_request', '/ttlSeconds']
    ]
    for (const [what, body, code, pointer] of settling) {
      t.hasStrict(await settle(what, held, body), { status: 400, code, errors: [{ pointer }] }, `${what} ${JSON.stringify(body)}`)
    }
    t.hasStrict(await settle('commit', { id: 'nothing', org }), { status: 404, code: 'reservation_not_found' })
    t.hasStrict(await settle('commit', { id: 'a\u0001', org }), { status: 400, code: 'invalid_id', errors: [{ pointer: '?id' }] })
    t.hasStrict(await one(held), { state: 'held' })
  })
}
