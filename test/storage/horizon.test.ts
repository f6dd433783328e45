import { deepEqual } from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import type { Org } from '../../src/domain/org.ts'
import type { Database } from '../../src/storage/database.ts'
import { type EventLog, eventLog } from '../../src/storage/event-log.ts'
import { horizon } from '../../src/storage/horizon.ts'
import { migrateLedger } from '../../src/storage/migrate.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { databaseKinds, openPostgres } from './databases.ts'
import { ask, newOrg, openLedger, opOf } from './ledger-fixture.ts'
import { type Connection, connection } from './locks.ts'

const ALL = { from: null, to: null }
const PAGE_MAX = 1_000
/** Of all callers together. */
const CALLS = 480

/** Goes on from where it is, as a caller with a cursor does. */
class Follower {
  readonly seen: string[] = []
  readonly seqs: number[] = []
  private after = 0
  private readonly log: EventLog
  private readonly pageMax: number

  constructor (log: EventLog, pageMax = PAGE_MAX) {
    this.log = log
    this.pageMax = pageMax
  }

  async read (): Promise<string[]> {
    const page = await this.log.arrivals('test', undefined, ALL, this.after, this.pageMax)
    this.seen.push(...page.events.map(({ id }) => id))
    this.seqs.push(...page.events.map(({ seq }) => seq))
    this.after = page.readTo
    return page.events.map(({ id }) => id)
  }

  async readAll (): Promise<void> {
    while ((await this.read()).length > 0) continue
  }
}

/** Nobody waits in vain: what is hidden now stays hidden until the test itself goes on. */
function impatient (database: Database): EventLog {
  return eventLog(database, horizon(database, 0))
}

/** Writes as the ledger does: lock, then number, then commit. */
async function write (writer: Connection, org: Org, id: string): Promise<void> {
  await writer.run(`select id from orgs where id = ${org.key} for no key update`)
  await writer.run(`insert into events (org, id, feature, at, window_start, amount, mode, delta, used_after, fingerprint)
    values (${org.key}, '${id}', ${org.features.get('feature:calls')?.key as number}, now(), now(), 1, 'add', 1, 1, '${randomUUID()}')`)
}

test('on Postgres, where transactions end in another order than they took their numbers', { skip: postgresMissing }, async t => {
  const url = await freshLedger(t)
  const database = openPostgres(t, url)
  const { stores } = await openLedger(t, { database })

  await t.test('while an older transaction is open, what came after it is hidden; then all appears, in order', async t => {
    const [slow, quick] = [await connection(t, url), await newOrg(stores)]
    const follower = new Follower(stores.eventLog)
    const before = opOf(quick, 1)
    await stores.ledger.append(before)
    await follower.read()
    t.equal(follower.seen.at(-1), before.id)
    await slow.run('begin')
    await write(slow, await newOrg(stores), 'slow-1')
    const later = [opOf(quick, 1), opOf(quick, 1)]
    for (const op of later) await stores.ledger.append(op)
    t.strictSame(await follower.read(), [], 'also for a reader who waits a moment')
    t.strictSame(await new Follower(impatient(database)).read(), [], 'a replica that has just started waits for it, too')
    await slow.run('commit')
    t.strictSame(await follower.read(), ['slow-1', ...later.map(({ id }) => id)])
    t.strictSame(follower.seqs, [...follower.seqs].sort((a, b) => a - b))
  })

  await t.test('also if it is the youngest transaction of all, and none has ended since it began', async t => {
    const slow = await connection(t, url)
    const org = await newOrg(stores)
    const log = impatient(database)
    const follower = new Follower(log)
    await follower.read()
    const end = await log.end()
    await slow.run('begin')
    await write(slow, org, 'youngest')
    t.equal(await log.end(), end, 'its number is not passed')
    t.strictSame(await follower.read(), [])
    await slow.run('commit')
    t.strictSame(await follower.read(), ['youngest'])
  })

  await t.test('what was rolled back is a number without an event', async t => {
    const slow = await connection(t, url)
    const org = await newOrg(stores)
    const follower = new Follower(impatient(database))
    await follower.read()
    await slow.run('begin')
    await write(slow, org, 'never')
    const other = opOf(await newOrg(stores), 1)
    await stores.ledger.append(other)
    t.strictSame(await follower.read(), [])
    await slow.run('rollback')
    t.strictSame(await follower.read(), [other.id])
  })

  await t.test('a transaction that records nothing holds nobody up, however long it lasts', async t => {
    const idle = await connection(t, url)
    await idle.run('begin')
    await idle.run(`select id from orgs where id = ${(await newOrg(stores)).key} for no key update`)
    const follower = new Follower(impatient(database))
    await follower.read()
    const op = opOf(await newOrg(stores), 1)
    await stores.ledger.append(op)
    t.strictSame(await follower.read(), [op.id])
    await idle.run('rollback')
  })

  await t.test('transactions without end do not stop each other: a reader gets on while there is always one open', async t => {
    const [one, two] = [await connection(t, url), await connection(t, url)]
    const [a, b] = [await newOrg(stores), await newOrg(stores)]
    const follower = new Follower(impatient(database))
    await follower.read()
    await one.run('begin')
    await write(one, a, 'relay-0')
    let [running, next] = [one, two]
    for (let i = 1; i <= 6; i += 1) {
      await follower.read()
      await next.run('begin')
      await write(next, i % 2 === 1 ? b : a, `relay-${i}`)
      await running.run('commit')
      await follower.read()
      ;[running, next] = [next, running]
    }
    t.ok(follower.seen.includes('relay-4'), `it got as far as ${String(follower.seen.at(-1))}`)
    await running.run('commit')
    await follower.read()
    t.strictSame(follower.seen.slice(-7), [0, 1, 2, 3, 4, 5, 6].map(i => `relay-${i}`))
  })

  await t.test('whatever order transactions begin, write and end in, followers are shown every event once', async t => {
    await anyOrder(t, url, database, await Promise.all([newOrg(stores), newOrg(stores), newOrg(stores)]))
  })

  await t.test('while replicas count, a follower is shown every event once, and what was answered at once', async t => {
    const replicas = [stores, (await openLedger(t, { database })).stores]
    const orgs = await Promise.all(Array.from({ length: 6 }, async () => await newOrg(stores)))
    const followers = [new Follower(stores.eventLog), new Follower(impatient(database), 7)]
    for (const follower of followers) await follower.readAll()
    const known = new Set(followers[0]?.seen)
    const answered: string[] = []
    const following = followers.map(async follower => {
      while (answered.length < CALLS) await follower.read()
      await follower.readAll()
    })
    await Promise.all(orgs.flatMap(org => replicas.map(async ({ ledger }) => {
      for (let i = 0; i < CALLS / orgs.length / replicas.length; i += 1) {
        const op = opOf(org, 1)
        await ledger.append(op)
        answered.push(op.id)
      }
    })))
    await Promise.all(following)
    for (const { seen, seqs } of followers) {
      t.strictSame(seen.filter(id => !known.has(id)).sort(), [...answered].sort())
      t.strictSame(seqs, [...seqs].sort((a, b) => a - b))
    }
  })
})

const WRITERS = 3
type Step = { writer: number, does: 'write' | 'commit' | 'rollback' } | { follower: number }

/** Writers and followers take steps in an order that is thought out by fast-check. */
async function anyOrder (t: Test, url: string, database: Database, orgs: readonly Org[]): Promise<void> {
  const writers = await Promise.all(orgs.map(async org => ({ org, sql: await connection(t, url) })))
  const steps = fc.array(fc.oneof<fc.Arbitrary<Step>[]>(
    fc.record({ writer: fc.nat(WRITERS - 1), does: fc.constantFrom('write', 'write', 'commit', 'rollback') }),
    fc.record({ follower: fc.nat(1) })
  ), { minLength: 10, maxLength: 40 })
  await t.resolves(fc.assert(fc.asyncProperty(steps, async steps => {
    await ask(database, 'truncate events')
    const committed: string[] = []
    const open = writers.map(() => undefined as string[] | undefined)
    const followers = [new Follower(impatient(database)), new Follower(impatient(database), 2)]
    const end = async (i: number, how: 'commit' | 'rollback'): Promise<void> => {
      if (open[i] === undefined) return
      await writers[i]?.sql.run(how)
      if (how === 'commit') committed.push(...open[i])
      open[i] = undefined
    }
    try {
      for (const step of steps) {
        if ('follower' in step) {
          await followers[step.follower]?.read()
        } else if (step.does === 'write') {
          const { sql, org } = writers[step.writer] as typeof writers[number]
          if (open[step.writer] === undefined) await sql.run('begin')
          const id = randomUUID()
          await write(sql, org, id)
          open[step.writer] = [...open[step.writer] ?? [], id]
        } else {
          await end(step.writer, step.does)
        }
      }
    } finally {
      for (const i of writers.keys()) await end(i, 'commit')
    }
    for (const follower of followers) {
      await follower.readAll()
      deepEqual([...follower.seen].sort(), [...committed].sort())
      deepEqual(follower.seqs, [...follower.seqs].sort((a, b) => a - b))
    }
  }), { numRuns: 40 }))
}

for (const { name, missing, open } of databaseKinds) {
  test(`how far ${name} can be read`, { skip: missing }, async t => {
    const database = await open(t)
    await migrateLedger(database)
    const next = async (count: number): Promise<unknown> =>
      await ask(database, "select nextval(pg_get_serial_sequence('events', 'seq')) from generate_series(1, $1::int)", count)

    await t.test('an empty ledger ends at 0; then at the last number that was taken', async t => {
      const { read } = horizon(database)
      t.equal(await read(Infinity), 0)
      await next(1)
      t.equal(await read(Infinity), 1)
      await next(41)
      t.strictSame(await Promise.all([read(Infinity), read(7), read(Infinity)]), [42, 42, 42])
    })

    await t.test('a sequence that was set back and not used yet ends before its next number', async t => {
      const { read } = horizon(database)
      t.equal(await read(Infinity), 42)
      await ask(database, "select setval(pg_get_serial_sequence('events', 'seq'), 30, false)")
      t.equal(await read(Infinity), 29, 'an older copy of the database was put in its place')
    })
  })
}
