import { Redis } from 'ioredis'
import t from 'tap'
import { type Api, openApi } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { freshRedis, redisMissing } from '../fixtures/redis.ts'
import { holding } from './holding-specification.ts'
import { PLANS } from './reserving.ts'
import { settling } from './settling-specification.ts'

withEachLedger(t, 'reservations', async (t, api) => {
  await prepare(api)
  await holding(t, api)
  await settling(t, api)
})

t.test('reservations that another process made', { skip: postgresMissing || redisMissing }, async t => {
  const [databaseUrl, redisUrl] = [await freshLedger(t), await freshRedis(t)]
  const api = await openApi(t, { on: 'servers', databaseUrl, redisUrl })
  await prepare(api)

  await t.test('what is held survives a wipe of Redis and a restart, to its instant', async t => {
    const redis = new Redis(redisUrl)
    t.teardown(() => redis.disconnect())
    await api.on('2024-03-10')
    await api.subscribe('org:wiped', 'plan:free@0')
    await api.post('/v1/reservations', { org: 'org:wiped', feature: 'feature:calls', n: 7, ttlSeconds: 60, id: 'kept' })
    await redis.flushall()
    t.hasStrict(await api.can('org:wiped', 'feature:calls', 4), { ok: false, reserved: 7 })
    await redis.flushall()
    t.hasStrict((await api.post('/v1/consume', { org: 'org:wiped', feature: 'feature:calls', n: 4 })).body, { ok: false, reserved: 7 })
    await redis.flushall()
    const restarted = await openApi(t, { on: 'servers', databaseUrl, redisUrl })
    t.hasStrict(await restarted.can('org:wiped', 'feature:calls', 4), { ok: false, reserved: 7 })
    t.hasStrict((await restarted.get('/v1/reservations/kept')).body, { state: 'held', n: 7 })
    await api.on('2024-03-10T00:01:00Z')
    t.hasStrict(await restarted.can('org:wiped', 'feature:calls', 4), { ok: true, reserved: 0 })
    t.hasStrict((await restarted.post('/v1/reservations/kept/commit', { n: 3 })).body, { ok: true, expired: true, used: 3 })
    t.hasStrict(await api.can('org:wiped', 'feature:calls', 4), { ok: true, used: 3, reserved: 0 })
  })

  await t.test('a hold that one replica made and the mirror knows stops counting on the other at its instant', async t => {
    const other = await openApi(t, { on: 'servers', databaseUrl, redisUrl })
    await api.on('2024-03-10')
    await api.subscribe('org:two', 'plan:free@0')
    for (const [ttlSeconds, n] of [[10, 4], [20, 5]]) await api.post('/v1/reservations', { org: 'org:two', feature: 'feature:calls', n, ttlSeconds })
    for (const [second, reserved] of [['00', 9], ['09.999', 9], ['10', 5], ['19.999', 5], ['20', 0]] as const) {
      await api.on(`2024-03-10T00:00:${second}Z`)
      t.hasStrict(await other.can('org:two', 'feature:calls'), { reserved, remaining: 10 - reserved }, second)
    }
  })
})

async function prepare (api: Api): Promise<void> {
  await api.on('2024-03-10')
  await api.push(PLANS)
}
