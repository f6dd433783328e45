import t, { type Test } from 'tap'
import { type Api, type Body } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'

withEachLedger(t, 'events', async (t, api) => {
  await api.on('2024-03-10')
  await api.push({ 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] }, 'feature:docs': { tiers: [{}] } } } })
  await contract(t, api)
})

const ids = ({ events }: Body): string[] => (events as Body[]).map(({ id }) => id as string)

async function contract (t: Test, api: Api): Promise<void> {
  const list = async (query: Record<string, string>): Promise<Body> => (await api.get('/v1/events', query)).body

  await t.test('an event is shown as it was reported, with what it changed', async t => {
    await api.subscribe('org:shown', 'plan:free@0')
    await api.report('org:shown', 'feature:calls', 5, { id: 'first' })
    await api.report('org:shown', 'feature:calls', '0.5', { id: 'a/b c', clobber: true, at: '2024-03-09T12:00:00Z', properties: { region: 'eu', n: [1, null] } })
    const { body: { countsAs, corrections, ...event } } = await api.get(`/v1/events/${encodeURIComponent('a/b c')}`, { org: 'org:shown' })
    t.strictSame([countsAs, corrections], [0.5, []])
    t.type(event.seq, 'number')
    t.strictSame(event, {
      id: 'a/b c',
      seq: event.seq,
      org: 'org:shown',
      feature: 'feature:calls',
      n: 0.5,
      mode: 'set',
      at: '2024-03-09T12:00:00.000Z',
      window: { start: '2024-02-10T00:00:00.000Z', end: '2024-03-10T00:00:00.000Z' },
      delta: 0.5,
      usedAfter: 0.5,
      limitAfter: 10,
      refersTo: null,
      reason: null,
      actor: null,
      properties: { region: 'eu', n: [1, null] },
      voided: false
    })
    t.strictSame((await list({ org: 'org:shown', limit: '1', to: '2024-03-10T00:00:00Z' })).events, [event])
    const longest = 'ä'.repeat(255)
    await api.report('org:shown', 'feature:docs', 1, { id: longest })
    t.equal((await api.get(`/v1/events/${encodeURIComponent(longest)}`, { org: 'org:shown' })).body.limitAfter, null, 'the longest id has a path')
  })

  await t.test('of one org: the latest use first, by pages, of one feature or all, between two instants', async t => {
    await api.subscribe('org:one', 'plan:free@0')
    const uses = [['b', 'docs', 2], ['a', 'calls', 1], ['d', 'docs', 3], ['c', 'calls', 2], ['e', 'calls', 4]] as const
    for (const [id, feature, day] of uses) await api.report('org:one', `feature:${feature}`, 1, { id, at: `2024-03-0${day}T00:00:00Z` })
    const whole = await list({ org: 'org:one' })
    t.strictSame([ids(whole), whole.nextCursor, whole.more], [['e', 'd', 'c', 'b', 'a'], null, false])
    t.strictSame(ids(await list({ org: 'org:one', feature: 'feature:docs' })), ['d', 'b'])
    t.strictSame(ids(await list({ org: 'org:one', from: '2024-03-02T00:00:00Z', to: '2024-03-04T00:00:00Z' })), ['d', 'c', 'b'], 'to is not part of it')
    const pages: string[][] = []
    for (let cursor: string | null = null; pages.length === 0 || cursor !== null;) {
      const page: Body = await list({ org: 'org:one', limit: '2', ...(cursor !== null && { cursor }) })
      pages.push(ids(page))
      cursor = page.nextCursor
      t.equal(page.more, cursor !== null)
    }
    t.strictSame(pages, [['e', 'd'], ['c', 'b'], ['a']])
  })

  await t.test('of all orgs: in order of arrival, each once, and on from there for ever', async t => {
    await api.subscribe('org:two', 'plan:free@0')
    const { nextCursor: start, ...nothing } = await list({ cursor: 'latest' })
    t.strictSame(nothing, { events: [], more: false })
    await api.report('org:two', 'feature:calls', 1, { id: 'two-1' })
    await api.report('org:one', 'feature:calls', 1, { id: 'one-1', at: '2024-03-01T00:00:00Z' })
    await api.report('org:two', 'feature:docs', 1, { id: 'two-2' })
    const first = await list({ cursor: start, limit: '2' })
    t.strictSame([ids(first), first.more], [['two-1', 'one-1'], true])
    const second = await list({ cursor: first.nextCursor, limit: '2' })
    t.strictSame([ids(second), second.more], [['two-2'], false])
    t.strictSame(await list({ cursor: second.nextCursor }), { events: [], nextCursor: second.nextCursor, more: false }, 'a follower stands still')
    await api.report('org:two', 'feature:calls', 1, { id: 'two-3' })
    t.strictSame(ids(await list({ cursor: second.nextCursor })), ['two-3'], 'and goes on')
    t.strictSame(ids(await list({ cursor: start, feature: 'feature:docs' })), ['two-2'])
    t.strictSame(ids(await list({ cursor: start, to: '2024-03-10T00:00:00Z' })), ['one-1'])
    t.strictSame(ids(await list({ limit: '1000' })).slice(0, 2), ['first', 'a/b c'], 'without a cursor, from the start')
  })

  await t.test('another environment has other events', async t => {
    const live = await api.as('prv_live_0123456789abcdef')
    t.strictSame(ids((await live.get('/v1/events')).body), [])
    t.hasStrict((await live.get('/v1/events', { org: 'org:one' })).body, { status: 400, code: 'org_not_found' })
    t.hasStrict((await live.get('/v1/events/a', { org: 'org:one' })).body, { status: 400, code: 'org_not_found' })
    t.hasStrict((await live.get('/v1/events', { feature: 'feature:calls' })).body, { status: 400, code: 'feature_not_found' })
  })

  await t.test('an org that was never seen has no events, where the environment would subscribe it', async t => {
    await api.on('2024-03-10', 'plan:free@0')
    t.strictSame(await list({ org: 'org:unseen' }), { events: [], nextCursor: null, more: false })
    t.hasStrict((await api.get('/v1/events/x', { org: 'org:unseen' })).body, { status: 404, code: 'event_not_found' })
    await api.on('2024-03-10')
  })

  await t.test('a question that is malformed or about nothing is refused, naming the parameter', async t => {
    const { nextCursor: arrival } = await list({})
    const { nextCursor: place } = await list({ org: 'org:one', limit: '1' })
    const cases: Array<[query: Record<string, string>, code: string, pointer: string]> = [
      [{ org: 'org:nobody' }, 'org_not_found', '?org'],
      [{ org: 'one' }, 'invalid_request', '?org'],
      [{ feature: 'feature:nothing' }, 'feature_not_found', '?feature'],
      [{ org: 'org:one', feature: 'calls' }, 'invalid_request', '?feature'],
      [{ from: 'yesterday' }, 'invalid_request', '?from'],
      [{ to: '2024-02-30T00:00:00Z' }, 'invalid_request', '?to'],
      [{ limit: '0' }, 'invalid_request', '?limit'],
      [{ limit: '1001' }, 'invalid_request', '?limit'],
      [{ limit: '10000' }, 'invalid_request', '?limit'],
      [{ page: '1' }, 'invalid_request', '?page'],
      [{ cursor: '' }, 'invalid_request', '?cursor'],
      [{ cursor: '1' }, 'invalid_request', '?cursor'],
      [{ cursor: `${String(arrival)}A` }, 'invalid_request', '?cursor'],
      [{ cursor: place }, 'invalid_request', '?cursor'],
      [{ org: 'org:one', cursor: arrival }, 'invalid_request', '?cursor'],
      [{ org: 'org:one', cursor: 'latest' }, 'invalid_request', '?cursor']
    ]
    for (const [query, code, pointer] of cases) {
      t.hasStrict((await api.get('/v1/events', query)).body, { status: 400, code, errors: [{ pointer }] }, JSON.stringify(query))
    }
    for (const [path, code, pointer] of [
      ['x', 'invalid_request', '?org'], ['x?org=one', 'invalid_request', '?org'], ['a%00?org=org:one', 'invalid_id', '?id'],
      [`${'x'.repeat(256)}?org=org:one`, 'invalid_id', '?id']
    ] as const) {
      t.hasStrict((await api.get(`/v1/events/${path}`)).body, { status: 400, code, errors: [{ pointer }] }, path)
    }
    t.hasStrict((await api.get('/v1/events/nothing', { org: 'org:one' })).body, { status: 404, code: 'event_not_found' })
  })

  await t.test('a cursor that nobody gave, but that is well formed, is a place like any other', async t => {
    const forged = (...parts: unknown[]): string => Buffer.from(JSON.stringify(parts)).toString('base64url')
    for (const number of [0, Number.MAX_SAFE_INTEGER]) {
      t.hasStrict(await list({ cursor: forged('events', number) }), { more: false })
      t.equal((await api.get('/v1/events', { org: 'org:one', cursor: forged('events-of-org', number, number) })).status, 200)
    }
    for (const part of [-1, 0.5, 1e300, '1', null]) t.hasStrict(await list({ cursor: forged('events', part) }), { status: 400 }, String(part))
  })
}
