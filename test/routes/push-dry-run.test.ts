import t, { type Test } from 'tap'
import { type Api, type Body } from '../fixtures/api.ts'
import { withEachLedger } from '../fixtures/each-ledger.ts'

const calls = (upto: number): Body => ({ 'feature:calls': { tiers: [{ upto }] } })

withEachLedger(t, 'a dry run', specification)

async function specification (t: Test, api: Api): Promise<void> {
  const dryRun = async (plans: Body, on = api): Promise<Body> => (await on.post('/v1/push?dryRun=true', { plans })).body
  const planIn = async (plans: Body, on = api): Promise<Body> => (await dryRun(plans, on)).plans[0] as Body

  await t.test('says what would be created, what exists and what is refused, and writes nothing', async t => {
    await api.push({ 'plan:free@0': { features: calls(10) } })
    const before = await api.rows()
    t.strictSame(await dryRun({
      'plan:new@0': { features: { 'feature:z': {}, ...calls(10) } },
      'plan:free@0': { features: calls(10) },
      'plan:bad@0': { interval: '@hourly', features: calls(10) }
    }), {
      plans: [
        { plan: 'plan:new@0', outcome: 'created', reason: null, identical: null, features: ['feature:calls', 'feature:z'], earlier: null },
        { plan: 'plan:free@0', outcome: 'exists', reason: 'plan already exists', identical: true, features: ['feature:calls'], earlier: null },
        { plan: 'plan:bad@0', outcome: 'refused', reason: 'unknown interval: "@hourly"', identical: null, features: ['feature:calls'], earlier: null }
      ]
    })
    t.match(await planIn({ 'plan:free@0': { features: calls(11) } }), { outcome: 'exists', identical: false })
    t.strictSame(await dryRun({}), { plans: [] })
    t.strictSame(await api.rows(), before)
  })

  await t.test('says what push then does', async t => {
    const plans = { 'plan:free@0': { features: calls(10) }, 'plan:said@0': { features: calls(1) }, 'plan:bad@0': { interval: '@hourly', features: calls(10) } }
    const said = (await dryRun(plans)).plans as Body[]
    const done = (await api.push(plans)).results as Body[]
    t.strictSame(said.map(({ outcome, reason }) => outcome === 'created' ? 'created' : reason), done.map(({ reason }) => reason))
  })

  await t.test('compares a new version with the newest one before it, and says how many orgs hold that', async t => {
    const rich = { 'feature:calls': { tiers: [{ upto: 1000 }] }, 'feature:sso': {} }
    await api.push({ 'plan:pro@9': { features: calls(1) }, 'plan:pro@10': { features: rich }, 'plan:pro@12': { features: calls(1) } })
    await api.subscribe('org:whole', 'plan:pro@10')
    await api.subscribe('org:part', 'feature:sso@plan:pro@10', 'feature:calls@plan:pro@10')
    await api.subscribe('org:trial', { features: ['plan:pro@10'], trial: true })
    await api.subscribe('org:elder', 'plan:pro@9')
    await api.subscribe('org:left', 'plan:pro@10')
    await api.subscribe('org:left', {})
    await api.subscribe('org:later', { effective: '2100-01-01', features: ['plan:pro@10'] })
    t.strictSame(await planIn({ 'plan:pro@11': { interval: '@yearly', features: { ...calls(5000), 'feature:new': {} } } }), {
      plan: 'plan:pro@11',
      outcome: 'created',
      reason: null,
      identical: null,
      features: ['feature:calls', 'feature:new'],
      earlier: {
        plan: 'plan:pro@10',
        orgs: 3,
        orgsCapped: false,
        terms: [{ term: 'interval', before: '@monthly', after: '@yearly' }],
        features: [
          { feature: 'feature:calls', change: 'changed', terms: [{ term: 'limit', before: 1000, after: 5000 }, { term: 'reset', before: 'month', after: 'year' }] },
          { feature: 'feature:new', change: 'added', terms: [{ term: 'type', after: 'boolean' }] },
          { feature: 'feature:sso', change: 'removed', terms: [{ term: 'type', before: 'boolean' }] }
        ]
      }
    })
    t.match(await planIn({ 'plan:pro@13': { features: { 'feature:calls': { tiers: [{}] } } } }), {
      earlier: { plan: 'plan:pro@12', orgs: 0, features: [{ terms: [{ term: 'limit', before: 1, after: null }] }] }
    }, 'null is unlimited')
    t.match(await planIn({ 'plan:pro@1': { features: calls(1) } }), { earlier: null }, 'none is before it')
  })

  await t.test('on a test clock: its orgs, and its parent\'s plans', async t => {
    await api.push({ 'plan:clocked@0': { features: calls(1) } })
    await api.subscribe('org:outside', 'plan:clocked@0')
    const { body: { id } } = await api.post('/v1/clock', { name: 'a', present: '2024-01-31T00:00:00Z' })
    const inside = await api.onClock(id)
    for (const org of ['org:one', 'org:two']) await inside.subscribe(org, 'plan:clocked@0')
    const next = { 'plan:clocked@1': { features: calls(2) } }
    t.match(await planIn(next, inside), { earlier: { plan: 'plan:clocked@0', orgs: 2 } })
    t.match(await planIn(next), { earlier: { plan: 'plan:clocked@0', orgs: 1 } })
  })

  await t.test('what is malformed is refused as push refuses it, and what is asked for must be said right', async t => {
    const bad = { 'plan:x@0': {} }
    t.strictSame(await dryRun(bad), await api.push(bad))
    for (const query of ['dryRun=yes', 'dryrun=true', 'dry_run=true']) {
      const before = await api.rows()
      t.hasStrict((await api.post(`/v1/push?${query}`, { plans: { 'plan:typo@0': { features: calls(1) } } })).body, { status: 400, code: 'invalid_request' }, query)
      t.strictSame(await api.rows(), before, 'nothing was pushed by mistake')
    }
    t.match(await api.post('/v1/push?dryRun=false', { plans: { 'plan:real@0': { features: calls(1) } } }), { status: 200, body: { results: [{ status: 'ok' }] } })
  })
}
