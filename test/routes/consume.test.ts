import t, { type Test } from 'tap'
import { type Api, type Body } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'
import { PLANS, WINDOW } from './reserving.ts'

withEachLedger(t, 'consume', async (t, api) => {
  await api.on('2024-03-10')
  await api.push(PLANS)
  await contract(t, api)
})

async function contract (t: Test, api: Api): Promise<void> {
  let orgs = 0
  async function newOrg (): Promise<string> {
    orgs += 1
    await api.on('2024-03-10')
    await api.subscribe(`org:c${orgs}`, 'plan:free@0')
    return `org:c${orgs}`
  }
  const consume = async (org: string, feature: string, n?: unknown, more: Body = {}): Promise<Body> =>
    (await api.post('/v1/consume', { org, feature, n, ...more })).body
  const events = async (org: string): Promise<Body[]> => (await api.get('/v1/events', { org })).body.events

  await t.test('what the limit allows is counted, in the same step', async t => {
    const org = await newOrg()
    t.strictSame(await consume(org, 'feature:calls', 4, { id: 'c-1', properties: { region: 'eu' } }), {
      ok: true,
      reason: 'within_limit',
      id: 'c-1',
      org,
      feature: 'feature:calls',
      used: 4,
      reserved: 0,
      limit: 10,
      remaining: 6,
      overage: 0,
      window: WINDOW,
      resetsAt: WINDOW.end,
      version: null,
      duplicate: false
    })
    t.hasStrict(await consume(org, 'feature:calls'), { ok: true, used: 5 }, 'n is 1 where nothing is said')
    t.equal((await api.can(org, 'feature:calls')).used, 5)
    t.hasStrict((await api.get('/v1/events/c-1', { org })).body, { n: 4, delta: 4, usedAfter: 4, properties: { region: 'eu' } })
  })

  await t.test('what the limit does not allow is refused: nothing is counted, and the answer says on which state that was decided', async t => {
    const org = await newOrg()
    await consume(org, 'feature:calls', 8, { id: 'first' })
    const before = await events(org)
    t.strictSame(await consume(org, 'feature:calls', 3, { id: 'c-2' }), {
      ok: false,
      reason: 'limit_reached',
      id: 'c-2',
      org,
      feature: 'feature:calls',
      used: 8,
      reserved: 0,
      limit: 10,
      remaining: 2,
      overage: 0,
      window: WINDOW,
      resetsAt: WINDOW.end,
      version: 1,
      duplicate: false
    })
    t.strictSame(await events(org), before)
    t.hasStrict(await consume(org, 'feature:calls', 2), { ok: true, used: 10, remaining: 0 }, 'what fits still does')
    t.hasStrict(await consume(org, 'feature:calls', 1), { ok: false, used: 10, remaining: 0, version: 2 })
  })

  await t.test('a limit is met to the last of its nine decimals', async t => {
    const org = await newOrg()
    t.hasStrict(await consume(org, 'feature:calls', '9.999999999'), { ok: true, remaining: 0.000000001 })
    t.hasStrict(await consume(org, 'feature:calls', '0.000000002'), { ok: false })
    t.hasStrict(await consume(org, 'feature:calls', '0.000000001'), { ok: true, used: 10 })
  })

  await t.test('callers at the same moment never pass a limit together', async t => {
    const org = await newOrg()
    const answers = await Promise.all(Array.from({ length: 40 }, async () => await consume(org, 'feature:calls')))
    t.equal(answers.filter(({ ok }) => ok).length, 10)
    t.strictSame(new Set(answers.filter(({ ok }) => !ok).map(({ used, version }) => `${used} ${version}`)), new Set(['10 10']))
    t.equal((await api.can(org, 'feature:calls')).used, 10)
  })

  await t.test('a retry of what was counted is given the first answer, whatever happened since', async t => {
    const org = await newOrg()
    const request = { org, feature: 'feature:calls', n: 8, id: 'once' }
    const first = await api.post('/v1/consume', request)
    const again = first.raw.replace('"duplicate":false', '"duplicate":true')
    t.equal((await api.post('/v1/consume', request)).raw, again, 'though it would not fit any more')
    await api.subscribe(org, 'plan:pro@0')
    t.equal((await api.post('/v1/consume', request)).raw, again)
    await api.on('2024-05-01')
    t.equal((await api.post('/v1/consume', request)).raw, again)
    await api.post('/v1/events/once/void', { org })
    t.equal((await api.post('/v1/consume', request)).raw, again.replace(/}$/, ',"voided":true}'), 'and is told where it counts no more')
    const { past } = await api.usage(org, 'feature:calls')
    t.equal((past as Body[]).at(-1)?.used, 0)
  })

  await t.test('a retry of what was refused is asked anew', async t => {
    const org = await newOrg()
    await consume(org, 'feature:calls', 8)
    t.hasStrict(await consume(org, 'feature:calls', 3, { id: 'later' }), { ok: false, duplicate: false })
    await api.subscribe(org, 'plan:pro@0')
    t.hasStrict(await consume(org, 'feature:calls', 3, { id: 'later' }), { ok: true, used: 11, limit: 100, duplicate: false })
    t.hasStrict(await consume(org, 'feature:calls', 3, { id: 'later' }), { ok: true, used: 11, limit: 100, duplicate: true })
  })

  await t.test('one id is one thing: what differs, or was reported, is a conflict', async t => {
    const org = await newOrg()
    await consume(org, 'feature:calls', 1, { id: 'one' })
    await api.report(org, 'feature:calls', 1, { id: 'two' })
    for (const [n, id] of [[2, 'one'], [1, 'two']] as const) {
      t.hasStrict(await consume(org, 'feature:calls', n, { id }), { status: 422, code: 'event_conflict', errors: [{ pointer: '/id' }] })
    }
    t.hasStrict(await api.report(org, 'feature:calls', 1, { id: 'one' }), { code: 'event_conflict' })
    t.equal((await api.can(org, 'feature:calls')).used, 2)
  })

  await t.test('the Idempotency-Key header is the id', async t => {
    const org = await newOrg()
    const keyed = async (key: string, id?: string): Promise<Body> =>
      (await api.post('/v1/consume', { org, feature: 'feature:calls', id }, { 'idempotency-key': key })).body
    t.hasStrict(await keyed('key-1'), { id: 'key-1', duplicate: false })
    t.hasStrict(await keyed('key-1', 'key-1'), { id: 'key-1', duplicate: true })
    t.hasStrict(await keyed('key-1', 'key-2'), { code: 'invalid_request', errors: [{ pointer: '/id' }] })
  })

  await t.test('each aggregate has its own total, and that is what its limit is for', async t => {
    const org = await newOrg()
    const cases: Array<[feature: string, n: number, ok: boolean, used: number]> = [
      ['visits', 500, true, 1], ['visits', 0, true, 2], ['visits', 1, true, 3], ['visits', 1, false, 3],
      ['peak', 9, true, 9], ['peak', 3, true, 9], ['peak', 10, true, 10], ['peak', 10.5, false, 10],
      ['level', 9, true, 9], ['level', 11, false, 9], ['level', 4, true, 4],
      ['seats', 10, true, 10], ['seats', 11, false, 10], ['seats', 2, true, 2],
      ['open', 1e9, true, 1e9], ['soft', 9, true, 9]
    ]
    for (const [feature, n, ok, used] of cases) {
      t.hasStrict(await consume(org, `feature:${feature}`, n), { ok, used, reason: ok ? feature === 'open' ? 'unlimited' : 'within_limit' : 'limit_reached' }, `${feature} ${n}`)
    }
    t.hasStrict(await consume(org, 'feature:soft', 5), { ok: true, reason: 'overage', used: 14, remaining: 0, overage: 4 })
  })

  await t.test('what adds nothing is counted, even past the limit', async t => {
    const org = await newOrg()
    await api.report(org, 'feature:calls', 12)
    t.hasStrict(await consume(org, 'feature:calls', 0), { ok: true, reason: 'no_increase', used: 12, overage: 2 })
    t.hasStrict(await consume(org, 'feature:calls', null), { ok: true, reason: 'no_increase', used: 12 }, 'null is 0')
    t.hasStrict(await consume(org, 'feature:calls', -1), { ok: true, reason: 'no_increase', used: 11 })
    t.hasStrict(await consume(org, 'feature:calls', -3), { ok: true, reason: 'within_limit', used: 8 })
  })

  await t.test('what is held for others is not there to be used', async t => {
    const org = await newOrg()
    await api.post('/v1/reservations', { org, feature: 'feature:calls', n: 7, ttlSeconds: 60 })
    t.hasStrict(await consume(org, 'feature:calls', 4), { ok: false, used: 0, reserved: 7, remaining: 3, version: 1 })
    t.hasStrict(await consume(org, 'feature:calls', 3), { ok: true, used: 3, reserved: 7, remaining: 0 })
  })

  await t.test('a use in a past window is judged by that window', async t => {
    const org = await newOrg()
    await consume(org, 'feature:calls', 9)
    await api.on('2024-05-01')
    await consume(org, 'feature:calls', 10)
    const at = '2024-04-09T23:59:59.999Z'
    t.hasStrict(await consume(org, 'feature:calls', 2, { at }), { ok: false, used: 9, version: 1, window: WINDOW, resetsAt: WINDOW.end })
    t.hasStrict(await consume(org, 'feature:calls', 1, { at }), { ok: true, used: 10, window: WINDOW })
    t.equal((await api.can(org, 'feature:calls')).used, 10)
  })

  await t.test('of what is not held, nothing may be used', async t => {
    const org = await newOrg()
    const nothing = { ok: false, reason: 'feature_not_found', used: 0, limit: 0, remaining: 0, window: null, resetsAt: null, version: 0 }
    t.hasStrict(await consume(org, 'feature:nothing'), nothing)
    t.hasStrict(await consume(org, 'feature:nothing', -1), nothing)
    await api.subscribe(org, {})
    t.hasStrict(await consume(org, 'feature:calls'), nothing, 'nor of what was cancelled')
  })

  await t.test('an org that is first seen is subscribed to the default plan, unless it is refused', async t => {
    await api.on('2024-03-10', 'plan:free@0')
    const before = await api.rows()
    t.hasStrict(await consume('org:new', 'feature:calls', 11), { ok: false, reason: 'limit_reached', used: 0, limit: 10, version: 0, window: WINDOW })
    t.hasStrict(await consume('org:new', 'feature:sso'), { code: 'invalid_request' })
    t.hasStrict(await consume('org:new', 'feature:peak', -1), { code: 'invalid_amount' })
    t.strictSame(await api.rows(), before)
    t.hasStrict(await consume('org:new', 'feature:calls', 10), { ok: true, used: 10, limit: 10 })
    t.equal((await api.phase('org:new')).plans[0], 'plan:free@0')
    await api.on('2024-03-10')
  })

  await t.test('a request that is not well formed names the field, and counts nothing', async t => {
    const org = await newOrg()
    const cases: Array<[change: Body, code: string, pointer: string]> = [
      [{ org: 'nobody' }, 'invalid_request', '/org'],
      [{ org: 'org:nobody' }, 'org_not_found', '/org'],
      [{ org: undefined }, 'invalid_request', '/org'],
      [{ feature: 'calls' }, 'invalid_request', '/feature'],
      [{ feature: 'feature:sso' }, 'invalid_request', '/feature'],
      [{ feature: undefined }, 'invalid_request', '/feature'],
      [{ n: '1e3' }, 'invalid_amount', '/n'],
      [{ n: 0.1234567891 }, 'invalid_amount', '/n'],
      [{ n: true }, 'invalid_request', '/n'],
      [{ feature: 'feature:peak', n: -1 }, 'invalid_amount', '/n'],
      [{ n: '9999999999999999999999999999', feature: 'feature:open', id: undefined }, '', ''],
      [{ n: '9999999999999999999999999999', feature: 'feature:open' }, 'invalid_amount', '/n'],
      [{ at: 'soon' }, 'invalid_request', '/at'],
      [{ at: '2024-03-10T00:05:00.001Z' }, 'invalid_request', '/at'],
      [{ id: '' }, 'invalid_id', '/id'],
      [{ id: 'a\u0000' }, 'invalid_id', '/id'],
      [{ id: 'x'.repeat(256) }, 'invalid_id', '/id'],
      [{ properties: { text: '\ud800' } }, 'invalid_request', '/properties/text'],
      [{ clobber: true }, 'invalid_request', '/clobber']
    ]
    for (const [change, code, pointer] of cases) {
      const { body } = await api.post('/v1/consume', { org, feature: 'feature:calls', n: 1, ...change })
      if (code === '') t.equal(body.ok, true)
      else t.hasStrict(body, { code, errors: [{ pointer }] }, JSON.stringify(change))
    }
    t.equal((await events(org)).length, 1)
  })
}
