import type { Test } from 'tap'
import type { Api, Body } from '../fixtures/api.ts'

export const CALLS = 'feature:calls'

/** Freezes no time: a day's window, so that late reports lie in another one. */
export async function push (api: Api): Promise<void> {
  await api.push({
    'plan:pro@0': {
      features: {
        [CALLS]: { tiers: [{ upto: 1_000_000 }] },
        'feature:seats': { tiers: [{}], aggregate: 'max' },
        'feature:storage': { tiers: [{}], aggregate: 'last' },
        'feature:lifetime': { tiers: [{}], aggregate: 'perpetual' }
      }
    }
  })
  await api.settings({ defaultPlan: 'plan:pro@0' })
}

/** The whole walk: every page, as one answer. */
export async function verified (api: Api, body: Body = {}): Promise<Body> {
  const pages: Body[] = []
  for (let cursor: string | null | undefined; cursor !== null;) {
    const { status, raw, body: page } = await api.post('/v1/verify', { ...body, ...(cursor !== undefined && { cursor }) })
    if (status !== 200) throw new Error(raw)
    pages.push(page)
    cursor = page.nextCursor
  }
  const sum = (name: string): number => pages.reduce((total, { checked }) => total + checked[name], 0)
  return {
    ok: pages.every(({ ok }) => ok),
    pages: pages.length,
    checked: { orgs: sum('orgs'), windows: sum('windows'), events: sum('events'), pruned: sum('pruned') },
    differences: pages.flatMap(({ differences }) => differences),
    mirror: pages.at(-1)?.mirror
  }
}

export async function sql (api: Api, text: string, ...params: unknown[]): Promise<ReadonlyArray<readonly unknown[]>> {
  const [result] = await api.database.run([{ text, params }])
  return [...result?.rows ?? []]
}

/** Of rows of an org's feature. */
export const OF = `org = (select id from orgs where name = $1) and feature = (select id from features where name = '${CALLS}')`

/** An org that has used 1, 2, 3 and so on, by events `e1`, `e2`, `e3` and so on. */
export async function used (api: Api, org: string, events = 5): Promise<string> {
  for (let n = 1; n <= events; n += 1) await api.report(org, CALLS, n, { id: `e${n}` })
  return org
}

/** What is said of one org, and that nothing is said of any other. */
export async function only (t: Test, api: Api, org: string, expected: readonly Body[], body: Body = {}): Promise<void> {
  const { ok, differences } = await verified(api, body)
  t.hasStrict(differences, expected.map(it => ({ org, feature: CALLS, ...it })))
  t.equal(differences.length, expected.length)
  t.equal(ok, expected.every(({ mended }) => mended === true))
}

export async function counterRules (t: Test, api: Api): Promise<void> {
  await push(api)

  await t.test('where everything was counted by the service, nothing differs', async t => {
    const at = new Date(Date.now() - 40 * 86_400_000).toISOString()
    for (const org of ['org:a', 'org:b']) {
      await used(api, org)
      await api.report(org, CALLS, -4)
      await api.report(org, CALLS, 100, { clobber: true })
      await api.report(org, CALLS, '0.000000001')
      await api.report(org, CALLS, -1_000)
      await api.report(org, CALLS, 7, { at })
      for (const n of [3, 9, 4]) for (const feature of ['seats', 'storage', 'lifetime']) await api.report(org, `feature:${feature}`, n)
    }
    await api.post('/v1/subscribe', { org: 'org:idle', phases: [{ features: ['plan:pro@0'] }] })
    t.hasStrict(await verified(api), { ok: true, checked: { orgs: 3, windows: 10, events: 38, pruned: 0 }, differences: [] })
    t.hasStrict(await verified(api, { org: 'org:a' }), { ok: true, checked: { orgs: 1, windows: 5, events: 19 } })
  })

  await t.test('a counter that was changed by hand is named, and mended: at once, for everybody', async t => {
    const org = await used(api, 'org:changed')
    await sql(api, `update counters set used = used + 5 where ${OF}`, org)
    const difference = { kind: 'counter_differs', stored: 20, expected: 15, missing: null, after: null, before: null }
    await only(t, api, org, [{ ...difference, detail: 'the counter says 20, its events come to 15', mended: false }])
    await only(t, api, org, [{ ...difference, mended: true }], { repair: true })
    t.hasStrict(await api.can(org, CALLS), { used: 15 })
    t.hasStrict(await api.report(org, CALLS, 1), { used: 16 })
    await only(t, api, org, [])
  })

  await t.test('a deleted event is named by its neighbours, and not mended: the counter, which knows of it, stays', async t => {
    const org = await used(api, 'org:deleted')
    const seq = new Map((await sql(api, `select id, seq from events where ${OF}`, org)).map(([id, seq]) => [id, Number(seq)]))
    const event = (id: string) => ({ id, seq: seq.get(id) })
    await sql(api, `delete from events where ${OF} and id = 'e3'`, org)
    const third = { kind: 'event_missing', missing: 3, after: event('e2'), before: event('e4'), mended: false }
    await only(t, api, org, [third])
    await sql(api, `delete from events where ${OF} and id = 'e1'`, org)
    const first = { kind: 'event_missing', missing: 1, after: null, before: event('e2'), mended: false }
    await only(t, api, org, [first, third], { repair: true })
    await sql(api, `delete from events where ${OF} and id = 'e5'`, org)
    const last = { kind: 'event_missing', missing: 5, stored: 15, expected: 10, after: event('e4'), before: null, mended: false }
    await only(t, api, org, [first, third, last], { repair: true })
    t.hasStrict(await api.can(org, CALLS), { used: 15 })
    await sql(api, `delete from events where ${OF}`, org)
    await only(t, api, org, [{ kind: 'event_missing', stored: 15, expected: 0, missing: 15, after: null, before: null }], { repair: true })
    await sql(api, `delete from counters where ${OF}`, org)
    await only(t, api, org, [])
  })

  await t.test('a pair of events that cancel each other is missed all the same', async t => {
    const org = await used(api, 'org:pair', 2)
    await api.report(org, CALLS, 4, { id: 'plus' })
    await api.report(org, CALLS, 1, { id: 'between' })
    await api.report(org, CALLS, -4, { id: 'minus' })
    await api.report(org, CALLS, 1, { id: 'end' })
    await sql(api, `delete from events where ${OF} and id in ('plus', 'minus')`, org)
    await only(t, api, org, [{ missing: 4, after: { id: 'e2' }, before: { id: 'between' } }, { missing: -4, after: { id: 'between' }, before: { id: 'end' } }])
    await sql(api, `delete from events where ${OF}`, org)
    await sql(api, `delete from counters where ${OF}`, org)
  })

  await t.test('a counter that is not there is written again', async t => {
    const org = await used(api, 'org:gone')
    await sql(api, `delete from counters where ${OF}`, org)
    const difference = { kind: 'counter_missing', stored: null, expected: 15 }
    await only(t, api, org, [{ ...difference, mended: false }])
    await only(t, api, org, [{ ...difference, mended: true }], { repair: true })
    t.strictSame(await sql(api, `select used::text, version::text from counters where ${OF}`, org), [['15.000000000', '5']])
    t.hasStrict(await api.report(org, CALLS, 1), { used: 16 })
    await only(t, api, org, [])
  })

  await t.test('units that are held are those of the reservations', async t => {
    const org = await used(api, 'org:held')
    const hold = async (id: string, amount: number, minutes: number, state = 'held') => await sql(api, `
      insert into reservations (org, id, feature, at, window_start, window_end, amount, expires_at, state, used, reserved, fingerprint)
      select org, $2::text, feature, now(), window_start, window_end, $3::numeric, now() + $4::float8 * interval '1 minute', $5::text, used, 0, gen_random_uuid()
      from counters where ${OF}`, org, id, amount, minutes, state)
    await hold('expired', 100, -1)
    await hold('short', 2, 10)
    await hold('long', 3, 20)
    await hold('done', 50, 30, 'committed')
    const until = '(select min(expires_at) from reservations where id = \'short\')'
    await sql(api, `update counters set reserved = 5, reserved_until = ${until}, version = version + 2 where ${OF}`, org)
    await only(t, api, org, [])
    await sql(api, `update counters set reserved = 4 where ${OF}`, org)
    await only(t, api, org, [{ kind: 'held_differs', stored: 4, expected: 5, mended: false }])
    await only(t, api, org, [{ kind: 'held_differs', mended: true }], { repair: true })
    t.strictSame(await sql(api, `select reserved::text, reserved_until = ${until} from counters where ${OF}`, org), [['5.000000000', true]])
    await sql(api, `update counters set reserved_until = null where ${OF}`, org)
    await only(t, api, org, [{ kind: 'held_differs', stored: 5, expected: 0 }])
    await sql(api, `update counters set reserved = 7, reserved_until = now() - interval '1 minute' where ${OF}`, org)
    await only(t, api, org, [])
    for (const table of ['reservations', 'events', 'counters']) await sql(api, `delete from ${table} where ${OF}`, org)
  })

  await t.test('deleted orgs are not looked at, and another environment is none of it', async t => {
    const org = await used(api, 'org:away')
    await sql(api, `update counters set used = 99 where ${OF}`, org)
    const other = await api.as('prv_other_0123456789abcdef')
    t.hasStrict(await verified(other), { ok: true, checked: { orgs: 0, windows: 0 } })
    t.hasStrict((await other.post('/v1/verify', { org })).body, { status: 400, code: 'org_not_found', errors: [{ pointer: '/org' }] })
    await api.send({ method: 'DELETE', url: `/v1/orgs/${org}?confirm=${org}` })
    await only(t, api, org, [])
  })

  await t.test('a cursor that no answer gave is refused', async t => {
    const text = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const within = '- 1 - - 0 0 0 0 - - -'
    const cursors = [
      'x', text(['orgs', '1', '0', '0', '-']), text(['verify', '1', '0', '0']), text(['verify', '1', '-1', '0', '-']),
      text(['verify', '99999999999', '0', '0', '-']), text(['verify', '1', '0', '999999999999999', '-']), text(['verify', '1', '1', '0', 'x']),
      text(['verify', '1', '1', '0', within.replace('- 1', '1e9 1')]), text(['verify', '1', '1', '0', `${within} 0`])
    ]
    for (const cursor of cursors) t.hasStrict((await api.post('/v1/verify', { cursor })).body, { status: 400, code: 'invalid_request' }, cursor)
    t.equal((await api.post('/v1/verify', { cursor: text(['verify', '1', '1', '0', within]) })).status, 200, 'one that might be')
    t.hasStrict((await api.post('/v1/verify', { org: 'acme' })).body, { status: 400, code: 'invalid_request' })
    t.hasStrict((await api.post('/v1/verify', { fix: true })).body, { status: 400, code: 'invalid_request' })
  })
}
