import t from 'tap'
import { openApi } from '../fixtures/api.ts'

const api = await openApi(t)
await api.push({ 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }] } } } })
await api.subscribe('org:acme', 'plan:free@0')

t.test('a commit answers with the figures of its own moment, not with those of the hold', async t => {
  const hold = { org: 'org:acme', feature: 'feature:calls', n: 10, ttlSeconds: 600, id: 'job' }
  t.match(await api.post('/v1/reservations', hold), { body: { used: 0, reserved: 10, limit: 100, remaining: 90 } })
  await api.report('org:acme', 'feature:calls', 50)
  const committed = { ok: true, used: 54, reserved: 0, limit: 100, remaining: 46, overage: 0 }
  t.match(await api.post('/v1/reservations/job/commit', { n: 4 }), { body: { ...committed, duplicate: false } })
  await api.report('org:acme', 'feature:calls', 6)
  t.match(await api.post('/v1/reservations/job/commit', { n: 4 }), { body: { ...committed, duplicate: true } }, 'also when it is sent again')
})
