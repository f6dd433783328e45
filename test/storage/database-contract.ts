import type { Test } from 'tap'
import {
  BEGIN, COMMIT, type Database, isStatementError, type Result, ROLLBACK, type Session, sqlState
} from '../../src/storage/database.ts'
import { migrateLedger } from '../../src/storage/migrate.ts'

const UNIQUE_VIOLATION = '23505'
const DIVISION_BY_ZERO = '22012'
const IN_FAILED_TRANSACTION = '25P02'

/** What every implementation of the Database port does; `database` is new and empty. */
export async function databaseContract (t: Test, database: Database): Promise<void> {
  await t.test('rows', async t => await rows(t, database))
  await t.test('failures', async t => await failures(t, database))
  await t.test('transactions', async t => await transactions(t, database))
  await t.test('lanes', async t => await lanes(t, database))
  await t.test('migration', async t => await migration(t, database))
}

function statement (text: string, ...params: unknown[]) {
  return { text, params }
}

async function ask (session: Session, text: string, ...params: unknown[]): Promise<unknown[]> {
  const [result] = await session.run([statement(text, ...params)])
  return (result?.rows ?? []).map(row => row.length === 1 ? row[0] : [...row])
}

/** A table of one column `n`; each test has its own. */
async function tableOf (session: Session, name: string): Promise<void> {
  await session.run([statement(`create table ${name} (n int primary key)`)])
}

async function failureOf (work: Promise<unknown>): Promise<unknown> {
  return await work.then(() => undefined, error => error)
}

async function rows (t: Test, database: Database): Promise<void> {
  await t.test('int4 is a number, bool a boolean, json parsed, null null', async t => {
    t.strictSame(await ask(database, "select 7::int4, true, false, '{\"a\":[1,\"x\"]}'::json, '{\"b\":null}'::jsonb, null::int4"),
      [[7, true, false, { a: [1, 'x'] }, { b: null }, null]])
  })

  await t.test('what a JavaScript number cannot hold, and what has a zone, is Postgres’s text', async t => {
    t.strictSame(await ask(database, "select 9223372036854775807::int8, 0.100000001::numeric(38,9), '1e27'::numeric, " +
      "'2024-02-29T23:59:59.999Z'::timestamptz(3), 'a'::text, '550e8400-e29b-41d4-a716-446655440000'::uuid"),
    [[
      '9223372036854775807', '0.100000001', '1' + '0'.repeat(27), '2024-02-29 23:59:59.999+00', 'a',
      '550e8400-e29b-41d4-a716-446655440000'
    ]])
  })

  for (const [type, text] of [['date', '2024-02-29'], ['timestamp', '2024-02-29 01:02:03'], ['text[]', '{a,"b c"}'], ['int4[]', '{1,2}']]) {
    await t.test(`everything else is Postgres’s text: ${type}`, async t => {
      t.strictSame(await ask(database, `select '${text}'::${type}`), [text])
    })
  }

  await t.test('columns have their names, in order, also where there are no rows', async t => {
    const [result] = await database.run([statement('select 1 as first, 2 as second where false')])
    t.strictSame(result?.columns, ['first', 'second'])
    t.equal(result?.rows.length, 0)
  })

  await t.test('a scan that cannot be avoided is read as it is: compiling it, or starting processes for it, takes 100 times as long', async t => {
    await ask(database, 'create table unindexed (n int)')
    const plan = (await ask(database, 'explain select count(*) from unindexed')).join('\n')
    t.match(plan, 'Seq Scan')
    t.notMatch(plan, /JIT|Gather/)
  })

  await t.test('parameters are text, numbers, booleans, null and array literals', async t => {
    const text = 'select $1::text, $2::int4, $3::bool, $4::int4, $5::int4[] = array[1,2], $6::jsonb'
    t.strictSame(
      await ask(database, text, 'é"\\{', 5, true, null, '{1,2}', '{"a":1}'),
      [['é"\\{', 5, true, null, true, { a: 1 }]])
  })
}

async function failures (t: Test, database: Database): Promise<void> {
  const inOrder = (round: number) => [
    statement('insert into ordered values ($1::int)', round),
    statement('select count(*)::int4 from ordered'),
    statement('select max(n) from ordered')
  ]
  const figures = (results: Result[]) => results.map(({ rows }) => rows[0]?.[0]).slice(1)
  await tableOf(database, 'ordered')

  await t.test('in a transaction and on a lane, statements run in the order in which they are given', async t => {
    const lane = database.lane()
    t.teardown(async () => await lane.close())
    for (let round = 1; round <= 10; round += 2) {
      t.strictSame(await database.transaction(async session => figures(await session.run(inOrder(round)))), [round, round])
      const [, ...results] = await lane.run([BEGIN, ...inOrder(round + 1), COMMIT])
      t.strictSame(figures(results.slice(0, -1)), [round + 1, round + 1])
    }
  })

  await t.test('a failure rejects with the state that the server gave it, and the connection goes on', async t => {
    const failure = await failureOf(database.transaction(async session =>
      await session.run([statement('select 1'), statement('select 1 / 0'), statement('select no_such_column')])))
    t.equal(sqlState(failure), DIVISION_BY_ZERO, 'the first failure')
    t.equal(isStatementError(failure), true)
    t.strictSame(await ask(database, 'select 1'), [1])
  })

  await t.test('a failure that drizzle or somebody else has wrapped still has its state', async t => {
    const failure = await failureOf(database.run([statement('select 1 / 0')]))
    t.equal(sqlState(new Error('query failed', { cause: new Error('deeper', { cause: failure }) })), DIVISION_BY_ZERO)
    t.equal(sqlState(Object.assign(new Error('no server said this'), { code: 'ECONNREFUSED' })), undefined)
  })
}

async function transactions (t: Test, database: Database): Promise<void> {
  await tableOf(database, 'kept')

  await t.test('what a transaction wrote is there when it has returned', async t => {
    const value = await database.transaction(async session => {
      await ask(session, 'insert into kept values (1)')
      await ask(session, 'insert into kept values (2)')
      return 'done'
    })
    t.equal(value, 'done')
    t.strictSame(await ask(database, 'select n from kept order by n'), [1, 2])
  })

  await t.test('a transaction whose work throws leaves nothing, and rejects with what was thrown', async t => {
    const reason = new Error('changed my mind')
    t.equal(await failureOf(database.transaction(async session => {
      await ask(session, 'insert into kept values (3)')
      throw reason
    })), reason)
    t.strictSame(await ask(database, 'select n from kept order by n'), [1, 2])
  })

  await t.test('a transaction of which one statement failed leaves nothing', async t => {
    const failure = await failureOf(database.transaction(async session => {
      await ask(session, 'insert into kept values (4)')
      await ask(session, 'insert into kept values (1)')
    }))
    t.equal(sqlState(failure), UNIQUE_VIOLATION)
    t.strictSame(await ask(database, 'select n from kept order by n'), [1, 2])
  })

  await t.test('transactions at the same time lose no update', async t => {
    await ask(database, 'create table tallied as select 0 as n')
    await Promise.all(Array.from({ length: 20 }, async () => await database.transaction(async session => {
      const [n] = await ask(session, 'select n from tallied for update')
      await ask(session, 'update tallied set n = $1::int', n as number + 1)
    })))
    t.strictSame(await ask(database, 'select n from tallied'), [20])
  })
}

async function lanes (t: Test, database: Database): Promise<void> {
  await tableOf(database, 'laned')
  const lane = database.lane()
  t.teardown(async () => await lane.close())
  const seen = async () => await ask(database, 'select n from laned order by n')

  await t.test('a transaction of a lane spans two runs, and nobody sees the half of it', async t => {
    await lane.run([BEGIN, statement('insert into laned values (1)')])
    const count = async () => await ask(database, 'select count(*)::int4 from laned')
    const others = [count(), count()]
    await lane.run([statement('insert into laned values (2)'), COMMIT])
    for (const [counted] of await Promise.all(others)) t.ok([0, 2].includes(counted as number))
    t.strictSame(await seen(), [1, 2])
  })

  await t.test('no other statement gets into a lane’s transaction, which is rolled back alone', async t => {
    await lane.run([BEGIN, statement('insert into laned values (3)')])
    const other = database.run([statement('insert into laned values (4)')])
    await lane.run([ROLLBACK])
    await other
    t.strictSame(await seen(), [1, 2, 4])
  })

  await t.test('after a failed statement and a ROLLBACK a lane is as good as new', async t => {
    const failure = await failureOf(lane.run([BEGIN, statement('insert into laned values (1)'), statement('select 1')]))
    t.equal(sqlState(failure), UNIQUE_VIOLATION)
    await lane.run([ROLLBACK])
    await lane.run([BEGIN, statement('insert into laned values (5)')])
    await lane.run([COMMIT])
    t.strictSame(await seen(), [1, 2, 4, 5])
  })

  await t.test('a failure in the run that commits rolls back by itself', async t => {
    await lane.run([BEGIN, statement('insert into laned values (6)')])
    const failure = await failureOf(lane.run([statement('select 1 / 0'), COMMIT]))
    t.ok([DIVISION_BY_ZERO, IN_FAILED_TRANSACTION].includes(sqlState(failure) ?? ''))
    await lane.run([ROLLBACK])
    t.strictSame(await seen(), [1, 2, 4, 5])
  })

  await t.test('a statement alone is a transaction by itself: wholly done or not at all, and the lane is as good as new', async t => {
    t.equal((await lane.alone(statement('insert into laned values (6) returning n'))).rows[0]?.[0], 6)
    const failure = await failureOf(lane.alone(statement('insert into laned values (60), (1)')))
    t.equal(sqlState(failure), UNIQUE_VIOLATION)
    await lane.run([ROLLBACK])
    await lane.alone(statement('delete from laned where n = 6'))
    t.strictSame(await seen(), [1, 2, 4, 5])
  })

  await t.test('two lanes that count the same row take turns', async t => {
    await ask(database, 'create table shared as select 0 as n')
    const two = [database.lane(), database.lane()]
    await Promise.all(two.map(async own => {
      for (let i = 0; i < 10; i += 1) {
        const results = await own.run([BEGIN, statement('select n from shared for no key update')])
        await own.run([statement('update shared set n = $1::int', results[1]?.rows[0]?.[0] as number + 1), COMMIT])
      }
      await own.close()
    }))
    t.strictSame(await ask(database, 'select n from shared'), [20])
  })

  await t.test('a lane that is closed in the middle of a transaction leaves nothing and holds nobody up', async t => {
    const own = database.lane()
    await own.run([BEGIN, statement('insert into laned values (7)')])
    await own.close()
    await ask(database, 'insert into laned values (7)')
    t.strictSame(await seen(), [1, 2, 4, 5, 7])
  })
}

async function migration (t: Test, database: Database): Promise<void> {
  await t.test('two openers at once and a third one later migrate to one ledger with one id and one secret', async t => {
    const ledgers = await Promise.all([migrateLedger(database), migrateLedger(database)])
    const [first] = ledgers
    t.match(first.id, /^[0-9a-f-]{36}$/)
    t.match(first.secret, /^[0-9a-f]{64}$/)
    t.strictSame([...ledgers, await migrateLedger(database)], [first, first, first])
    t.strictSame(await ask(database, 'select id from ledger'), [first.id])
    t.strictSame(await ask(database, 'select name from environments order by name'), ['live', 'test'])
  })
}
