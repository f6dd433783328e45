import { PGlite } from '@electric-sql/pglite'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { FolderInUse, lockFolder } from '../../src/storage/folder-lock.ts'
import { pgliteDatabase } from '../../src/storage/pglite.ts'
import { folderOf } from '../e2e/embedded.ts'
import { type Child, startChild } from '../fixtures/child.ts'
import { guard } from '../fixtures/guard.ts'
import { copyBareLedger } from '../fixtures/ledger-template.ts'
import { nodeArguments } from '../fixtures/node.ts'
import { until } from './until.ts'

const READY_WITHIN_MS = 30_000

async function startHolder (t: Test, folder: string): Promise<Child> {
  const owner = guard('KILL')
  t.teardown(owner.release)
  return await startChild(process.execPath, [...nodeArguments('test/storage/folder-holder.ts'), folder], {
    ready: /acknowledged 1\n/, withinMs: READY_WITHIN_MS, guard: owner
  })
}

function acknowledged (holder: Child): number {
  return Math.max(...[...holder.output().matchAll(/acknowledged (\d+)\n/g)].map(([, n]) => Number(n)))
}

test('two embedded ledgers on one folder lose acknowledged writes, if nothing forbids it', async t => {
  const parent = folderOf(t)
  await copyBareLedger(parent)
  const folder = join(parent, 'ledger')
  const first = await PGlite.create(folder)
  await first.exec('create table notes (n int)')
  const second = await PGlite.create(folder)
  const rowsEach = 300
  for (let n = 0; n < rowsEach; n += 1) {
    await first.query('insert into notes values ($1)', [n])
    await second.query('insert into notes values ($1)', [rowsEach + n])
  }
  await first.close()
  await second.close()
  const later = await PGlite.create(folder)
  const { rows } = await later.query<{ count: number }>('select count(*)::int as count from notes')
  t.ok((rows[0]?.count ?? 0) < 2 * rowsEach, `${rows[0]?.count} of ${2 * rowsEach} are left`)
  await later.close()
})

test('one process at a time has a folder', async t => {
  const folder = folderOf(t)
  await copyBareLedger(folder)
  const holder = await startHolder(t, folder)

  await t.test('a second process is refused with a sentence that says what to do', async t => {
    await t.rejects(pgliteDatabase(folder), {
      name: 'FolderInUse',
      message: `the data folder ${folder} is in use by another Tollgate process; ` +
        'stop it, or give this one a folder of its own with TOLLGATE_DATA_DIR'
    })
    const second = await startHolder(t, folder).then(() => 'it started', error => String(error.message))
    t.match(second, /ended too early \(\d+\)[^]*FolderInUse: the data folder .* is in use/)
  })

  await t.test('the one that has it was not disturbed by that', async t => {
    const before = acknowledged(holder)
    await until('it goes on writing', () => acknowledged(holder) > before)
    t.pass()
  })

  await t.test('when it is killed the next one opens at once and has every row that was acknowledged', async t => {
    await holder.kill('SIGKILL')
    const promised = acknowledged(holder)
    const database = await pgliteDatabase(folder)
    t.teardown(async () => await database.close())
    const [result] = await database.run([{ text: 'select count(*)::int4, max(n) from notes', params: [] }])
    const [count, last] = result?.rows[0] as [number, number]
    t.equal(count, last, 'without a gap')
    t.ok(last >= promised, `${last} rows, ${promised} acknowledged`)
    t.ok(last <= promised + 1, 'at most the row that was under way is there without having been acknowledged')
  })
})

test('a folder that was given back is free, also within one process', async t => {
  const folder = folderOf(t)
  const unlock = lockFolder(folder)
  t.throws(() => lockFolder(folder), FolderInUse)
  unlock()
  lockFolder(folder)()
})

test('a folder on which opening failed is not held', async t => {
  const folder = t.testdir({ ledger: 'a file where the ledger’s folder should be' })
  await t.rejects(pgliteDatabase(folder))
  lockFolder(folder)()
})
