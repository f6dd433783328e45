import { test } from 'tap'
import { amountOf } from '../../src/domain/amount.ts'
import { ask, DAY, moveTo, newOrg, openLedger, opOf, START } from './ledger-fixture.ts'
import { databaseKinds } from './databases.ts'

for (const { name, missing, open } of databaseKinds) {
  test(`subscriptions on ${name}`, { skip: missing }, async t => {
    const database = await open(t)
    const { stores } = await openLedger(t, { database })
    const other = (await openLedger(t, { database })).stores

    await t.test('every change raises the org’s version by one, and returns the org as it is then', async t => {
      const org = await newOrg(stores)
      const changed = await moveTo(stores, org.name, 'daily', START + DAY)
      t.equal(changed.version, org.version + 1)
      t.strictSame(changed.subscriptions.map(({ startsAt, endsAt }) => [startsAt, endsAt]), [[START, START + DAY], [START + DAY, null]])
      t.equal((await other.orgs.load('test', org.name))?.version, changed.version)
    })

    await t.test('an org that many ask for at once holds for each of them what it holds', async t => {
      const [org, another] = [await newOrg(stores), await newOrg(stores)]
      const asked = [org, org, another, org, another, org, another, another]
      const found = await Promise.all(asked.map(async ({ name }) => await other.orgs.load('test', name)))
      t.strictSame(found.map(org => org?.subscriptions), asked.map(({ subscriptions }) => subscriptions))
    })

    await t.test('changes at once, on two replicas, are made one after the other', async t => {
      const org = await newOrg(stores)
      await Promise.all(Array.from({ length: 8 }, async (_, i) =>
        await moveTo(i % 2 === 0 ? stores : other, org.name, 'daily', START + DAY + i)))
      const { version, subscriptions } = await stores.orgs.load('test', org.name) ?? org
      t.equal(version, org.version + 8)
      t.equal(new Set(subscriptions.map(({ id }) => id)).size, 9)
    })

    await t.test('work that throws changes nothing', async t => {
      const org = await newOrg(stores)
      await t.rejects(stores.subscriptions.change('test', org.name, START, async locked => {
        const remove = locked.org.subscriptions.map(({ id }) => id)
        await locked.reschedule({ end: [], remove, add: [] }, () => { throw new Error('nothing is added') })
        throw new Error('changed my mind')
      }), { message: 'changed my mind' })
      t.strictSame((await stores.orgs.load('test', org.name))?.subscriptions, org.subscriptions)
    })

    await t.test('a change that failed to commit is never believed afterwards', async t => {
      const org = await newOrg(stores)
      await ask(database, 'create sequence attempts')
      await ask(database, `create function refuse_first () returns trigger language plpgsql as $$ begin
        if nextval('attempts') = 1 then raise exception 'not this time' using errcode = '40001'; end if; return null; end $$`)
      await ask(database, `create constraint trigger refuse_first after update on orgs deferrable initially deferred
        for each row execute function refuse_first ()`)
      await t.rejects(moveTo(stores, org.name, 'bare', START), { code: '40001' })
      t.equal(stores.orgs.cached('test', org.name)?.version, org.version, 'this process has not seen what never was')

      const { version } = await moveTo(other, org.name, 'daily', START)
      t.equal(version, org.version + 1, 'another replica makes another change with that very version')
      const snapshot = stores.orgs.cached('test', org.name) ?? org
      t.match(await stores.ledger.append(opOf(snapshot, 1)), { limitAfter: amountOf(50) }, 'and that is the one which counts')
    })
  })
}
