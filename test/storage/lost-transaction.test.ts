import { test } from 'tap'
import { TollgateError } from '../../src/errors.ts'
import type { Database, Session, Statement } from '../../src/storage/database.ts'
import { freshDatabase, postgresMissing } from '../fixtures/postgres.ts'
import { tcpProxy } from '../fixtures/proxy.ts'
import { databaseKinds, openPostgres } from './databases.ts'
import { until } from './until.ts'

const statement = (text: string): Statement => ({ text, params: [] })
const CREATE = statement('create table kept (n int)')
const INSERT = statement('insert into kept values (1)')
const COUNT = statement('select count(*)::int from kept')

const counted = async (database: Session): Promise<unknown> => (await database.run([COUNT]))[0]?.rows[0]?.[0]

test('a transaction whose connection is gone ends there: it neither goes on elsewhere nor ends the process', { skip: postgresMissing }, async t => {
  const url = await freshDatabase(t)
  const proxy = await tcpProxy(t, Number(new URL(url).port))
  const database = openPostgres(t, proxy.url(url))
  await database.run([CREATE])
  for (let n = 0; n < 8; n += 1) {
    const lost = database.transaction(async session => {
      const [backend] = await session.run([statement('select pg_backend_pid()')])
      await session.run([INSERT])
      proxy.reset()
      await until('the server has noticed', async () => await isGone(database, backend?.rows[0]?.[0]))
      await session.run([INSERT])
    })
    await t.rejects(lost)
  }
  t.equal(await counted(database), 0)
  await database.transaction(async session => { await session.run([INSERT]) })
  t.equal(await counted(database), 1, 'the next one is well')
})

async function isGone (database: Database, pid: unknown): Promise<boolean> {
  const [found] = await database.run([statement(`select from pg_stat_activity where pid = ${Number(pid)}`)])
  return found?.rows.length === 0
}

for (const { name, missing, open } of databaseKinds) {
  test(`a transaction on ${name} that was refused, or in which a statement failed, leaves nothing`, { skip: missing }, async t => {
    const database = await open(t)
    await database.run([CREATE])
    await t.rejects(database.transaction(async session => {
      await session.run([INSERT])
      throw new TollgateError('org_conflict')
    }), { code: 'org_conflict' })
    await t.rejects(database.transaction(async session => {
      await session.run([INSERT])
      await session.run([statement('select 1 / 0')]).catch(() => {})
    }), /division by zero/, 'also where nobody heeds that')
    t.equal(await counted(database), 0)
    const many = Array.from({ length: 30 }, async () => await database.transaction(async session => { await session.run([INSERT]) }))
    await Promise.all(many)
    t.equal(await counted(database), 30, 'those that have to wait get their turn')
  })
}
