import t from 'tap'
import { type Body, openApi, type Reply, timeOf } from '../fixtures/api.ts'
import { everyPage, NOT_CURSORS } from '../fixtures/pages.ts'

const api = await openApi(t)
const elsewhere = await api.as('prv_elsewhere_0123456789abcdef')
await api.on('2024-01-01')
await api.push({
  'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] }, 'feature:sso': {} } },
  'plan:pro@1': { features: { 'feature:calls': { tiers: [{ upto: 100 }] } } },
  'plan:extra@1': { addon: true, features: { 'feature:calls': { tiers: [{ upto: 5 }] } } }
})

let orgs = 0
/** A new org that holds a plan from 1 January on, and its subscription. */
async function newOrg (plan = 'plan:free@0'): Promise<{ org: string, id: number }> {
  orgs += 1
  await api.on('2024-01-01')
  await api.subscribe(`org:o${orgs}`, plan)
  return { org: `org:o${orgs}`, id: (await list(`org:o${orgs}`))[0]?.id }
}

const list = async (org: string): Promise<Body[]> => (await api.get(`/v1/orgs/${org}/subscriptions`)).body.subscriptions
const add = async (org: string, body: Body): Promise<Body> => (await api.post(`/v1/orgs/${org}/subscriptions`, body)).body
const read = async (id: number): Promise<Body> => (await api.get(`/v1/subscriptions/${id}`)).body
const patch = async (id: number | string, payload: Body): Promise<Body> => (await api.send({ method: 'PATCH', url: `/v1/subscriptions/${id}`, payload })).body
const end = async (id: number | string): Promise<Reply> => await api.send({ method: 'DELETE', url: `/v1/subscriptions/${id}` })

/** `id plan status from..to` of each. */
function shown (rows: Body[]): string[] {
  const day = (time: string | null): string => time?.slice(0, 10) ?? ''
  return rows.map(({ plan, feature, status, startsAt, endsAt }) => `${feature === null ? '' : `${feature}@`}${plan} ${status} ${day(startsAt)}..${day(endsAt)}`)
}

t.test('a plan that is added is held beside what is held, and is read by its id', async t => {
  const { org, id } = await newOrg()
  await api.report(org, 'feature:calls', 8)
  await api.on('2024-01-10')
  const added = await add(org, { plan: 'plan:extra@1' })
  t.strictSame(added, {
    id: added.id,
    org,
    plan: 'plan:extra@1',
    feature: null,
    status: 'active',
    startsAt: '2024-01-10T00:00:00.000Z',
    endsAt: null,
    anchorAt: '2024-01-01T00:00:00.000Z',
    timeZone: 'UTC'
  })
  t.ok(added.id > id)
  t.strictSame(await read(added.id), added)
  t.strictSame((await list(org)).map(({ id }) => id), [id, added.id])
  t.hasStrict(await api.can(org, 'feature:calls'), { used: 8, limit: 15, resetsAt: '2024-02-01T00:00:00.000Z' }, 'the window goes on')
})

t.test('one feature of a plan may be added, from then to then, with an anchor and a status', async t => {
  const { org } = await newOrg()
  t.hasStrict(await add(org, {
    plan: 'plan:pro@1', feature: 'feature:calls', startsAt: timeOf('2024-02-01'), endsAt: timeOf('2024-03-01'), anchorAt: timeOf('2024-01-15'), status: 'trialing'
  }), {
    plan: 'plan:pro@1',
    feature: 'feature:calls',
    status: 'trialing',
    startsAt: '2024-02-01T00:00:00.000Z',
    endsAt: '2024-03-01T00:00:00.000Z',
    anchorAt: '2024-01-15T00:00:00.000Z'
  })
  t.equal((await api.can(org, 'feature:calls')).limit, 10)
  await api.on('2024-02-10')
  t.hasStrict(await api.can(org, 'feature:calls'), { limit: 100, resetsAt: '2024-02-15T00:00:00.000Z' })
  await api.on('2024-03-01')
  t.equal((await api.can(org, 'feature:calls')).limit, 10, 'its end is not part of it')
})

t.test('a start in the past counts from there; where something was used since, from now', async t => {
  const { org } = await newOrg()
  await api.on('2024-01-20')
  t.hasStrict(await add(org, { plan: 'plan:pro@1', startsAt: timeOf('2024-01-10') }), { startsAt: '2024-01-10T00:00:00.000Z', anchorAt: '2024-01-10T00:00:00.000Z' })
  const used = await newOrg()
  await api.on('2024-01-20')
  await api.report(used.org, 'feature:calls')
  t.hasStrict(await add(used.org, { plan: 'plan:pro@1', startsAt: timeOf('2024-01-10') }), { startsAt: '2024-01-20T00:00:00.000Z', anchorAt: '2024-01-10T00:00:00.000Z' })
})

t.test('what is held already is not added twice, so a lost answer may be asked for again', async t => {
  const { org } = await newOrg()
  const { id } = await add(org, { plan: 'plan:extra@1' })
  const refused = { status: 409, code: 'subscription_conflict', message: `plan:extra@1 is held already over that time, by subscription ${id}`, errors: [{ pointer: '/plan' }] }
  t.hasStrict(await add(org, { plan: 'plan:extra@1' }), refused)
  t.hasStrict(await add(org, { plan: 'plan:extra@1', startsAt: timeOf('2025-01-01') }), refused)
  t.equal((await api.can(org, 'feature:calls')).limit, 15)
  const racing = await Promise.all(Array.from({ length: 5 }, async () => await add(org, { plan: 'plan:pro@1' })))
  t.strictSame(racing.map(({ code }) => code ?? 'added').sort(), ['added', ...Array.from({ length: 4 }, () => 'subscription_conflict')])
})

t.test('plans that nobody can have are refused', async t => {
  const { org } = await newOrg()
  await api.push({ 'plan:old@0': { features: { 'feature:calls': {} } } })
  await api.send({ method: 'POST', url: '/v1/plans/plan:old@0/archive' })
  await api.send({ method: 'PUT', url: '/v1/plans/plan:draft@0', payload: { features: { 'feature:calls': {} } } })
  t.hasStrict(await add(org, { plan: 'plan:old@0' }), { status: 400, code: 'plan_unavailable', errors: [{ pointer: '/plan' }] })
  t.hasStrict(await add(org, { plan: 'plan:draft@0' }), { status: 400, code: 'plan_unavailable', errors: [{ pointer: '/plan' }] })
  t.hasStrict(await add(org, { plan: 'plan:nope@0' }), { status: 400, code: 'TERR1020', errors: [{ pointer: '/plan' }] })
  t.hasStrict(await add(org, { plan: 'plan:pro@1', feature: 'feature:sso' }), { status: 400, code: 'TERR1020', errors: [{ pointer: '/feature' }] })
  t.equal((await list(org)).length, 1)
})

t.test('a status changes in place while access stays as it is', async t => {
  const { org, id } = await newOrg()
  await api.on('2024-01-10')
  t.hasStrict(await patch(id, { status: 'trialing' }), { id, status: 'trialing', startsAt: '2024-01-01T00:00:00.000Z' })
  t.ok((await api.can(org, 'feature:calls')).ok)
  t.strictSame(shown(await list(org)), ['plan:free@0 trialing 2024-01-01..'])
})

t.test('a status that takes access goes on as another subscription, and what was used before stays where it was', async t => {
  const { org, id } = await newOrg()
  await api.report(org, 'feature:calls', 4)
  await api.on('2024-02-10')
  await api.report(org, 'feature:calls', 5)
  const before = (await api.usage(org, 'feature:calls')).past
  const unpaid = await patch(id, { status: 'unpaid' })
  t.not(unpaid.id, id)
  t.hasStrict(await api.can(org, 'feature:calls'), { ok: false, reason: 'feature_not_found' })
  t.hasStrict(await api.report(org, 'feature:calls'), { status: 400, code: 'feature_not_found' })
  t.strictSame(shown(await list(org)), ['plan:free@0 active 2024-01-01..2024-02-10', 'plan:free@0 unpaid 2024-02-10..'])
  await api.on('2024-02-20')
  const paid = await patch(unpaid.id, { status: 'active' })
  t.hasStrict(await api.can(org, 'feature:calls'), { ok: true, used: 5, limit: 10, resetsAt: '2024-03-01T00:00:00.000Z' }, 'it goes on in its window')
  t.strictSame(shown(await list(org)), [
    'plan:free@0 active 2024-01-01..2024-02-10', 'plan:free@0 unpaid 2024-02-10..2024-02-20', 'plan:free@0 active 2024-02-20..'
  ])
  t.strictSame((await api.usage(org, 'feature:calls')).past, before)
  t.hasStrict(await api.report(org, 'feature:calls', 1, { at: timeOf('2024-02-05') }), { used: 6 }, 'a late report for when it was held')
  t.hasStrict(await api.report(org, 'feature:calls', 1, { at: timeOf('2024-02-15') }), { status: 400, code: 'feature_not_found' }, 'and for when it was not')
  t.strictSame(await read(paid.id), paid)
})

t.test('what is cancelled ends now, or when it says, and is not brought back once it is over', async t => {
  const { org, id } = await newOrg()
  await api.on('2024-01-10')
  t.hasStrict(await patch(id, { status: 'cancelled', endsAt: timeOf('2024-02-01') }), { id, status: 'cancelled', endsAt: '2024-02-01T00:00:00.000Z' })
  t.ok((await api.can(org, 'feature:calls')).ok, 'it gives access until then')
  t.hasStrict(await patch(id, { status: 'active', endsAt: null }), { id, status: 'active', endsAt: null })
  t.hasStrict(await patch(id, { status: 'cancelled' }), { id, status: 'cancelled', endsAt: '2024-01-10T00:00:00.000Z' })
  t.hasStrict(await api.can(org, 'feature:calls'), { ok: false, reason: 'feature_not_found' })
  const over = { status: 409, code: 'subscription_conflict', errors: [{ pointer: '?id' }] }
  t.hasStrict(await patch(id, { status: 'active' }), over)
  t.hasStrict((await end(id)).body, over)
  t.hasStrict(await add(org, { plan: 'plan:free@0' }), { startsAt: '2024-01-10T00:00:00.000Z', anchorAt: '2024-01-01T00:00:00.000Z' }, 'added anew, its periods go on')
})

t.test('it ends now or at an instant, and one that has not begun is gone', async t => {
  const { org, id } = await newOrg()
  const { id: later } = await add(org, { plan: 'plan:pro@1', startsAt: timeOf('2024-06-01') })
  await api.on('2024-01-10')
  t.hasStrict(await patch(id, { endsAt: timeOf('2024-03-01') }), { id, endsAt: '2024-03-01T00:00:00.000Z' })
  const { status, body } = await end(id)
  t.strictSame([status, body], [200, {}])
  t.hasStrict(await read(id), { status: 'active', endsAt: '2024-01-10T00:00:00.000Z' })
  t.strictSame((await end(later)).body, {})
  t.hasStrict(await read(later), { status: 404, code: 'not_found', message: `there is no subscription ${later}`, errors: [{ pointer: '?id' }] })
  t.strictSame(shown(await list(org)), ['plan:free@0 active 2024-01-01..2024-01-10'])
})

t.test('changes show in Tier\'s view of the same rows', async t => {
  const { org } = await newOrg()
  await add(org, { plan: 'plan:extra@1', endsAt: timeOf('2024-02-01') })
  t.strictSame((await api.phases(org)).phases.map(({ plans }: Body) => plans), [['plan:extra@1', 'plan:free@0'], ['plan:free@0']])
  await api.subscribe(org, 'plan:pro@1')
  t.strictSame(shown(await list(org)), ['plan:pro@1 active 2024-01-01..'], 'subscribe replaces it all; what had not begun before now is gone')
})

t.test('a list goes on where it ended, while subscriptions are added', async t => {
  const { org, id } = await newOrg()
  await api.on('2024-01-10')
  const { id: second } = await add(org, { plan: 'plan:extra@1' })
  let added: Body | undefined
  const pages = await everyPage(api, `/v1/orgs/${org}/subscriptions`, 'subscriptions', { limit: '1' }, async () => {
    added ??= await add(org, { plan: 'plan:pro@1' })
  })
  t.strictSame(pages.map(page => page.map(({ id }) => id)), [[id], [second], [added?.id]])
})

t.test('environments do not see each other\'s subscriptions', async t => {
  const { org, id } = await newOrg()
  await elsewhere.push((await api.pull()).plans)
  for (const method of ['GET', 'PATCH', 'DELETE'] as const) {
    const { body } = await elsewhere.send({ method, url: `/v1/subscriptions/${id}`, ...(method === 'PATCH' && { payload: { status: 'unpaid' } }) })
    t.hasStrict(body, { status: 404, code: 'not_found' }, method)
  }
  await elsewhere.subscribe(org, 'plan:pro@1')
  t.hasStrict((await elsewhere.get('/v1/subscriptions/1')).body, { id: 1, plan: 'plan:pro@1' }, 'each counts its own')
  t.hasStrict(await read(id), { plan: 'plan:free@0', status: 'active' })
})

t.test('what makes no sense is refused, naming the place, and changes nothing', async t => {
  const { org, id } = await newOrg()
  const before = await list(org)
  const additions: Array<[Body, string, string]> = [
    [{}, 'invalid_request', '/plan'],
    [{ plan: 'pro' }, 'invalid_request', '/plan'],
    [{ plan: 'plan:pro' }, 'invalid_request', '/plan'],
    [{ plan: 'plan:\0@1' }, 'invalid_request', '/plan'],
    [{ plan: 'feature:calls@plan:pro@1' }, 'invalid_request', '/plan'],
    [{ plan: 'plan:pro@1', feature: 'calls' }, 'invalid_request', '/feature'],
    [{ plan: 'plan:pro@1', feature: 'feature:\ud800' }, 'invalid_request', '/feature'],
    [{ plan: 'plan:pro@1', status: 'paused' }, 'invalid_request', '/status'],
    [{ plan: 'plan:pro@1', status: 'cancelled' }, 'invalid_request', '/status'],
    [{ plan: 'plan:pro@1', startsAt: 'soon' }, 'invalid_request', '/startsAt'],
    [{ plan: 'plan:pro@1', startsAt: '1969-12-31T23:59:59Z' }, 'invalid_request', '/startsAt'],
    [{ plan: 'plan:pro@1', endsAt: timeOf('2024-01-01') }, 'invalid_request', '/endsAt'],
    [{ plan: 'plan:pro@1', startsAt: timeOf('2024-02-01'), endsAt: timeOf('2024-01-15') }, 'invalid_request', '/endsAt'],
    [{ plan: 'plan:pro@1', anchorAt: '2024-02-30T00:00:00Z' }, 'invalid_request', '/anchorAt'],
    [{ plan: 'plan:pro@1', trial: true }, 'invalid_request', '/trial']
  ]
  for (const [body, code, pointer] of additions) {
    t.hasStrict(await add(org, body), { status: 400, code, errors: [{ pointer }] }, JSON.stringify(body))
  }
  const changes: Array<[Body, string]> = [
    [{}, ''], [{ status: 'paused' }, '/status'], [{ status: null }, '/status'], [{ endsAt: 'now' }, '/endsAt'], [{ endsAt: timeOf('2023-12-31') }, '/endsAt'],
    [{ endsAt: timeOf('2024-01-01') }, '/endsAt'], [{ startsAt: timeOf('2024-02-01') }, '/startsAt'], [{ status: 'cancelled', endsAt: null }, '/endsAt']
  ]
  for (const [body, pointer] of changes) {
    t.hasStrict(await patch(id, body), { status: 400, code: 'invalid_request', errors: [{ pointer }] }, JSON.stringify(body))
  }
  t.strictSame(await list(org), before)
  t.hasStrict(await add('org:nobody', { plan: 'plan:pro@1' }), { status: 404, code: 'not_found', errors: [{ pointer: '?org' }] })
  t.hasStrict(await add('nobody', { plan: 'plan:pro@1' }), { status: 400, errors: [{ pointer: '?org' }] })
  t.hasStrict((await api.get('/v1/orgs/org:nobody/subscriptions')).body, { status: 404, errors: [{ pointer: '?org' }] })
  t.equal((await api.whois('org:nobody')).code, 'org_not_found', 'no org was made')
  for (const wrong of ['0', '-1', '1.5', 'x', '01', '1e3', '9999999999999999', '%00']) {
    const { body } = await api.send({ method: 'GET', url: `/v1/subscriptions/${wrong}` })
    t.hasStrict(body, { status: 400, code: 'invalid_request', errors: [{ pointer: '?id' }] }, wrong)
  }
  for (const unknown of ['999', '999999999999999']) {
    t.hasStrict(await patch(unknown, { status: 'active' }), { status: 404, code: 'not_found', errors: [{ pointer: '?id' }] }, unknown)
    t.hasStrict((await end(unknown)).body, { status: 404, code: 'not_found' }, unknown)
  }
  for (const cursor of NOT_CURSORS) {
    t.hasStrict((await api.get(`/v1/orgs/${org}/subscriptions`, { cursor })).body, { status: 400, errors: [{ pointer: '?cursor' }] }, cursor)
  }
})

t.end()
