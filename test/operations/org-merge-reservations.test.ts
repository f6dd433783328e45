import t, { type Test } from 'tap'
import { type Api, type Body } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'

/** Whose reservation is whose, after two orgs that used the same ids were merged. */
async function specification (t: Test, api: Api): Promise<void> {
  const hold = async (org: string, n: number, id: string): Promise<Body> =>
    (await api.post('/v1/reservations', { org, feature: 'feature:calls', n, id, ttlSeconds: 3_600 })).body
  const commit = async (org: string, id: string): Promise<Body> =>
    (await api.post(`/v1/reservations/${encodeURIComponent(id)}/commit`, { org })).body
  let orgs = 0
  const two = async (): Promise<{ kept: string, old: string, name: string, merge: () => Promise<number> }> => {
    orgs += 1
    const [kept, name] = [`org:kept-${orgs}`, `old-${orgs}`]
    for (const org of [kept, `org:${name}`]) await api.subscribe(org, 'plan:pro@1')
    return { kept, name, old: `org:${name}`, merge: async () => (await api.post(`/v1/orgs/${kept}/merge`, { from: `org:${name}` })).status }
  }
  await api.on('2024-01-01')
  await api.push({ 'plan:pro@1': { features: { 'feature:calls': { tiers: [{ upto: 100 }] } } } })

  await t.test('what the other org has committed is not taken for a commit of the org that is kept', async t => {
    const { kept, old, name, merge } = await two()
    await hold(kept, 10, 'a')
    await hold(old, 20, 'a')
    await commit(old, 'a')
    await merge()
    t.hasStrict(await commit(kept, 'a'), { ok: true, used: 30, duplicate: false })
    t.hasStrict(await commit(old, 'a'), { ok: true, used: 20, duplicate: true })
    t.hasStrict(await commit(kept, `${name}/a`), { used: 20, duplicate: true }, 'its event is named after it')
    t.hasStrict(await api.can(kept, 'feature:calls'), { used: 30, reserved: 0 })
    t.hasStrict((await api.post('/v1/verify', { org: kept })).body, { ok: true })
  })

  await t.test('nor the other way round, also once the reservation is forgotten', async t => {
    const { kept, old, merge } = await two()
    await hold(kept, 10, 'b')
    await commit(kept, 'b')
    await api.database.run([{ text: "delete from reservations where id = 'b'", params: [] }])
    await hold(old, 20, 'b')
    await merge()
    t.hasStrict(await commit(old, 'b'), { ok: true, used: 30, duplicate: false })
  })

  await t.test('by the old id of the org, its reservations are made again, committed and read', async t => {
    const { kept, old, name, merge } = await two()
    await hold(kept, 10, 'c')
    await hold(old, 20, 'c')
    await hold(old, 5, 'own')
    await merge()
    t.hasStrict(await hold(old, 20, 'c'), { ok: true, duplicate: true })
    t.hasStrict((await api.get('/v1/reservations/c', { org: old })).body, { id: `${name}/c`, org: kept, n: 20 })
    t.hasStrict(await commit(old, 'c'), { ok: true, used: 20 })
    t.hasStrict(await commit(old, 'own'), { ok: true, used: 25 })
    t.hasStrict(await api.can(kept, 'feature:calls'), { used: 25, reserved: 10 })
    t.hasStrict(await commit(old, 'nothing'), { code: 'reservation_not_found' })
  })

  await t.test('a new name that somebody has already is made another one', async t => {
    const { kept, old, name, merge } = await two()
    for (const [org, n, id] of [[kept, 1, 'd'], [kept, 2, `${name}/d`], [old, 4, 'd']] as const) await hold(org, n, id)
    await commit(old, 'd')
    t.equal(await merge(), 200)
    t.hasStrict(await commit(kept, 'd'), { used: 5, duplicate: false })
    t.hasStrict(await commit(kept, `${name}/d`), { used: 7, duplicate: false })
    t.hasStrict((await api.post('/v1/verify', { org: kept })).body, { ok: true })
  })
}

withEachLedger(t, 'reservations of merged orgs', specification)
