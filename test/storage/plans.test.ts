import { test } from 'tap'
import { planText } from '../../src/domain/ids.ts'
import { parsePlan, type Plan } from '../../src/domain/plan.ts'
import { openLedger } from './ledger-fixture.ts'
import { databaseKinds } from './databases.ts'

const ROUNDS = 20
const AT = Date.UTC(2024, 0)

/** A plan of which everything says which edition it is, so that a mixture shows. */
function edition (name: string, n: number): Plan {
  const features = Object.fromEntries(Array.from({ length: n }, (_, i) => [`feature:${name}-${n}-${i}`, { tiers: [{ upto: n }] }]))
  const parsed = parsePlan({ name: `plan:${name}`, version: '1' }, { title: `Edition ${n}`, features })
  if (!parsed.ok) throw new Error(parsed.reason)
  return parsed.plan
}

for (const { name, missing, open } of databaseKinds) {
  test(`plans on ${name}`, { skip: missing }, async t => {
    const database = await open(t)
    const { stores: { plans, catalog } } = await openLedger(t, { database })
    const other = (await openLedger(t, { database })).stores

    await t.test('drafts put, read, published and deleted at once are whole at any time', async t => {
      let published = 0
      for (let round = 0; round < ROUNDS; round += 1) {
        const plan = `race-${round}`
        const { ref } = edition(plan, 1)
        const whole = async (from: typeof catalog): Promise<string> => {
          const found = await from.find('test', ref)
          if (found === undefined) return 'none'
          const n = found.plan.features.length
          t.strictSame(found.plan, edition(plan, n), `round ${round}`)
          return `${found.status} ${n}`
        }
        await Promise.all([
          plans.putDraft('test', edition(plan, 1), false, AT), other.plans.putDraft('test', edition(plan, 2), false, AT), whole(catalog),
          other.plans.setStatus('test', ref, 'published', AT), plans.remove('test', ref), whole(other.catalog), whole(catalog),
          plans.putDraft('test', edition(plan, 3), false, AT), other.plans.setStatus('test', ref, 'published', AT), whole(catalog)
        ])
        const last = await whole(catalog)
        t.equal(await whole(other.catalog), last)
        if (last.startsWith('published')) {
          published += 1
          t.equal(await plans.putDraft('test', edition(plan, 4), false, AT), 'published')
          t.equal(await plans.remove('test', ref), 'published')
          t.equal(await whole(other.catalog), last, 'and stays so')
        }
      }
      t.comment(`${published} of ${ROUNDS} ended published`)
    })

    await t.test('a draft is created once, whoever else creates it at once', async t => {
      const answers = await Promise.all([plans, other.plans, plans, other.plans].map(async (store, i) =>
        await store.putDraft('test', edition('once', i + 1), true, AT)))
      t.strictSame(answers.filter(answer => answer === undefined).length, 1)
      t.strictSame(answers.filter(answer => answer === 'draft').length, 3)
    })

    await t.test('of a push and a draft of one name at once, one is refused', async t => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const plan = edition(`push-${round}`, 2)
        const [pushed, known] = await Promise.all([catalog.add('test', plan, AT), other.plans.putDraft('test', plan, true, AT)])
        t.equal(pushed, known === 'published', planText(plan.ref))
      }
    })
  })
}
