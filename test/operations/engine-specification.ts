import type { Test } from 'tap'
import type { Api, Body } from '../fixtures/api.ts'

/** What the main calls promise, whatever stores are underneath. Nothing here depends on an earlier part. */
export async function engineSpecification (t: Test, api: Api): Promise<void> {
  await api.settings({})
  await api.push({
    'plan:free@0': { features: { 'feature:calls': { tiers: [{ upto: 10 }] }, 'feature:sso': {} } },
    'plan:pro@0': { features: { 'feature:calls': { tiers: [{ upto: 100 }] }, 'feature:storage': { tiers: [{}], aggregate: 'max' } } }
  })
  const figures = ({ used, limit, remaining }: Body): unknown[] => [used, limit, remaining]

  await t.test('what was reported is in the next answer of can and of usage', async t => {
    await api.subscribe('org:next', 'plan:free@0')
    t.strictSame(figures(await api.report('org:next', 'feature:calls', 3)), [3, 10, 7])
    t.strictSame(figures(await api.can('org:next', 'feature:calls')), [3, 10, 7])
    t.strictSame(figures((await api.usage('org:next', 'feature:calls')).current), [3, 10, 7])
    t.strictSame(figures(await api.report('org:next', 'feature:calls', 4)), [7, 10, 3])
    t.strictSame(figures(await api.can('org:next', 'feature:calls')), [7, 10, 3])
    t.strictSame(figures((await api.usage('org:next', 'feature:calls')).current), [7, 10, 3])
  })

  await t.test('a hundred reports at once are all counted, and the last answer has the total', async t => {
    await api.subscribe('org:many', 'plan:pro@0')
    const answers = await Promise.all(Array.from({ length: 100 }, async () => await api.report('org:many', 'feature:calls', '0.1')))
    t.strictSame(answers.map(({ used }) => used).sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => (i + 1) / 10))
    t.equal((await api.can('org:many', 'feature:calls')).used, 10)
  })

  await t.test('fractions add up exactly: 0.1 and 0.2 are 0.3', async t => {
    await api.subscribe('org:exact', 'plan:free@0')
    await api.report('org:exact', 'feature:calls', 0.1)
    t.strictSame(figures(await api.report('org:exact', 'feature:calls', 0.2)), [0.3, 10, 9.7])
    t.strictSame(figures(await api.can('org:exact', 'feature:calls')), [0.3, 10, 9.7])
  })

  await t.test('a report is never refused because of a limit, and can then says no', async t => {
    await api.subscribe('org:over', 'plan:free@0')
    t.strictSame(figures(await api.report('org:over', 'feature:calls', 15)), [15, 10, 0])
    t.hasStrict(await api.can('org:over', 'feature:calls'), { ok: false, reason: 'limit_reached', used: 15, overage: 5, remaining: 0 })
  })

  await t.test('the same id counts once, and its second answer differs in duplicate alone', async t => {
    await api.subscribe('org:twice', 'plan:free@0')
    const first = await api.report('org:twice', 'feature:calls', 2, { id: 'once' })
    await api.report('org:twice', 'feature:calls', 5)
    const second = await api.report('org:twice', 'feature:calls', 2, { id: 'once' })
    t.strictSame(second, { ...first, duplicate: true })
    t.equal((await api.can('org:twice', 'feature:calls')).used, 7)
    const other = await api.report('org:twice', 'feature:calls', 3, { id: 'once' })
    t.hasStrict(other, { status: 422, code: 'event_conflict' })
    t.equal((await api.can('org:twice', 'feature:calls')).used, 7)
  })

  await t.test('ten callers that send one id at once are answered alike, and one of them was first', async t => {
    await api.subscribe('org:race', 'plan:free@0')
    const answers = await Promise.all(Array.from({ length: 10 }, async () => await api.report('org:race', 'feature:calls', 2, { id: 'raced' })))
    t.strictSame(answers.map(({ used }) => used), Array.from({ length: 10 }, () => 2))
    t.equal(answers.filter(({ duplicate }) => duplicate === false).length, 1)
  })

  await t.test('clobber sets the total, a decrease lowers it, and neither goes below zero', async t => {
    await api.subscribe('org:clobber', 'plan:free@0')
    await api.report('org:clobber', 'feature:calls', 8)
    t.equal((await api.report('org:clobber', 'feature:calls', 5, { clobber: true })).used, 5)
    t.equal((await api.report('org:clobber', 'feature:calls', -2)).used, 3)
    t.equal((await api.report('org:clobber', 'feature:calls', -100)).used, 0)
    t.equal((await api.can('org:clobber', 'feature:calls')).used, 0)
  })

  await t.test('a change of plan shows in the next verdict and keeps the usage', async t => {
    await api.subscribe('org:change', 'plan:free@0')
    await api.report('org:change', 'feature:calls', 10)
    t.hasStrict(await api.can('org:change', 'feature:calls'), { ok: false, reason: 'limit_reached', limit: 10 })
    await api.subscribe('org:change', 'plan:pro@0')
    t.hasStrict(await api.can('org:change', 'feature:calls'), { ok: true, reason: 'within_limit', used: 10, limit: 100 })
    t.hasStrict(await api.can('org:change', 'feature:sso'), { ok: false, reason: 'feature_not_found' })
    t.hasStrict(await api.can('org:change', 'feature:storage'), { ok: true, reason: 'unlimited', limit: null, remaining: null })
  })

  await t.test('cancelled: nothing may be used or reported, and what was used stays visible', async t => {
    await api.subscribe('org:gone', 'plan:free@0')
    await api.report('org:gone', 'feature:calls', 4)
    await api.subscribe('org:gone', {})
    t.hasStrict(await api.can('org:gone', 'feature:calls'), { ok: false, reason: 'feature_not_found' })
    t.hasStrict(await api.report('org:gone', 'feature:calls'), { status: 400, code: 'feature_not_found' })
    t.strictSame(await api.can('org:gone'), { org: 'org:gone', features: [] })
    t.strictSame((await api.usage('org:gone', 'feature:calls')).past.map(({ used }: Body) => used), [4])
  })

  await t.test('an unknown org is an error everywhere', async t => {
    for (const answer of [
      await api.report('org:nobody', 'feature:calls'), await api.can('org:nobody', 'feature:calls'), await api.can('org:nobody'),
      await api.usage('org:nobody'), await api.limits('org:nobody'), await api.phase('org:nobody'), await api.whois('org:nobody')
    ]) t.hasStrict(answer, { status: 400, code: 'org_not_found', message: 'org not found' })
  })

  await t.test('with a default plan, questions about a new org write nothing, and the first report subscribes it', async t => {
    await api.settings({ defaultPlan: 'plan:free@0' })
    const before = await api.rows()
    t.hasStrict(await api.can('org:new', 'feature:calls'), { ok: true, reason: 'within_limit', used: 0, limit: 10 })
    t.hasStrict((await api.usage('org:new', 'feature:calls')).current, { used: 0, limit: 10 })
    t.strictSame(await api.rows(), before)
    t.strictSame(figures(await api.report('org:new', 'feature:calls', 3)), [3, 10, 7])
    const after = await api.rows()
    const added = Object.keys(after).filter(table => after[table] === (before[table] ?? 0) + 1)
    t.strictSame(added, ['orgs', 'subscriptions', 'events', 'counters'])
    t.strictSame((await api.phase('org:new')).plans, ['plan:free@0'])
    await api.settings({})
    t.strictSame(figures(await api.report('org:new', 'feature:calls', 3)), [6, 10, 4], 'and it stays subscribed')
  })

  await t.test('first reports at once subscribe a new org once', async t => {
    await api.settings({ defaultPlan: 'plan:free@0' })
    const answers = await Promise.all(Array.from({ length: 9 }, async () => await api.report('org:rush', 'feature:calls')))
    t.strictSame(answers.map(({ used }) => used).sort(), [1, 2, 3, 4, 5, 6, 7, 8, 9])
    t.equal((await api.phases('org:rush')).phases.length, 1)
    t.equal((await api.can('org:rush', 'feature:calls')).limit, 10)
    await api.settings({})
  })
}
