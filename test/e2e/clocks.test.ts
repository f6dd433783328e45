import t from 'tap'
import { type Api, apiOf } from './api.ts'
import { replicasMissing, twoReplicas } from './replicas.ts'

const STEPS = 40
const DAY_MS = 24 * 3_600_000
const ORG = { org: 'org:stepped' }
const FEATURE = { feature: 'feature:calls' }

t.test('after a clock was advanced on one replica, the next call on the other happens at the new time', { skip: replicasMissing }, async t => {
  const { apis: [first, second], services } = await twoReplicas(t)
  await first.post('/v1/push', { plans: { 'plan:daily@0': { interval: '@daily', features: { 'feature:calls': { tiers: [{ upto: 5 }] } } } } })
  let present = Date.parse('2024-02-01T00:00:00Z')
  const { body: { id = '' } } = await first.post('/v1/clock', { name: 'steps', present: new Date(present) })
  const [here, there] = services.map(({ url }) => apiOf(t, url, { clock: id })) as [Api, Api]
  t.equal((await here.post('/v1/subscribe', { ...ORG, phases: [{ features: ['plan:daily@0'] }] })).status, 200)

  const wrong: string[] = []
  for (let step = 1; step <= STEPS; step += 1) {
    const [mover, asker, admin] = step % 2 === 0 ? [here, there, second] : [there, here, first]
    present += DAY_MS
    const moved = await mover.post('/v1/clock', { id, present: new Date(present) })
    const { body: fresh } = await asker.get('/v1/can', { ...ORG, ...FEATURE })
    const { body: reported } = await asker.post('/v1/report', { ...ORG, ...FEATURE, n: 3 })
    const { body: shared } = await mover.get('/v1/can', { ...ORG, ...FEATURE })
    const { body: clock } = await admin.get('/v1/clock', { id })
    const start = new Date(present).toISOString()
    const seen = [moved.status, fresh.used, reported.window?.start, reported.used, shared.used, clock.present]
    if (String(seen) !== String([200, 0, start, 3, 3, start])) wrong.push(`${start}: ${String(seen)}`)
  }
  t.strictSame(wrong, [])

  t.equal((await second.delete(`/v1/environments/${id}?confirm=${id}`)).status, 200)
  for (const api of [here, there]) t.equal((await api.get('/v1/can', { ...ORG, ...FEATURE })).body.code, 'org_not_found', 'deleted on both at once')
})

t.end()
