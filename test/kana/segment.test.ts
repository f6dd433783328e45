import t, { type Test } from 'tap'
import { mapSegmentEvents, sweepSegmentEvents } from '../../src/background/segment.ts'
import { type Api, type Body } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'
import { everyPage } from '../fixtures/pages.ts'

const DAY_MS = 86_400_000

/** What Segment sends, and what becomes of it, whatever stores are underneath. */
async function specification (t: Test, api: Api): Promise<void> {
  let messages = 0
  const send = async (call: Body): Promise<Body> => (await api.post('/segment/events', { messageId: `m-${(messages += 1)}`, ...call })).body
  const identify = async (userId: string, traits: Body = {}): Promise<Body> => await send({ type: 'identify', userId, traits })
  const track = async (userId: string, event: string, properties: Body = {}, more: Body = {}): Promise<Body> =>
    await send({ type: 'track', userId, event, properties, context: { ip: '8.8.8.8' }, ...more })
  const rule = async (event: string, feature: string, conditions: Body[] = []): Promise<Body> =>
    (await api.post('/v1/segment/rules', { event, feature, conditions })).body
  const used = async (org: string, feature = 'feature:calls'): Promise<number> => (await api.can(org, feature)).used
  const infoOf = async (org: string): Promise<Body> => (await api.get(`/v1/orgs/${encodeURIComponent(org)}`)).body.info
  const provided = async (email: string): Promise<void> => {
    await api.database.run([{
      text: "insert into orgs (environment, name, info) values ('test', $1, $2::jsonb)",
      params: [`org:${email}`, JSON.stringify({ email, billingId: `cus_${email}` })]
    }])
  }
  await api.push({ 'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }] }, 'feature:pdfs': { tiers: [{ upto: 100 }] } } } })

  await t.test('I4: identify: the user id decides who it is', async t => {
    t.hasStrict(await identify('1', { name: 'One', email: 'one@example.com', billingUserId: 'cus_1', age: 7 }), { result: 'identified', created: true, flagged: false })
    t.strictSame(await infoOf('org:1'), { name: 'One', email: 'one@example.com', billingId: 'cus_1' })
    await identify('1', { email: 'uno@example.com', name: '' })
    t.strictSame(await infoOf('org:1'), { name: 'One', email: 'uno@example.com', billingId: 'cus_1' }, 'what is empty changes nothing')
    t.hasStrict(await identify('2', { email: 'uno@example.com' }), { created: true, flagged: true }, 'another user with that e-mail')
    t.hasStrict(await identify('2', { name: 'Two', email: 'uno@example.com' }), { created: false, flagged: false }, 'known: also where others share the e-mail')
    t.strictSame((await api.get('/v1/orgs', { shared: 'email' })).body.orgs.map(({ org }: Body) => org), ['org:1', 'org:2'])
  })

  await t.test('I5: identify: who came from the payment provider gets their id, or is merged into who has it', async t => {
    await provided('alone@example.com')
    await api.subscribe('org:alone@example.com', 'plan:pro@0')
    await api.report('org:alone@example.com', 'feature:calls', 3)
    t.hasStrict(await identify('10', { email: 'Alone@example.com', name: 'Ten' }), { userId: '10', created: false, merged: false })
    t.hasStrict(await infoOf('org:10'), { name: 'Ten', billingId: 'cus_alone@example.com' })
    t.equal(await used('org:10'), 3, 'with what they have used')

    await provided('known@example.com')
    await api.subscribe('org:known@example.com', 'plan:pro@0')
    await api.report('org:known@example.com', 'feature:calls', 4)
    await identify('11')
    t.hasStrict(await identify('11', { email: 'known@example.com' }), { userId: '11', created: false, merged: true })
    t.equal(await used('org:11'), 4)
    t.equal(await used('org:known@example.com'), 4, 'the old id leads there')

    await provided('several@example.com')
    await identify('12')
    await api.post('/v1/subscribe', { org: 'org:12', info: { email: 'several@example.com' } })
    t.hasStrict(await identify('13', { email: 'several@example.com' }), { created: true, flagged: true }, 'two may be meant')
  })

  await t.test('identify: several at once are all heard', async t => {
    const traits = [{ name: 'Fourteen' }, { email: 'fourteen@example.com' }, { billingUserId: 'cus_14' }]
    const answers = await Promise.all(traits.map(async each => await identify('14', each)))
    t.strictSame(answers.map(({ result }) => result), ['identified', 'identified', 'identified'])
    t.strictSame(await infoOf('org:14'), { name: 'Fourteen', email: 'fourteen@example.com', billingId: 'cus_14' })
    await provided('fifteen@example.com')
    const same = await Promise.all(['a', 'b', 'c'].map(async name => await identify('15', { name, email: 'fifteen@example.com' })))
    t.strictSame(same.map(({ result }) => result), ['identified', 'identified', 'identified'], 'also where the id is taken over')
    t.equal((await infoOf('org:15')).billingId, 'cus_fifteen@example.com')
    await provided('sixteen@example.com')
    await identify('16')
    const merged = await Promise.all(['a', 'b'].map(async name => await identify('16', { name, email: 'sixteen@example.com' })))
    t.strictSame(merged.map(({ result }) => result), ['identified', 'identified'], 'and where somebody is merged')
    t.equal((await infoOf('org:16')).billingId, 'cus_sixteen@example.com')
  })

  await t.test('I6: track: the feature and the delta of the event itself, once', async t => {
    await api.subscribe('org:20', 'plan:pro@0')
    t.strictSame(await track('20', 'Called', { featureId: 'calls' }), { result: 'counted', features: ['feature:calls'] })
    await track('20', 'Called', { featureId: 'calls', delta: 2.5 })
    const again = { messageId: 'again' }
    t.equal((await track('20', 'Called', { featureId: 'calls' }, again)).result, 'counted')
    t.equal((await track('20', 'Called', { featureId: 'calls' }, again)).result, 'duplicate')
    t.equal(await used('org:20'), 4.5)
    t.equal((await track('20', 'Called', { featureId: 'calls' }, { timestamp: new Date(Date.now() + DAY_MS).toISOString() })).result, 'counted', 'a clock that is ahead')
  })

  await t.test('I7: track: rules by name and conditions; events that waited for one are counted as well, each once', async t => {
    await api.subscribe('org:30', 'plan:pro@0')
    for (const format of ['pdf', 'pdf', 'csv']) t.strictSame(await track('30', 'Exported', { file: { format }, pages: 2 }), { result: 'waiting', features: [] })
    await track('30', 'Exported', { file: { format: 'pdf' }, pages: 3 }, { messageId: 'twice' })
    await track('30', 'Exported', { file: { format: 'pdf' }, pages: 3 }, { messageId: 'twice' })
    const { id } = await rule('Exported', 'feature:pdfs', [{ path: 'file.format', equals: 'pdf' }, { path: 'pages', equals: 2 }])
    await Promise.all([mapSegmentEvents(api.stores, Date.now()), mapSegmentEvents(api.stores, Date.now())])
    t.equal(await used('org:30', 'feature:pdfs'), 2, 'all conditions hold')
    t.strictSame(await track('30', 'Exported', { file: { format: 'pdf' }, pages: 2 }), { result: 'counted', features: ['feature:pdfs'] })
    await rule('Exported', 'feature:calls')
    await mapSegmentEvents(api.stores, Date.now())
    await mapSegmentEvents(api.stores, Date.now())
    t.equal(await used('org:30'), 2, 'those that waited on, each once')
    t.equal(await used('org:30', 'feature:pdfs'), 3)
    t.equal(await waiting(), 0)
    t.strictSame((await track('30', 'Exported', { file: { format: 'pdf' }, pages: 2 })).features, ['feature:pdfs', 'feature:calls'], 'several rules, several features')
    t.strictSame((await api.send({ method: 'DELETE', url: `/v1/segment/rules/${id}` })).body, {})
    t.strictSame((await track('30', 'Exported', { file: { format: 'pdf' }, pages: 2 })).features, ['feature:calls'])
  })

  await t.test('track: a use of a feature that is not held takes no other one with it', async t => {
    await api.subscribe('org:31', 'feature:calls@plan:pro@0')
    await rule('Printed', 'feature:pdfs')
    await rule('Printed', 'feature:calls')
    t.hasStrict(await track('31', 'Printed'), { status: 400, code: 'feature_not_found' })
    t.equal(await used('org:31'), 1)
  })

  await t.test('what matches no rule does not keep a bounded run from what comes behind it', async t => {
    await api.subscribe('org:32', 'plan:pro@0')
    for (let n = 0; n < 99; n += 1) await track('32', 'Viewed', { page: 'other' })
    for (const page of ['other', 'pricing']) await track('32', 'Viewed', { page })
    await rule('Viewed', 'feature:calls', [{ path: 'page', equals: 'pricing' }])
    const pages = { pagesMax: 1 }
    let from = await mapSegmentEvents(api.stores, Date.now(), pages)
    t.hasStrict(from, { environment: 'test', event: 'Viewed' })
    for (let run = 0; from !== undefined && run < 5; run += 1) from = await mapSegmentEvents(api.stores, Date.now(), { ...pages, from })
    t.equal(from, undefined, 'the next one begins anew')
    t.equal(await used('org:32'), 1)
    await api.database.run([{ text: "delete from segment_events where event = 'Viewed'", params: [] }])
  })

  await t.test('an event of somebody who cannot use the feature yet waits on, and is forgotten after 30 days', async t => {
    await track('40', 'Later')
    await rule('Later', 'feature:calls')
    await mapSegmentEvents(api.stores, Date.now())
    t.equal(await waiting(), 1)
    await api.subscribe('org:40', 'plan:pro@0')
    await mapSegmentEvents(api.stores, Date.now())
    t.equal(await waiting(), 0)
    t.hasStrict((await api.usage('org:40', 'feature:calls')).past, [{ used: 1 }], 'counted when it was')
    await track('40', 'Never')
    await sweepSegmentEvents(api.stores, Date.now() + 29 * DAY_MS)
    t.equal(await waiting(), 1)
    await sweepSegmentEvents(api.stores, Date.now() + 31 * DAY_MS)
    t.equal(await waiting(), 0)
  })

  await t.test('what is of no use to us is taken and dropped; what cannot be is refused, and nothing written', async t => {
    for (const type of ['page', 'screen', 'group', 'alias']) t.strictSame(await send({ type, userId: '50' }), { result: 'ignored' })
    for (const [call, pointer] of [
      [{ type: 'track', anonymousId: 'x', event: 'e' }, '/userId'], [{ type: 'identify', userId: '' }, '/userId'], [{ userId: '50' }, '/type'],
      [{ type: 'track', userId: '50' }, '/event'], [{ type: 'track', userId: '50', event: 'a\u0000' }, '/event'],
      [{ type: 'track', userId: '50', event: 'e', properties: { x: '\ud800' } }, '/properties/x'],
      [{ type: 'track', userId: '50', event: 'e', properties: { featureId: 7 } }, '/properties/featureId'],
      [{ type: 'track', userId: '50', event: 'e', properties: { featureId: 'calls', delta: {} } }, '/properties/delta'],
      [{ type: 'track', userId: '50', event: 'e', properties: { featureId: 'calls', delta: 'x' } }, '/properties/delta'],
      [{ type: 'track', userId: '50', event: 'e', timestamp: 'yesterday' }, '/timestamp'],
      [{ type: 'track', userId: '50', event: 'e', messageId: null }, '/messageId'],
      [{ type: 'track', userId: '50', event: 'e', messageId: 'x'.repeat(300) }, '/messageId'],
      [{ type: 'identify', userId: '50', traits: { email: 'nonsense' } }, '/email'], [{ type: 'identify', userId: '50', traits: { name: 7 } }, '/traits/name']
    ] as const) t.hasStrict(await send(call), { status: 400, errors: [{ pointer }] }, JSON.stringify(call))
    t.hasStrict((await api.get('/v1/orgs/org:50')).body, { status: 404 })
    t.equal(await waiting(), 0)
  })

  await t.test('rules are listed, read, and refused where they make no sense', async t => {
    const pages = await everyPage(api, '/v1/segment/rules', 'rules', { limit: '1' })
    t.strictSame(pages.flat().map(({ event, feature }) => [event, feature]), [
      ['Exported', 'feature:calls'], ['Printed', 'feature:pdfs'], ['Printed', 'feature:calls'], ['Viewed', 'feature:calls'], ['Later', 'feature:calls']
    ])
    const [[{ id }]] = pages as [[Body]]
    t.hasStrict((await api.get(`/v1/segment/rules/${id}`)).body, { event: 'Exported' })
    t.hasStrict(await rule('x', 'feature:nothing'), { status: 400, code: 'feature_not_found' })
    t.hasStrict(await rule('', 'feature:calls'), { status: 400, errors: [{ pointer: '/event' }] })
    t.hasStrict(await rule('x', 'feature:calls', [{ path: 'a\u0000', equals: 1 }]), { status: 400, errors: [{ pointer: '/conditions/0/path' }] })
    t.hasStrict((await api.get('/v1/segment/rules/nothing')).body, { status: 404, code: 'not_found' })
    const other = await api.as('prv_elsewhere_0123456789abcdef')
    t.equal((await other.get(`/v1/segment/rules/${id}`)).status, 404)
    t.strictSame((await other.get('/v1/segment/rules')).body.rules, [])
  })

  async function waiting (): Promise<number> {
    const [result] = await api.database.run([{ text: 'select count(*)::int from segment_events', params: [] }])
    return result?.rows[0]?.[0] as number
  }
}

withEachLedger(t, 'Segment', specification)
