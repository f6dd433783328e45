import { hash, randomUUID } from 'node:crypto'
import { type Test, test } from 'tap'
import type { Database } from '../../src/storage/database.ts'
import { type Keys, keyStore, type NewKey, type StoredKey } from '../../src/storage/keys.ts'
import { migrateLedger } from '../../src/storage/migrate.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { tcpProxy } from '../fixtures/proxy.ts'
import { databaseKinds, openPostgres } from './databases.ts'
import { ask } from './ledger-fixture.ts'
import { until } from './until.ts'

const START = Date.parse('2024-03-15T12:00:00Z')
const MINUTE = 60_000

let made = 0

function newKey (changes: Partial<NewKey> = {}): NewKey {
  made += 1
  return {
    // In the order in which they are made, as ids by time are.
    id: `019bb2a0-0000-7000-8000-${String(made).padStart(12, '0')}`,
    environment: 'test',
    name: `key ${made}`,
    kind: 'private',
    scopes: ['write', 'read'],
    prefix: 'prv_test_01234567',
    digest: hash('sha256', String(made), 'hex'),
    createdAt: START,
    expiresAt: null,
    ...changes
  }
}

function shown ({ digest: _digest, ...key }: NewKey): StoredKey {
  return { ...key, lastUsedAt: null, revokedAt: null, rotatedTo: null }
}

/** Two replicas on one database, on one clock that is moved by hand. */
function replicas (database: Database): { clock: { now: number }, here: Keys, there: Keys } {
  const clock = { now: START }
  const open = (): Keys => keyStore(database, { now: () => clock.now })
  return { clock, here: open(), there: open() }
}

for (const { name, missing, open } of databaseKinds) {
  test(`keys on ${name}`, { skip: missing }, async t => {
    const database = await open(t)
    await migrateLedger(database)
    await rows(t, database)
    await changes(t, database)
    await uses(t, database)
  })
}

async function rows (t: Test, database: Database): Promise<void> {
  await t.test('a key is read as it was added, by its id or its digest, in its environment', async t => {
    const { here, there } = replicas(database)
    const wanted = newKey({ name: '请求 {1,"x"} \\N null', expiresAt: START + 1 })
    t.strictSame(await here.add(wanted), shown(wanted))
    t.strictSame(await there.get('test', wanted.id), shown(wanted))
    t.strictSame(await there.find(wanted.digest), shown(wanted))
    t.equal(await there.get('live', wanted.id), undefined)
    t.equal(await there.get('test', randomUUID()), undefined)
    t.equal(await there.find(hash('sha256', 'nobody', 'hex')), undefined)
  })

  await t.test('a public key has no scopes', async t => {
    const { here } = replicas(database)
    const wanted = newKey({ kind: 'public', scopes: [] })
    await here.add(wanted)
    t.hasStrict(await here.find(wanted.digest), { kind: 'public', scopes: [] })
  })

  await t.test('a digest is there once, whatever the environment', async t => {
    const { here } = replicas(database)
    const wanted = newKey()
    await here.add(wanted)
    await t.rejects(here.add(newKey({ digest: wanted.digest, environment: 'live' })))
  })

  await t.test('a list is newest first, of one environment, page by page', async t => {
    const { here } = replicas(database)
    await ask(database, "insert into environments (name) values ('listed')")
    const all = Array.from({ length: 5 }, () => newKey({ environment: 'listed' }))
    for (const key of all) await here.add(key)
    await here.add(newKey())
    const ids = all.map(({ id }) => id).reverse()
    const page = async (before: string | null, max: number): Promise<string[]> => (await here.list('listed', before, max)).map(({ id }) => id)
    t.strictSame(await page(null, 10), ids)
    t.strictSame(await page(null, 2), ids.slice(0, 2))
    t.strictSame(await page(ids[1] ?? '', 2), ids.slice(2, 4))
    t.strictSame(await page(ids[4] ?? '', 2), [])
    t.strictSame(await page(randomUUID().replace(/^./, 'f'), 1), ids.slice(0, 1), 'a cursor of a key that is no more')
  })
}

async function changes (t: Test, database: Database): Promise<void> {
  await t.test('a revoked key is known as such at once here, within 5 s elsewhere, and keeps the first instant', async t => {
    const { clock, here, there } = replicas(database)
    const wanted = newKey()
    await here.add(wanted)
    await Promise.all([here.find(wanted.digest), there.find(wanted.digest)])
    clock.now += 4_000
    t.strictSame(await here.revoke('test', wanted.id, clock.now), { ...shown(wanted), revokedAt: START + 4_000 })
    t.hasStrict(await here.find(wanted.digest), { revokedAt: START + 4_000 })
    t.hasStrict(there.find(wanted.digest), { revokedAt: null })
    clock.now += 1_000
    t.hasStrict(await there.find(wanted.digest), { revokedAt: START + 4_000 })
    t.hasStrict(await there.revoke('test', wanted.id, clock.now), { revokedAt: START + 4_000 })
    t.equal(await here.revoke('live', wanted.id, clock.now), undefined)
    t.equal(await here.revoke('test', randomUUID(), clock.now), undefined)
  })

  await t.test('a key and its successor are changed together', async t => {
    const { clock, here, there } = replicas(database)
    const [old, next] = [newKey(), newKey()]
    await here.add(old)
    await Promise.all([here.find(old.digest), there.find(old.digest)])
    const expiresAt = START + MINUTE
    t.strictSame(await here.replace('test', old.id, seen => {
      t.strictSame(seen, shown(old))
      return { expiresAt, successor: next }
    }), shown(next))
    t.hasStrict(await here.find(old.digest), { expiresAt, rotatedTo: next.id })
    t.strictSame(await there.find(next.digest), shown(next))
    clock.now += 5_000
    t.hasStrict(await there.find(old.digest), { expiresAt, rotatedTo: next.id })
    const unwanted = (): never => { throw new Error('there is nothing to replace') }
    t.equal(await here.replace('live', old.id, unwanted), undefined)
    t.equal(await here.replace('test', randomUUID(), unwanted), undefined)
  })

  await t.test('work that throws changes nothing', async t => {
    const { here } = replicas(database)
    const wanted = newKey()
    await here.add(wanted)
    await t.rejects(here.replace('test', wanted.id, () => { throw new Error('changed my mind') }), { message: 'changed my mind' })
    await t.rejects(here.replace('test', wanted.id, () => ({ expiresAt: START, successor: newKey({ digest: wanted.digest }) })))
    t.strictSame(await here.get('test', wanted.id), shown(wanted))
  })

  await t.test('of those who replace a key at once, on two replicas, one does', async t => {
    const { here, there } = replicas(database)
    const wanted = newKey()
    await here.add(wanted)
    const results = await Promise.allSettled(Array.from({ length: 6 }, async (_, i) =>
      await (i % 2 === 0 ? here : there).replace('test', wanted.id, ({ rotatedTo }) => {
        if (rotatedTo !== null) throw new Error('somebody was first')
        return { expiresAt: START, successor: newKey() }
      })))
    const done = results.flatMap(result => result.status === 'fulfilled' ? [result.value?.id] : [])
    t.equal(done.length, 1)
    t.strictSame((await here.get('test', wanted.id))?.rotatedTo, done[0])
  })
}

async function uses (t: Test, database: Database): Promise<void> {
  const lastUse = async ({ id }: NewKey): Promise<unknown> => (await keyStore(database).get('test', id))?.lastUsedAt
  const settled = async (key: NewKey, at: number): Promise<void> => await until('the use is written', async () => await lastUse(key) === at)

  await t.test('the last use is written at most once a minute, by all replicas together', async t => {
    const { clock, here, there } = replicas(database)
    const [wanted, later] = [newKey(), newKey()]
    await here.add(wanted)
    await here.add(later)
    const mine = await here.find(wanted.digest) as StoredKey
    const theirs = await there.find(wanted.digest) as StoredKey
    here.used(mine)
    await settled(wanted, START)
    clock.now += MINUTE - 1
    here.used(mine)
    there.used(theirs)
    // Of one replica uses are written in order: when this one is there, so is everything before it.
    there.used(await there.find(later.digest) as StoredKey)
    await settled(later, clock.now)
    t.equal(await lastUse(wanted), START)
    clock.now += 1
    here.used(mine)
    await settled(wanted, START + MINUTE)
  })

  await t.test('many uses at once are few statements', async t => {
    const statements: string[] = []
    const counting: Database = {
      ...database,
      run: async sent => {
        statements.push(...sent.map(({ text }) => text))
        return await database.run(sent)
      }
    }
    const store = keyStore(counting, { now: () => START })
    const all = Array.from({ length: 20 }, () => newKey())
    for (const key of all) await store.add(key)
    const found = await Promise.all(all.map(async ({ digest }) => await store.find(digest) as StoredKey))
    statements.length = 0
    for (let i = 0; i < 50; i += 1) found.forEach(store.used)
    for (const key of all) await settled(key, START)
    t.equal(statements.length, 1)
  })

  await t.test('a use that cannot be written harms nobody', async t => {
    const broken: Database = { ...database, run: async () => { throw new Error('away') } }
    const { here } = replicas(database)
    const wanted = newKey()
    const key = await here.add(wanted)
    t.equal(keyStore(broken, { now: () => START }).used({ ...key }), undefined)
    here.used(key)
    await settled(wanted, START)
  })
}

test('a key that somebody has locked delays neither uses nor those who wait for them', { skip: postgresMissing }, async t => {
  const database = openPostgres(t, await freshLedger(t))
  await migrateLedger(database)
  const { here } = replicas(database)
  const [locked, free] = [newKey(), newKey()]
  for (const key of [locked, free]) await here.add(key)
  await database.transaction(async session => {
    await session.run([{ text: 'select id from keys where id = $1 for update', params: [locked.id] }])
    for (const { digest } of [locked, free]) here.used(await here.find(digest) as StoredKey)
    await until('the other is written', async () => (await here.get('test', free.id))?.lastUsedAt === START)
  })
  t.equal((await here.get('test', locked.id))?.lastUsedAt, null)
})

test('with Postgres away a key that was known goes on, and another one fails', { skip: postgresMissing }, async t => {
  const url = await freshLedger(t)
  const proxy = await tcpProxy(t, Number(new URL(url).port))
  const database = openPostgres(t, proxy.url(url))
  await migrateLedger(database)
  const { clock, here } = replicas(database)
  const [known, other] = [newKey(), newKey()]
  for (const key of [known, other]) await here.add(key)
  await here.find(known.digest)
  proxy.refuse()
  proxy.cut()
  clock.now += MINUTE
  t.strictSame(await here.find(known.digest), shown(known))
  await t.rejects(here.find(other.digest) as Promise<unknown>)
  here.used(here.find(known.digest) as StoredKey)
  await proxy.pass()
  t.strictSame(await here.find(other.digest), shown(other))
})
