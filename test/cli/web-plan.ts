import type { Test } from 'tap'
import { apiOf } from '../e2e/api.ts'
import type { Service } from '../fixtures/process.ts'

const METERED = { type: 'metered' }
const PLAN = { anchor: 'calendar', interval: '@daily', features: { 'feature:requests': METERED, 'feature:bytes': METERED } }

/** Whoever is seen first may use all that an access log reports, counted by days in UTC. */
export async function webPlan (t: Test, { url }: Service): Promise<void> {
  const api = apiOf(t, url)
  t.match(await api.post('/v1/push', { plans: { 'plan:web@1': PLAN } }), { status: 200 })
  t.match(await api.put('/v1/environments/test', { defaultPlan: 'plan:web@1' }), { status: 200 })
}
