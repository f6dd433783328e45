import type { Test } from 'tap'
import { completeCheckout } from '../../src/operations/checkout.ts'
import type { Api, Body } from '../fixtures/api.ts'
import { linkFor, visitor } from './checkout-visitor.ts'

/** What the manual checkout promises, whatever stores are underneath. Nothing here depends on an earlier part. */
export async function checkoutSpecification (t: Test, api: Api): Promise<void> {
  const { open, confirm } = visitor(api)
  await api.on('2024-01-31')
  await api.push({
    'plan:free@0': { title: 'Free', features: { 'feature:calls': { tiers: [{ upto: 10 }] } } },
    'plan:pro@1': { title: 'Pro', features: { 'feature:calls': { tiers: [{ upto: 100 }] }, 'feature:sso': { base: 500 } } },
    'plan:max@1': { title: 'Max', features: { 'feature:calls': { tiers: [{}] } } }
  })
  const plansOf = async (org: string): Promise<unknown> => (await api.phase(org)).plans
  const subscriptionsOf = async (org: string): Promise<number> => {
    const [result] = await api.database.run([{
      text: 'select count(*)::int from subscriptions s join orgs o on o.id = s.org where o.name = $1', params: [org]
    }])
    return result?.rows[0]?.[0] as number
  }

  await t.test('the link alone changes nothing; confirm subscribes and leads on', async t => {
    await api.subscribe('org:simple', 'plan:free@0')
    const url = await linkFor(api, 'org:simple', { features: ['plan:pro@1'] })
    const { status, heading, text } = await open(url)
    t.strictSame([status, heading], [200, 'Confirm Pro'])
    for (const part of ['org:simple', 'no payment is taken here', '$5 per month', 'Up to 100 per month', 'plan:free@0', 'Environment test']) t.match(text, part)
    t.strictSame(await plansOf('org:simple'), ['plan:free@0'])
    const confirmed = await confirm(url)
    t.strictSame([confirmed.status, confirmed.headers.location], [303, 'https://app.example.com/welcome'])
    t.strictSame(await plansOf('org:simple'), ['plan:pro@1'])
  })

  await t.test('confirmed twice, it happens once, and leads on both times', async t => {
    const url = await linkFor(api, 'org:twice', { features: ['plan:pro@1'] })
    for (let time = 0; time < 2; time += 1) {
      const { status, headers } = await confirm(url)
      t.strictSame([status, headers.location], [303, 'https://app.example.com/welcome'])
    }
    t.equal(await subscriptionsOf('org:twice'), 1)
    const { status, heading, raw } = await open(url)
    t.strictSame([status, heading], [410, 'Already confirmed'])
    t.match(raw, 'href="https://app.example.com/welcome"')
    t.notMatch(raw, '<form')
  })

  await t.test('confirmed ten times at once, it happens once', async t => {
    const url = await linkFor(api, 'org:rush', { features: ['plan:pro@1'], trial_days: 3 })
    const answers = await Promise.all(Array.from({ length: 10 }, async () => await confirm(url)))
    t.strictSame([...new Set(answers.map(({ status }) => status))], [303])
    t.equal(await subscriptionsOf('org:rush'), 2, 'a trial, and what follows it')
  })

  await t.test('confirmed again after the plan was changed, it changes nothing back', async t => {
    const url = await linkFor(api, 'org:later', { features: ['plan:pro@1'] })
    await confirm(url)
    await api.subscribe('org:later', 'plan:max@1')
    t.equal((await confirm(url)).status, 303)
    t.strictSame(await plansOf('org:later'), ['plan:max@1'])
    await api.subscribe('org:later', {})
    t.equal((await confirm(url)).status, 303)
    t.hasStrict(await api.phase('org:later'), { code: 'not_found' }, 'nor does it bring back who cancelled')
  })

  await t.test('of two links for one org each works once, and the later confirmation counts', async t => {
    const [pro, max] = [await linkFor(api, 'org:two', { features: ['plan:pro@1'] }), await linkFor(api, 'org:two', { features: ['plan:max@1'] })]
    await confirm(max)
    await confirm(pro)
    await confirm(max)
    t.strictSame(await plansOf('org:two'), ['plan:pro@1'])
  })

  await t.test('a trial: free for its days, then the same for good', async t => {
    await api.on('2024-01-31')
    const url = await linkFor(api, 'org:trial', { features: ['plan:pro@1'], trial_days: 14 })
    t.match((await open(url)).text, 'Free trial of 14 days , then $5 per month.')
    await api.on('2024-01-31T18:00:00Z')
    await confirm(url)
    const { phases } = await api.phases('org:trial')
    t.strictSame(phases.map(({ effective, trial = false, plans }: Body) => [effective, trial, plans]), [
      ['2024-01-31T18:00:00.000Z', true, ['plan:pro@1']], ['2024-02-14T18:00:00.000Z', false, ['plan:pro@1']]
    ])
    await api.on('2024-01-31')
  })

  await t.test('one feature of a plan shows and subscribes that feature alone', async t => {
    const url = await linkFor(api, 'org:part', { features: ['feature:calls@plan:pro@1'] })
    const { text } = await open(url)
    t.match(text, 'Free feature:calls Up to 100 per month'.slice(5))
    t.notMatch(text, 'feature:sso')
    await confirm(url)
    t.strictSame((await api.phase('org:part')).fragments, ['feature:calls@plan:pro@1'])
  })

  await t.test('without features there is nothing to pay with: it leads on, and changes nothing', async t => {
    await api.subscribe('org:setup', 'plan:free@0')
    const url = await linkFor(api, 'org:setup', { cancel_url: 'https://app.example.com/account' })
    const { status, heading, text, raw } = await open(url)
    t.strictSame([status, heading], [200, 'Nothing to set up'])
    t.match(text, 'there is nothing to pay with')
    t.match(raw, 'href="https://app.example.com/account"')
    for (let time = 0; time < 2; time += 1) t.equal((await confirm(url)).headers.location, 'https://app.example.com/welcome')
    t.equal((await open(url)).status, 410)
    t.strictSame(await plansOf('org:setup'), ['plan:free@0'])
    await confirm(await linkFor(api, 'org:setup-new'))
    t.hasStrict(await api.phase('org:setup-new'), { code: 'not_found' })
  })

  await t.test('after 24 hours of its environment a link is refused, confirmed or not', async t => {
    await api.on('2024-01-31')
    const [unused, used] = [await linkFor(api, 'org:slow', { features: ['plan:pro@1'] }), await linkFor(api, 'org:slow', { features: ['plan:free@0'] })]
    await confirm(used)
    await api.on('2024-01-31T23:59:59.999Z')
    t.equal((await open(unused)).status, 200)
    await api.on('2024-02-01')
    for (const url of [unused, used]) {
      for (const answer of [await open(url), await confirm(url)]) {
        t.strictSame([answer.status, answer.heading], [410, 'This link has expired'])
        t.match(answer.text, 'good for 24 hours')
      }
    }
    t.strictSame(await plansOf('org:slow'), ['plan:free@0'])
    await api.on('2024-01-31')
  })

  await t.test('what is not offered any more cannot be confirmed, and the link is not used up by trying', async t => {
    await api.push({ 'plan:brief@1': { features: { 'feature:brief': {} } } })
    const url = await linkFor(api, 'org:brief', { features: ['plan:brief@1'] })
    const rename = async (from: string, to: string): Promise<unknown> =>
      await api.database.run([{ text: 'update plans set name = $2 where name = $1', params: [from, to] }])
    const refused = async (): Promise<void> => {
      for (const answer of [await open(url), await confirm(url)]) {
        t.strictSame([answer.status, answer.heading], [410, 'This plan is not offered any more'])
      }
    }
    await rename('plan:brief', 'plan:withdrawn')
    await refused()
    await rename('plan:withdrawn', 'plan:brief')
    await api.send({ method: 'POST', url: '/v1/plans/plan:brief@1/archive' })
    await refused()
    await api.send({ method: 'POST', url: '/v1/plans/plan:brief@1/publish' })
    t.equal((await confirm(url)).status, 303)
    t.strictSame(await plansOf('org:brief'), ['plan:brief@1'])
  })

  await t.test('a renamed org is followed; one that was deleted is gone, and its name is not subscribed', async t => {
    const [moved, deleted] = [await linkFor(api, 'org:old', { features: ['plan:pro@1'] }), await linkFor(api, 'org:dead', { features: ['plan:pro@1'] })]
    const run = async (text: string): Promise<unknown> => await api.database.run([{ text, params: [] }])
    await run("update orgs set name = 'org:renamed' where name = 'org:old'")
    t.equal((await confirm(moved)).status, 303)
    t.strictSame(await plansOf('org:renamed'), ['plan:pro@1'])
    await run("update orgs set deleted_at = now(), name = 'org:dead 1' where name = 'org:dead'")
    t.equal((await confirm(deleted)).status, 410)
    t.hasStrict(await api.whois('org:dead'), { code: 'org_not_found' })
  })

  await t.test('an org that is renamed in the very moment of confirming: nobody else is subscribed in its place', async t => {
    const url = await linkFor(api, 'org:moving', { features: ['plan:pro@1'] })
    const [result] = await api.database.run([{ text: "select c.id from checkouts c join orgs o on o.id = c.org where o.name = 'org:moving'", params: [] }])
    const { checkouts } = api.stores
    const stores = {
      ...api.stores,
      checkouts: {
        ...checkouts,
        find: async (environment: string, id: string) => {
          const found = await checkouts.find(environment, id)
          await api.database.run([{ text: "update orgs set name = 'org:moved' where name = 'org:moving'", params: [] }])
          return found
        }
      }
    }
    await t.rejects(completeCheckout(stores, 'test', result?.rows[0]?.[0] as string), { code: 'org_not_found' })
    t.hasStrict(await api.whois('org:moving'), { code: 'org_not_found' })
    t.equal((await confirm(url)).status, 303, 'and a second try finds it')
    t.strictSame(await plansOf('org:moved'), ['plan:pro@1'])
  })

  await t.test('old checkouts are deleted as new ones are made, and their links say so', async t => {
    const url = await linkFor(api, 'org:swept', { features: ['plan:pro@1'] })
    await api.database.run([{ text: "update checkouts set created_at = now() - interval '91 days'", params: [] }])
    const before = (await api.rows()).checkouts as number
    await linkFor(api, 'org:sweeps', {})
    t.equal((await api.rows()).checkouts, Math.max(before - 10, 0) + 1)
    while ((await open(url)).status === 200) await linkFor(api, 'org:sweeps', {})
    t.strictSame([(await open(url)).heading, (await confirm(url)).status], ['This link has expired', 410])
  })
}
