import t from 'tap'
import { type Api, type Body, openApi } from '../fixtures/api.ts'

const api = await openApi(t)
const PRESENT = '2024-01-31T00:00:00.000Z'
const DAY_MS = 24 * 3_600_000

/** A key of an environment that no other test knows. */
async function newEnvironment (name: string, clocks: number): Promise<{ own: Api, ids: string[] }> {
  const own = await api.as(`prv_${name}_0123456789abcdef`)
  const ids: string[] = []
  for (let i = 0; i < clocks; i += 1) ids.push((await own.post('/v1/clock', { name: 'n', present: PRESENT })).body.id)
  return { own, ids }
}

const list = async (caller: Api, query = {}): Promise<Body> => (await caller.get('/v1/environments', query)).body
const names = ({ environments }: Body): string[] => environments.map(({ name }: Body) => name)
const remove = async (caller: Api, name: string, query = `?confirm=${name}`): Promise<Body> =>
  (await caller.send({ method: 'DELETE', url: `/v1/environments/${name}${query}` })).body

t.test('a key lists its own environment, then that one\'s test clocks, oldest first', async t => {
  const { own, ids } = await newEnvironment('list', 3)
  await newEnvironment('other', 1)
  await own.push({ 'plan:free@0': { features: { 'feature:calls': {} } } })
  await own.settings({ defaultPlan: 'plan:free@0' })
  const { environments, nextCursor } = await list(own)
  t.equal(nextCursor, null)
  t.strictSame(names({ environments }), ['list', ...ids])
  const [first, clock] = environments as [Body, Body]
  t.strictSame(first, { name: 'list', parent: null, defaultPlan: 'plan:free@0', now: null, createdAt: first.createdAt, expiresAt: null })
  t.hasStrict(clock, { parent: 'list', defaultPlan: 'plan:free@0', now: PRESENT })
  t.equal(new Date(clock.expiresAt).getTime() - new Date(clock.createdAt).getTime(), 30 * DAY_MS)
  t.strictSame((await own.get(`/v1/environments/${ids[0]}`)).body, clock, 'each can be read on its own')
})

t.test('pages taken one after the other are the whole, at any size', async t => {
  const { own, ids } = await newEnvironment('zz-pages', 7)
  for (const limit of ['1', '2', '7', '8', '100']) {
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page: Body = await list(own, { limit, ...(cursor !== null && { cursor }) })
      t.ok(page.environments.length <= Number(limit))
      seen.push(...names(page))
      cursor = page.nextCursor
    } while (cursor !== null)
    t.strictSame(seen, ['zz-pages', ...ids], `pages of ${limit}`)
  }
  for (const limit of ['0', '-1', '101', 'x', '']) t.hasStrict(await list(own, { limit }), { status: 400, errors: [{ pointer: '?limit' }] }, limit)
  for (const cursor of ['', 'A', "';--", '\u0000', '%']) t.hasStrict(await list(own, { cursor }), { status: 400, errors: [{ pointer: '?cursor' }] }, cursor)
})

t.test('a test clock is deleted at once, with everything in it, and nothing else is', async t => {
  const { own, ids: [id = '', kept = ''] } = await newEnvironment('delete', 2)
  await own.push({ 'plan:free@0': { features: { 'feature:calls': { tiers: [{}] } } } })
  const [clock, other] = [await own.onClock(id), await own.onClock(kept)]
  for (const caller of [clock, other]) {
    await caller.subscribe('org:a', 'plan:free@0')
    await caller.report('org:a', 'feature:calls', 3)
  }
  t.strictSame(await remove(own, id), {})
  t.strictSame(names(await list(own)), ['delete', kept])
  t.hasStrict(await clock.can('org:a', 'feature:calls'), { status: 400, code: 'org_not_found' })
  t.hasStrict(await clock.report('org:a', 'feature:calls'), { status: 400, code: 'org_not_found' })
  t.hasStrict((await own.get('/v1/clock', { id })).body, { status: 400, code: 'clock_not_found' })
  t.hasStrict((await own.post('/v1/clock', { id, present: '2030-01-01T00:00:00Z' })).body, { status: 400, code: 'clock_not_found' })
  t.hasStrict((await own.get(`/v1/environments/${id}`)).body, { status: 403, code: 'forbidden' })
  t.hasStrict(await remove(own, id), { status: 403, code: 'forbidden' }, 'it cannot be deleted twice')
  t.hasStrict(await other.can('org:a', 'feature:calls'), { used: 3 })
})

t.test('only test clocks are deleted, and only by who confirms it with a key of their environment', async t => {
  const { own, ids: [id = ''] } = await newEnvironment('careful', 1)
  for (const query of ['', '?confirm=', '?confirm=careful', `?confirm=${id}x`]) {
    t.hasStrict(await remove(own, id, query), {
      status: 400, code: 'invalid_request', message: `confirm must be ${id}, to delete it with everything in it`, errors: [{ pointer: '?confirm' }]
    }, query)
  }
  t.hasStrict(await remove(own, id, `?confirm=${id}&force=1`), { status: 400, message: 'unknown field "force"' })
  t.hasStrict(await remove(own, 'careful'), { status: 400, code: 'invalid_request', message: 'careful is no test clock; only test clocks can be deleted' })
  for (const name of ['test', 'live', 'nobody-has-it', 'X', '%00']) t.hasStrict(await remove(own, name), { status: 403, code: 'forbidden' }, name)
  t.hasStrict(await remove(api, id), { status: 403, code: 'forbidden', message: 'this key is for environment test' })
  t.strictSame(names(await list(own)), ['careful', id])
})

t.test('a test clock has no settings of its own', async t => {
  const { own, ids: [id = ''] } = await newEnvironment('fixed', 1)
  for (const settings of [{}, { now: null }, { now: '2020-01-01T00:00:00Z' }, { defaultPlan: null }]) {
    t.hasStrict(await own.settings(settings, id), {
      status: 400,
      code: 'invalid_request',
      message: `${id} is a test clock: its default plan is that of fixed, and POST /v1/clock moves its time`,
      errors: [{ pointer: '?name' }]
    })
  }
  const inside = await api.as(`prv_${id}_0123456789abcdef`)
  t.hasStrict(await inside.settings({ now: null }), { status: 400, code: 'invalid_request' }, 'nor for a key that opens it')
  t.equal((await own.get('/v1/clock', { id })).body.present, PRESENT)
})

t.end()
