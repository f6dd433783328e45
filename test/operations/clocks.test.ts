import t from 'tap'
import { openApi } from '../fixtures/api.ts'

/** As hosts differ that keep time by NTP, on a bad day. */
const AHEAD_MS = 300

const api = await openApi(t)
await api.push({
  'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } },
  'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }] } } }
})

const { now } = Date
const here = now()
Date.now = () => here
t.teardown(() => { Date.now = now })

/** What another replica does at this very moment, whose clock is a little ahead of ours. */
async function elsewhere<T> (work: () => Promise<T>): Promise<T> {
  Date.now = () => here + AHEAD_MS
  try {
    return await work()
  } finally {
    Date.now = () => here
  }
}

t.test('an org subscribed on a replica whose clock is ahead: what is reported here is in the next read there', async t => {
  await elsewhere(async () => await api.subscribe('org:new', 'plan:free@0'))
  t.hasStrict(await api.report('org:new', 'feature:calls', 3), { used: 3, limit: 10 })
  t.equal((await elsewhere(async () => await api.can('org:new', 'feature:calls'))).used, 3)
})

t.test('an org first seen on a replica whose clock is ahead: both count in one window', async t => {
  await api.settings({ defaultPlan: 'plan:free@0' })
  await elsewhere(async () => await api.report('org:seen', 'feature:calls', 3))
  t.equal((await api.report('org:seen', 'feature:calls', 4)).used, 7)
  await api.settings({})
})

t.test('a plan changed on a replica whose clock is ahead decides the next verdict here', async t => {
  await api.subscribe('org:change', 'plan:free@0')
  await elsewhere(async () => await api.subscribe('org:change', 'plan:pro@0'))
  t.equal((await api.can('org:change', 'feature:calls')).limit, 100)
  await elsewhere(async () => await api.subscribe('org:change', {}))
  t.hasStrict(await api.can('org:change', 'feature:calls'), { ok: false, reason: 'feature_not_found' })
})

t.end()
