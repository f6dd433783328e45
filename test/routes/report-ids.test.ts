import t from 'tap'
import { openApi, type Body } from '../fixtures/api.ts'

const api = await openApi(t)
await api.on('2024-03-10')
await api.push({
  'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] }, 'feature:peak': { tiers: [{ upto: 10 }], aggregate: 'max' } } },
  'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }] } } }
})

let orgs = 0
async function newOrg (): Promise<string> {
  orgs += 1
  await api.on('2024-03-10')
  await api.subscribe(`org:i${orgs}`, 'plan:free@0')
  return `org:i${orgs}`
}

const used = async (org: string): Promise<number> => (await api.can(org, 'feature:calls')).used
const keyed = async (body: Body, key: string): Promise<Body> => (await api.post('/v1/report', body, { 'idempotency-key': key })).body

t.test('an event sent again is answered as it was, to the letter, and counted once', async t => {
  const org = await newOrg()
  const report = { org, feature: 'feature:calls', n: 4, id: 'e1' }
  const first = await api.post('/v1/report', report)
  t.hasStrict(first.body, { id: 'e1', used: 4, duplicate: false })
  await api.report(org, 'feature:calls', 3)
  const again = await api.post('/v1/report', report)
  t.equal(again.raw, first.raw.replace('"duplicate":false', '"duplicate":true'))
  t.equal((await api.post('/v1/report', report)).raw, again.raw, 'a third time too')
  t.equal(await used(org), 7)
})

t.test('the answer stays the same after a clobber, a change of plan, a cancellation, and years', async t => {
  const org = await newOrg()
  const first = await api.report(org, 'feature:calls', 4, { id: 'e1' })
  const again = async (): Promise<Body> => await api.report(org, 'feature:calls', 4, { id: 'e1' })
  await api.report(org, 'feature:calls', 0, { clobber: true })
  t.strictSame(await again(), { ...first, duplicate: true })
  await api.subscribe(org, 'plan:pro@0')
  t.strictSame(await again(), { ...first, duplicate: true })
  await api.subscribe(org, {})
  t.strictSame(await again(), { ...first, duplicate: true })
  await api.on('2034-01-01')
  t.strictSame(await again(), { ...first, duplicate: true })
})

t.test('the Idempotency-Key header is the id', async t => {
  const org = await newOrg()
  const report = { org, feature: 'feature:calls', n: 2 }
  const first = await keyed(report, 'key-1')
  t.hasStrict(first, { id: 'key-1', used: 2, duplicate: false })
  t.strictSame(await keyed(report, 'key-1'), { ...first, duplicate: true })
  t.strictSame((await api.post('/v1/report', { ...report, id: 'key-1' })).body, { ...first, duplicate: true }, 'the body says it as well')
  t.strictSame(await keyed({ ...report, id: 'key-1' }, 'key-1'), { ...first, duplicate: true }, 'so do both')
  t.hasStrict(await keyed({ ...report, id: 'key-2' }, 'key-1'), { status: 400, code: 'invalid_request', errors: [{ pointer: '/id' }] })
  t.equal(await used(org), 2)
})

t.test('an id with other content is a conflict, whatever differs', async t => {
  const org = await newOrg()
  const report = { org, feature: 'feature:calls', n: 2, id: 'e1', properties: { region: 'eu', tags: [1, { a: null }] } }
  await api.post('/v1/report', report)
  const others: Body[] = [
    { n: 3 }, { feature: 'feature:peak' }, { at: '2024-03-10T00:00:00Z' }, { clobber: true },
    { properties: { region: 'us', tags: [1, { a: null }] } }, { properties: { region: 'eu' } }, { properties: undefined }
  ]
  for (const other of others) {
    const { body } = await api.post('/v1/report', { ...report, ...other })
    t.hasStrict(body, { status: 422, code: 'event_conflict', errors: [{ pointer: '/id' }] }, JSON.stringify(other))
  }
  t.equal(await used(org), 2)
})

t.test('content is what it means, not how it is written', async t => {
  const org = await newOrg()
  const report = { org, feature: 'feature:calls', n: 2, id: 'e1', at: '2024-03-10T00:00:00Z', properties: { b: 1, a: { d: 1, c: 2 } } }
  await api.post('/v1/report', report)
  for (const same of [
    { n: '2.0' }, { clobber: false }, { at: '2024-03-10T01:00:00.000+01:00' }, { properties: { a: { c: 2, d: 1 }, b: 1 } }
  ]) t.hasStrict((await api.post('/v1/report', { ...report, ...same })).body, { duplicate: true, used: 2 }, JSON.stringify(same))
})

t.test('one id in two orgs is two events', async t => {
  const [a, b] = [await newOrg(), await newOrg()]
  t.hasStrict(await api.report(a, 'feature:calls', 1, { id: 'shared' }), { duplicate: false })
  t.hasStrict(await api.report(b, 'feature:calls', 2, { id: 'shared' }), { duplicate: false, used: 2 })
})

t.test('a refused event leaves its id free', async t => {
  const org = await newOrg()
  t.hasStrict(await api.report(org, 'feature:other', 1, { id: 'e1' }), { code: 'feature_not_found' })
  t.hasStrict(await api.report(org, 'feature:calls', 1, { id: 'e1' }), { duplicate: false, used: 1 })
})

t.test('ids are 1 to 255 printable characters', async t => {
  const org = await newOrg()
  for (const id of ['x', 'ä/ö?#%&"\'\\', '請求書-1', 'with space', 'e'.repeat(255), '../../etc', "'; drop table events; --", '{1,2}', 'null']) {
    t.hasStrict(await api.report(org, 'feature:calls', 0, { id }), { id, duplicate: false }, id)
    t.hasStrict(await api.report(org, 'feature:calls', 0, { id }), { id, duplicate: true }, id)
  }
  for (const id of ['', 'e'.repeat(256), 'tab\t', 'line\n', '\u0000', '\u202e']) {
    t.hasStrict(await api.report(org, 'feature:calls', 0, { id }), { status: 400, code: 'invalid_id', errors: [{ pointer: '/id' }] }, JSON.stringify(id))
  }
  t.hasStrict(await keyed({ org, feature: 'feature:calls' }, ''), { status: 400, code: 'invalid_id', errors: [{ pointer: 'idempotency-key' }] },
    'what came as a header is named as one')
})

t.end()
