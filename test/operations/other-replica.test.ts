import { test } from 'tap'
import { type Api, type Body, openApi } from '../fixtures/api.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { freshRedis, redisMissing } from '../fixtures/redis.ts'

test('what one replica changes, the other one knows with the next call', { skip: postgresMissing || redisMissing }, async t => {
  const servers = { on: 'servers', databaseUrl: await freshLedger(t), redisUrl: await freshRedis(t) } as const
  const [a, b] = [await openApi(t, servers), await openApi(t, servers)]
  await a.push({ 'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] } } }, 'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }] } } } })

  /** An org that both have just answered for, from the mirror. */
  async function known (org: string): Promise<string> {
    await a.subscribe(org, 'plan:free@0')
    await b.report(org, 'feature:calls', 3)
    for (const api of [a, b]) t.hasStrict(await api.can(org, 'feature:calls'), { used: 3, limit: 10 })
    return org
  }
  const send = async (api: Api, method: 'PUT' | 'POST' | 'PATCH' | 'DELETE', url: string, payload?: Body): Promise<Body> => {
    const { status, raw, body } = await api.send({ method, url, ...(payload !== undefined && { payload }) })
    if (status !== 200) throw new Error(raw)
    return body
  }

  await t.test('an override, and its end', async t => {
    const org = await known('org:a')
    for (let round = 0; round < 20; round += 1) {
      const [writer, reader] = round % 2 === 0 ? [a, b] : [b, a]
      const limit = 20 + round
      await send(writer, 'PUT', `/v1/orgs/${org}/overrides/feature:calls`, { limit, reason: 'x' })
      t.equal((await reader.can(org, 'feature:calls')).limit, limit)
      t.equal((await reader.report(org, 'feature:calls', 0)).limit, limit)
      if (round % 5 !== 4) continue
      await send(writer, 'DELETE', `/v1/orgs/${org}/overrides/feature:calls`)
      t.equal((await reader.can(org, 'feature:calls')).limit, 10)
    }
  })

  await t.test('a subscription that is added, loses access, gets it back, and ends', async t => {
    const org = await known('org:b')
    const { id } = await send(a, 'POST', `/v1/orgs/${org}/subscriptions`, { plan: 'plan:pro@0' })
    t.hasStrict(await b.can(org, 'feature:calls'), { used: 3, limit: 100 })
    const unpaid = await send(b, 'PATCH', `/v1/subscriptions/${id}`, { status: 'unpaid' })
    t.hasStrict(await a.can(org, 'feature:calls'), { used: 3, limit: 10 })
    const paid = await send(a, 'PATCH', `/v1/subscriptions/${unpaid.id}`, { status: 'active' })
    t.hasStrict(await b.report(org, 'feature:calls', 1), { used: 4, limit: 100 })
    await send(b, 'DELETE', `/v1/subscriptions/${paid.id}`)
    t.hasStrict(await a.can(org, 'feature:calls'), { used: 4, limit: 10 })
  })

  await t.test('a time zone, which begins a window', async t => {
    const org = await known('org:c')
    await send(a, 'PATCH', `/v1/orgs/${org}`, { timeZone: 'Asia/Tokyo' })
    t.hasStrict(await b.can(org, 'feature:calls'), { used: 0, limit: 10 })
    t.hasStrict(await b.report(org, 'feature:calls', 2), { used: 2 })
    t.hasStrict(await a.can(org, 'feature:calls'), { used: 2 })
  })

  await t.test('a draft that is published, and a plan that is archived', async t => {
    const features = { 'feature:calls': { tiers: [{ upto: 7 }] } }
    await send(a, 'PUT', '/v1/plans/plan:new@0', { features })
    t.hasStrict(await b.subscribe('org:d', 'plan:new@0'), { code: 'plan_unavailable' })
    await send(b, 'PUT', '/v1/plans/plan:new@0', { features: { 'feature:calls': { tiers: [{ upto: 8 }] } } })
    await send(a, 'POST', '/v1/plans/plan:new@0/publish')
    t.strictSame(await b.subscribe('org:d', 'plan:new@0'), {})
    for (const api of [a, b]) t.equal((await api.can('org:d', 'feature:calls')).limit, 8)
    await send(b, 'POST', '/v1/plans/plan:new@0/archive')
    t.hasStrict(await a.subscribe('org:e', 'plan:new@0'), { code: 'plan_unavailable' })
    t.equal((await a.can('org:d', 'feature:calls')).limit, 8)
  })
})
