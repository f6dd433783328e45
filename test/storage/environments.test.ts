import { test } from 'tap'
import type { Database } from '../../src/storage/database.ts'
import { clockStore } from '../../src/storage/clocks.ts'
import { environmentStore } from '../../src/storage/environments.ts'
import { migrateLedger } from '../../src/storage/migrate.ts'
import { databaseKinds } from './databases.ts'

const FIRST = Date.parse('2024-01-31T00:00:00Z')
const LATER = Date.parse('2024-02-29T00:00:00Z')

/** The same database at the end of a slow line: answers arrive when they are let through, in the order of asking. */
function slow (database: Database): { database: Database, asked: () => number, letThrough: (answers: number) => void } {
  const waiting: Array<() => void> = []
  return {
    database: {
      ...database,
      run: async statements => {
        const results = await database.run(statements)
        await new Promise<void>(resolve => waiting.push(resolve))
        return results
      }
    },
    asked: () => waiting.length,
    letThrough: answers => { for (const arrive of waiting.splice(0, answers)) arrive() }
  }
}

async function turns (until: () => boolean): Promise<void> {
  while (!until()) await new Promise<void>(resolve => setImmediate(resolve))
}

for (const { name, missing, open } of databaseKinds) {
  test(`environments on ${name}`, { skip: missing }, async t => {
    const database = await open(t)
    await migrateLedger(database)
    const clocks = clockStore(database)
    const environments = environmentStore(database)
    let made = 0

    async function newClock (): Promise<{ id: string, parent: string }> {
      const clock = { id: `clock-${(made += 1)}`, parent: 'test' }
      await clocks.add({ ...clock, present: FIRST })
      return clock
    }

    await t.test('an answer that was on its way when time moved is not taken for one asked later', async t => {
      const clock = await newClock()
      const line = slow(database)
      const elsewhere = environmentStore(line.database)
      const before = elsewhere.get(clock.id)
      await turns(() => line.asked() === 1)
      t.ok(await clocks.advance({ ...clock, present: LATER }, Date.now()))
      const after = elsewhere.get(clock.id)
      await turns(() => line.asked() === 2)
      line.letThrough(2)
      t.strictSame([(await before)?.fixedNow, (await after)?.fixedNow], [FIRST, LATER])
    })

    await t.test('an environment whose time goes on is read once for all who ask, then from memory', async t => {
      const line = slow(database)
      const elsewhere = environmentStore(line.database)
      const asked = Promise.all(Array.from({ length: 20 }, async () => await elsewhere.get('test')))
      await turns(() => line.asked() === 1)
      line.letThrough(1)
      t.equal(new Set(await asked).size, 1)
      t.hasStrict(elsewhere.get('test'), { name: 'test', parent: null, fixedNow: null }, 'no promise')
    })

    await t.test('an environment comes with the policies of its features, those that say something first; a clock with none', async t => {
      const { id } = await newClock()
      await database.run([{ text: 'insert into environments (name) values ($1)', params: ['many'] }])
      await database.run([{
        text: `insert into features (environment, name, on_outage)
          select 'many', 'feature:' || n, case when n = 10000 then 'open' else 'lastKnown' end from generate_series(0, 10000) n`,
        params: []
      }])
      const onOutage = (await environments.get('many'))?.onOutage
      t.strictSame([onOutage?.size, onOutage?.get('feature:10000'), onOutage?.get('feature:0')], [10_000, 'open', 'lastKnown'])
      await database.run([{ text: 'update features set on_outage = $1 where name = $2', params: ['closed', 'feature:0'] }])
      t.equal((await environments.get('many'))?.onOutage.get('feature:0'), 'lastKnown', 'as of a moment ago')
      await environments.renew('many')
      t.equal((await environments.get('many'))?.onOutage.get('feature:0'), 'closed')
      t.equal((await environments.get(id))?.onOutage.size, 0)
    })

    await t.test('a clock has its parent\'s default plan, as it is now', async t => {
      const { id } = await newClock()
      const settings = { name: 'test', fixedNow: null }
      await environments.put({ ...settings, defaultPlan: 'plan:free@0' })
      t.hasStrict(await environments.get(id), { parent: 'test', defaultPlan: 'plan:free@0', fixedNow: FIRST })
      await environments.put({ ...settings, defaultPlan: null })
      t.hasStrict(await environments.get(id), { defaultPlan: null })
    })

    await t.test('a clock is moved, removed and listed by its parent alone', async t => {
      const clock = await newClock()
      t.notOk(await clocks.advance({ ...clock, parent: 'live', present: LATER }, Date.now()))
      t.notOk(await clocks.remove(clock.id, 'live', Date.now()))
      t.notOk(await clocks.advance({ id: 'test', parent: 'test', present: LATER }, Date.now()), 'nor an environment that is no clock')
      t.notOk(await clocks.remove('live', 'live', Date.now()))
      t.strictSame((await environments.list('live', null, 100)).map(({ name }) => name), ['live'])
      t.hasStrict(await environments.get(clock.id), { fixedNow: FIRST })
      t.notOk(await clocks.add({ id: 'clock-of-clock', parent: clock.id, present: FIRST }), 'and has no clocks of its own')
      t.notOk(await clocks.add({ id: 'clock-of-nobody', parent: 'nobody', present: FIRST }))
    })
  })
}
