import t, { type Test } from 'tap'
import { type Api, type Body } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'

let orgs = 0

withEachLedger(t, 'many reports at once', async (t, api) => {
  await api.push({
    'plan:p@1': {
      features: {
        'feature:calls': { tiers: [{ upto: 10 }] },
        'feature:bytes': { tiers: [{}] },
        'feature:sso': {}
      }
    }
  })
  await specification(t, api)
})

async function specification (t: Test, api: Api): Promise<void> {
  const newOrg = async (): Promise<string> => {
    const org = `org:${orgs += 1}`
    await api.subscribe(org, 'plan:p@1')
    return org
  }
  const send = async (payload: unknown, type = 'application/json', headers: Record<string, string> = {}, query = ''): Promise<Body> => {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
    const { status, body } = await api.post(`/v1/reports${query}`, text, { 'content-type': type, ...headers })
    return { status, ...body }
  }
  /** What became of each item, and the total after it. */
  const told = ({ results }: Body): Array<[string, unknown]> =>
    results.map(({ result, used, error }: Body) => [result, error === undefined ? used : `${error.errors?.[0]?.pointer ?? ''} ${error.code}`])

  await t.test('one result per item, in order; a bad one harms no other', async t => {
    const org = await newOrg()
    const answer = await send({
      reports: [
        { org, feature: 'feature:calls', n: 3, id: 'a' },
        { org, feature: 'feature:calls', n: 'three' },
        { org, feature: 'feature:calls', n: 4, id: 'a' },
        { org, feature: 'feature:calls', n: 3, id: 'a' },
        { org, feature: 'feature:nothing' },
        { org: 'acme', feature: 'feature:calls' },
        { org: 'org:nobody', feature: 'feature:calls' },
        { org, feature: 'feature:calls', m: 1 },
        'calls',
        { org, feature: 'feature:sso' },
        { org, feature: 'feature:calls', n: 20 },
        { org, feature: 'feature:calls', n: 2, clobber: true },
        { org, feature: 'feature:calls' }
      ]
    })
    t.equal(answer.status, 200)
    t.strictSame(told(answer), [
      ['counted', 3],
      ['refused', '/reports/1/n invalid_amount'],
      ['refused', '/reports/2/id event_conflict'],
      ['duplicate', 3],
      ['refused', '/reports/4/feature feature_not_found'],
      ['refused', '/reports/5/org invalid_request'],
      ['refused', '/reports/6/org org_not_found'],
      ['refused', '/reports/7/m invalid_request'],
      ['refused', '/reports/8 invalid_request'],
      ['refused', '/reports/9/feature invalid_request'],
      ['counted', 23],
      ['counted', 2],
      ['counted', 3]
    ])
    t.match(answer.results[0], { id: 'a', org, feature: 'feature:calls', limit: 10, remaining: 7, duplicate: false })
    t.equal((await api.can(org, 'feature:calls')).used, 3)
  })

  await t.test('with mode consume each item counts if the limit allows, and the next one sees it', async t => {
    const org = await newOrg()
    const item = (n: number) => ({ org, feature: 'feature:calls', n })
    const answer = await send({ mode: 'consume', reports: [item(6), item(5), item(4), item(1), { ...item(1), clobber: true }] })
    t.strictSame(told(answer), [
      ['counted', 6], ['refused', 6], ['counted', 10], ['refused', 10], ['refused', '/reports/4/clobber invalid_request']
    ])
    t.match(answer.results[1], { ok: false, reason: 'limit_reached', version: 1 })
    t.match(await send([item(1)], 'application/json', {}, '?mode=consume'), { results: [{ result: 'refused', ok: false }] }, 'a bare array, mode in the query')
  })

  await t.test('an item without an id is named after the Idempotency-Key', async t => {
    const org = await newOrg()
    const items = [{ org, feature: 'feature:calls' }, { org, feature: 'feature:calls', id: 'own' }, { org, feature: 'feature:calls' }]
    const first = await send(items, 'application/json', { 'idempotency-key': 'nightly' })
    t.strictSame(first.results.map(({ id }: Body) => id), ['nightly/0', 'own', 'nightly/2'])
    const again = await send(items, 'application/json', { 'idempotency-key': 'nightly' })
    t.strictSame(told(again), [['duplicate', 1], ['duplicate', 2], ['duplicate', 3]])
  })

  await t.test('NDJSON: an item a line; one that is no JSON is refused', async t => {
    const org = await newOrg()
    const line = JSON.stringify({ org, feature: 'feature:calls', n: 2 })
    const answer = await send(`${line}\n\n{"org":\r\n1],"mode":"consume","x":[1\n{"org":"${org}","feature":"feature:calls","n":100000000000000.00001}\n${line}\n`,
      'application/x-ndjson')
    t.strictSame(told(answer), [
      ['counted', 2],
      ['refused', '/reports/1 invalid_request'],
      ['refused', '/reports/2 invalid_request'],
      ['refused', '/reports/3/n invalid_amount'],
      ['counted', 4]
    ])
  })

  await t.test('CloudEvents: in a batch, one, and in binary mode', async t => {
    const org = await newOrg()
    const event = (changes: Body = {}) => ({
      specversion: '1.0', id: '1', source: '/gateway/eu', type: 'calls', subject: org.slice(4), datacontenttype: 'application/json', ...changes
    })
    const batch = await send([
      event({ data: { n: 2, region: 'eu' } }),
      event({ id: '2', type: 'feature:calls', subject: org, data: 3, time: new Date().toISOString() }),
      event({ id: '3' }),
      event({ data: { n: 2, region: 'eu' } }),
      event({ id: '1', source: '/gateway/us' }),
      event({ id: '', source: '/gateway/us' }),
      { type: 'calls' },
      event({ id: '9', data: { n: 1e300 } })
    ], 'application/cloudevents-batch+json; charset=utf-8')
    t.strictSame(told(batch), [
      ['counted', 2], ['counted', 5], ['counted', 6], ['duplicate', 2], ['counted', 7],
      ['refused', '/reports/5/id invalid_request'], ['refused', '/reports/6/specversion invalid_request'], ['refused', '/reports/7/n invalid_amount']
    ])
    t.equal(batch.results[0].id, '/gateway/eu/1')
    t.match((await api.get('/v1/events/%2Fgateway%2Feu%2F1', { org })).body, { n: 2, properties: { region: 'eu' } })
    t.strictSame(told(await send(event({ id: '4' }), 'application/cloudevents+json')), [['counted', 8]])
    const binary = {
      'ce-specversion': '1.0', 'ce-id': '5', 'ce-source': '/gateway/eu', 'ce-type': 'calls', 'ce-subject': encodeURIComponent(org)
    }
    t.strictSame(told(await send({ n: 2 }, 'application/json', binary)), [['counted', 10]])
    t.match(await send({}, 'application/cloudevents-batch+json'), { status: 400, code: 'invalid_request' })
  })

  await t.test('the whole is refused only for what is wrong with the whole', async t => {
    const item = { org: 'org:1', feature: 'feature:calls' }
    t.match(await send({ reports: [] }), { status: 400, errors: [{ pointer: '/reports' }] })
    t.match(await send(Array.from({ length: 1_001 }, () => item)), { status: 400, errors: [{ pointer: '/reports' }] })
    t.match(await send({ reports: [item], mode: 'guess' }), { status: 400, errors: [{ pointer: '/mode' }] })
    t.match(await send({ reports: [item], more: 1 }), { status: 400, errors: [{ pointer: '/more' }] })
    t.match(await send('', 'application/x-ndjson'), { status: 400, errors: [{ pointer: '/reports' }] })
    t.match(await send('[', 'application/json'), { status: 400, message: 'invalid json syntax' })
    t.match(await send('a', 'text/csv'), { status: 415 })
  })

  await t.test('a thousand items for a thousand orgs and for one', async t => {
    const org = await newOrg()
    const answer = await send(Array.from({ length: 1_000 }, (_, i) => ({ org, feature: 'feature:bytes', n: i + 1 })))
    t.strictSame(answer.results.map(({ used }: Body) => used), Array.from({ length: 1_000 }, (_, i) => (i + 1) * (i + 2) / 2), 'in their order')
  })
}
