import type { Test } from 'tap'
import type { Api, Body } from '../fixtures/api.ts'

const PLANS = {
  'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] }, 'feature:sso': {}, 'feature:busy': { tiers: [{}] } } },
  'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }] } } },
  'plan:more@0': { addon: true, features: { 'feature:calls': { tiers: [{ upto: 5 }], combine: 'sum' } } }
}

const NOT_COUNTED = { aggregate: null, reset: null, anchor: null, window: null }

async function asked (api: Api, org: string, feature: string, more: Record<string, string> = {}): Promise<Body> {
  return (await api.get('/v1/can', { org, feature, explain: 'true', ...more })).body
}

/** Rows that stand behind a counter, as many as `count`; the counter stays as it was. */
async function addEvents ({ database }: Api, org: string, feature: string, count: number): Promise<void> {
  await database.run([{
    text: `insert into events (org, id, feature, at, window_start, amount, mode, delta, used_after, fingerprint)
      select o.id, 'many-' || i, f.id, '2024-03-10T00:00:00Z', '2024-03-10T00:00:00Z', 1, 'add', 1, i, gen_random_uuid()
      from generate_series(1, $3::int) i, orgs o, features f where o.name = $1 and f.name = $2`,
    params: [org, feature, count]
  }])
}

async function hold ({ database }: Api, org: string, id: string, expiresAt: string, state = 'held'): Promise<void> {
  await database.run([{
    text: `insert into reservations (org, id, feature, at, window_start, amount, expires_at, state, used, reserved, fingerprint)
      select o.id, $2, f.id, '2024-03-10T00:00:00Z', '2024-03-10T00:00:00Z', 2, $3::timestamptz, $4, 0, 2, gen_random_uuid()
      from orgs o, features f where o.name = $1 and f.name = 'feature:calls'`,
    params: [org, id, expiresAt, state]
  }])
}

/** What an explanation says, on every ledger. */
export async function explainSpecification (t: Test, api: Api): Promise<void> {
  await api.on('2024-03-10')
  await api.push(PLANS)
  await api.subscribe('org:acme', 'plan:free@0', 'plan:pro@0', 'plan:more@0')

  await t.test('a verdict with what made it: entitlements, window, anchor and events', async t => {
    await api.report('org:acme', 'feature:calls', 4, { id: 'first' })
    await api.on('2024-03-11T12:00:00Z')
    await api.report('org:acme', 'feature:calls', '2.5', { id: 'second' })
    const { explanation, ...verdict } = await asked(api, 'org:acme', 'feature:calls', { n: '3' })
    t.strictSame(verdict, await api.can('org:acme', 'feature:calls', 3), 'the same verdict as without')
    const held = { type: 'metered', overage: false, startsAt: '2024-03-10T00:00:00.000Z', endsAt: null }
    t.same(explanation, {
      at: '2024-03-11T12:00:00.000Z',
      entitlements: [
        { role: 'decides', plan: 'plan:pro@0', combine: 'highest', limit: 100 }, { role: 'adds', plan: 'plan:more@0', combine: 'sum', limit: 5 },
        { role: 'outranked', plan: 'plan:free@0', combine: 'highest', limit: 10 }
      ].map((entitlement, i) => ({ ...held, ...entitlement, subscription: explanation.entitlements[i].subscription })),
      override: null,
      aggregate: 'sum',
      reset: 'month',
      anchor: { at: '2024-03-10T00:00:00.000Z', timeZone: 'UTC' },
      window: { start: '2024-03-10T00:00:00.000Z', end: '2024-04-10T00:00:00.000Z' },
      events: {
        count: 2,
        more: false,
        latest: [
          { id: 'second', at: '2024-03-11T12:00:00.000Z', mode: 'add', n: 2.5, delta: 2.5, usedAfter: 6.5 },
          { id: 'first', at: '2024-03-10T00:00:00.000Z', mode: 'add', n: 4, delta: 4, usedAfter: 4 }
        ]
      },
      reservations: { count: 0, more: false, live: [] }
    })
    const { subscriptions } = (await api.get('/v1/orgs/org:acme/subscriptions')).body
    t.strictSame(
      explanation.entitlements.map(({ subscription, plan }: Body) => [subscription, plan]).sort(),
      subscriptions.map(({ id, plan }: Body) => [id, plan]).sort()
    )
  })

  await t.test('an override is shown with its reason, and what it takes the place of', async t => {
    await api.send({ method: 'PUT', url: '/v1/orgs/org:acme/overrides/feature:calls', payload: { limit: 7, reason: 'ticket 4711' } })
    const { ok, limit, explanation } = await asked(api, 'org:acme', 'feature:calls')
    t.strictSame([ok, limit], [false, 7])
    t.strictSame(explanation.override, { limit: 7, overage: null, startsAt: '2024-03-11T12:00:00.000Z', endsAt: null, reason: 'ticket 4711' })
    t.equal(explanation.entitlements[0].limit, 100)
    await api.send({ method: 'DELETE', url: '/v1/orgs/org:acme/overrides/feature:calls' })
  })

  await t.test('reservations that count are shown: not those that are settled or have expired', async t => {
    await hold(api, 'org:acme', 'later', '2024-03-12T00:00:00Z')
    await hold(api, 'org:acme', 'sooner', '2024-03-11T12:00:00.001Z')
    await hold(api, 'org:acme', 'expired', '2024-03-11T12:00:00Z')
    await hold(api, 'org:acme', 'settled', '2024-03-12T00:00:00Z', 'committed')
    const { explanation: { reservations } } = await asked(api, 'org:acme', 'feature:calls')
    t.same([reservations.count, reservations.more, reservations.live.map(({ id }: Body) => id)], [2, false, ['sooner', 'later']])
    t.same(reservations.live[1], { id: 'later', at: '2024-03-10T00:00:00.000Z', n: 2, expiresAt: '2024-03-12T00:00:00.000Z' })
  })

  await t.test('of many events the latest ten are shown, and their number as far as it was counted', async t => {
    await addEvents(api, 'org:acme', 'feature:busy', 1_000)
    const { explanation: { events: all } } = await asked(api, 'org:acme', 'feature:busy')
    t.same([all.count, all.more, all.latest.length], [1_000, false, 10])
    t.equal(all.latest[0].id, 'many-1000', 'of one instant, the last to arrive')
    await api.report('org:acme', 'feature:busy', 1, { id: 'one-more' })
    const { explanation: { events: more } } = await asked(api, 'org:acme', 'feature:busy')
    t.same([more.count, more.more, more.latest[0].id], [1_000, true, 'one-more'])
  })

  await t.test('only what belongs to the window is shown', async t => {
    await api.on('2024-04-10')
    const { explanation: { window, events } } = await asked(api, 'org:acme', 'feature:calls')
    t.same([window.start, events], ['2024-04-10T00:00:00.000Z', { count: 0, more: false, latest: [] }])
    await api.on('2024-03-11T12:00:00Z')
  })

  await t.test('access has nothing that is counted, and what is not held has no reasons', async t => {
    const { explanation: access } = await asked(api, 'org:acme', 'feature:sso')
    t.same(access.entitlements.map(({ role, plan, type }: Body) => [role, plan, type]), [['decides', 'plan:free@0', 'boolean']])
    const { reason, explanation: none } = await asked(api, 'org:acme', 'feature:unheard-of')
    t.equal(reason, 'feature_not_found')
    t.strictSame(none.entitlements, [])
    for (const { aggregate, reset, anchor, window } of [access, none]) t.strictSame({ aggregate, reset, anchor, window }, NOT_COUNTED)
  })

  await t.test('an org that is not stored is explained by the default plan', async t => {
    await api.on('2024-03-11T12:00:00Z', 'plan:free@0')
    const { ok, explanation } = await asked(api, 'org:new', 'feature:calls')
    t.same([ok, explanation.entitlements.map(({ plan }: Body) => plan), explanation.events.count], [true, ['plan:free@0'], 0])
    await api.on('2024-03-11T12:00:00Z')
    t.hasStrict(await asked(api, 'org:new', 'feature:calls'), { code: 'org_not_found', errors: [{ pointer: '?org' }] })
  })

  await t.test('it is for one feature, and asked for with true', async t => {
    t.hasStrict((await api.get('/v1/can', { org: 'org:acme', explain: 'true' })).body, { status: 400, errors: [{ pointer: '?explain' }] })
    t.hasStrict(await asked(api, 'org:acme', 'feature:calls', { explain: 'yes' }), { status: 400, errors: [{ pointer: '?explain' }] })
    t.equal((await asked(api, 'org:acme', 'feature:calls', { explain: 'false' })).explanation, undefined)
  })
}
