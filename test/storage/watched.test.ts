import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { postgresDatabase } from '../../src/storage/postgres.ts'
import { LedgerSilent, watched } from '../../src/storage/watched.ts'
import { postgresProgramsMissing, privatePostgres } from '../fixtures/postgres.ts'
import { databaseKinds } from './databases.ts'
import { until } from './until.ts'

const ONE = [{ text: 'select 1', params: [] }]
const SLOW = [{ text: 'select pg_sleep(2.2)', params: [] }]
/** Patience, a probe, and what a busy machine takes besides. */
const REFUSED_WITHIN_MS = 4_000

async function millisecondsOf (work: Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work
  return Math.round(performance.now() - started)
}

const FROZEN = 'a database that has frozen holds those who wait for a second or two, then nobody, and is found again'
test(FROZEN, { skip: postgresProgramsMissing }, async t => {
  const server = await privatePostgres(t)
  const database = watched(postgresDatabase(server.url))
  t.teardown(async () => await database.close())
  await database.run(ONE)

  server.pause()
  const first = database.run(ONE)
  await sleep(300)
  const second = database.run(ONE)
  const refusedMs = await millisecondsOf(Promise.all([t.rejects(first, LedgerSilent), t.rejects(second, LedgerSilent)]))
  t.ok(refusedMs < REFUSED_WITHIN_MS, `refused after ${refusedMs + 300} ms`)
  const inTransaction = async (): Promise<unknown> => await database.transaction(async session => await session.run(ONE))
  for (const ask of [async () => await database.run(ONE), inTransaction]) {
    const ms = await millisecondsOf(t.rejects(ask(), LedgerSilent))
    t.ok(ms < 100, `and then at once, after ${ms} ms`)
  }

  server.resume()
  await until('it answers', async () => await database.run(ONE).then(() => true, () => false), 5_000)
})

for (const { name, missing, open } of databaseKinds) {
  test(`statements that take long are answered on ${name}, and are no sign of silence`, { skip: missing }, async t => {
    const opened = await open(t)
    const database = watched(opened)
    let asked = 0
    const counted = watched({
      ...opened,
      ping: async () => {
        asked += 1
        await opened.ping()
      }
    })
    // Postgres has ten connections: some wait for others.
    const slow = Array.from({ length: name === 'Postgres' ? 12 : 1 }, async () => await counted.run(SLOW))
    await sleep(700)
    await database.run(ONE)
    t.equal((await Promise.all(slow)).length, slow.length)
    t.ok(asked > 0, 'it was asked whether it is there')
    await counted.run(ONE)
  })
}
