import type { Test } from 'tap'
import { type Api, type Body, dateOf } from '../fixtures/api.ts'

const FALLING = [{ upto: 10, price: 2 }, { price: 1 }]
const calls = (members: Body): Body => ({ features: { 'feature:calls': members } })

const plans: Body = {
  'plan:graduated@0': calls({ tiers: FALLING }),
  'plan:volume@0': calls({ tiers: FALLING, mode: 'volume' }),
  'plan:packs@0': calls({ tiers: [{ price: 2 }], divide: { by: 3, rounding: 'up' } }),
  'plan:demo@0': calls({ tiers: [{ upto: 100, base: 1000 }, { price: 1 }] }),
  'plan:seat@0': { features: { 'feature:seat': { base: 1000.5 }, 'feature:desk': { base: 0.5 }, 'feature:sso': {} } },
  'plan:yearly@0': { interval: '@yearly', features: { 'feature:seat': { base: 12_000 } } },
  'plan:euro@0': { currency: 'eur', features: { 'feature:exports': { tiers: [{ price: 0.25 }] } } },
  'plan:boost@0': { addon: true, ...calls({ tiers: [{ upto: 50, base: 500, price: 9 }] }) },
  'plan:small@0': calls({ tiers: [{ upto: 10, base: 30, price: 8 }] })
}

export function costsOf (api: Api) {
  const costOf = async (org: string, at?: string): Promise<Body> => (await api.get('/v1/cost', { org, ...(at !== undefined && { at }) })).body
  return { costOf, linesOf: async (org: string, at?: string): Promise<string[]> => shown(await costOf(org, at)) }
}

/** `feature@plan quantity amount currency start end` of each line. */
function shown ({ lines }: Body): string[] {
  return (lines as Body[]).map(({ feature, plan, quantity, amount, currency, window: { start, end } }) =>
    `${feature.slice(8)}@${plan.slice(5)} ${quantity} ${amount} ${currency} ${dateOf(start)} ${dateOf(end)}`)
}

/** What costs mean, whatever stores are underneath. Each part has an org of its own. */
export async function costSpecification (t: Test, api: Api): Promise<void> {
  const { costOf, linesOf } = costsOf(api)
  const subscribed = async (org: string, ...held: string[]): Promise<void> => {
    await api.on('2024-01-01')
    await api.subscribe(org, ...held)
  }
  await api.on('2024-01-01')
  await api.push(plans)

  await t.test('15 units at 2 up to 10 and 1 from there: 25 graduated, with its tiers, 15 by volume', async t => {
    await subscribed('org:graduated', 'plan:graduated@0')
    await api.report('org:graduated', 'feature:calls', 15)
    const { lines: [{ subscription, ...line }], ...rest } = await costOf('org:graduated')
    t.type(subscription, 'number')
    t.strictSame(line, {
      plan: 'plan:graduated@0',
      feature: 'feature:calls',
      title: 'feature:calls@plan:graduated@0',
      currency: 'usd',
      window: { start: '2024-01-01T00:00:00.000Z', end: '2024-02-01T00:00:00.000Z' },
      trial: false,
      quantity: 15,
      tiers: [{ upto: 10, quantity: 10, price: 2, base: 0, amount: 20 }, { upto: null, quantity: 5, price: 1, base: 0, amount: 5 }],
      base: 0,
      amount: 25
    })
    t.strictSame(rest, { org: 'org:graduated', at: '2024-01-01T00:00:00.000Z', total: { usd: 25 } })
    await subscribed('org:volume', 'plan:volume@0')
    await api.report('org:volume', 'feature:calls', 15)
    t.hasStrict(await costOf('org:volume'), { lines: [{ tiers: [{ quantity: 15, amount: 15 }], amount: 15 }], total: { usd: 15 } })
  })

  await t.test('100 units in packs of 3 at 2: 68', async t => {
    await subscribed('org:packs', 'plan:packs@0')
    await api.report('org:packs', 'feature:calls', 100)
    t.hasStrict(await costOf('org:packs'), { lines: [{ quantity: 100, tiers: [{ quantity: 100, packs: 34, amount: 68 }] }], total: { usd: 68 } })
  })

  await t.test('a past window, and what is reported into it late', async t => {
    await subscribed('org:past', 'plan:demo@0')
    await api.report('org:past', 'feature:calls', 150)
    await api.on('2024-03-10')
    await api.report('org:past', 'feature:calls', 101)
    t.strictSame(await linesOf('org:past'), ['calls@demo@0 101 1001 usd 2024-03-01 2024-04-01'])
    t.strictSame(await linesOf('org:past', '2024-02-29T23:59:59Z'), ['calls@demo@0 0 1000 usd 2024-02-01 2024-03-01'])
    t.strictSame(await linesOf('org:past', '2024-01-31T23:59:59.999Z'), ['calls@demo@0 150 1050 usd 2024-01-01 2024-02-01'])
    await api.report('org:past', 'feature:calls', 50, { at: '2024-01-20T00:00:00Z' })
    t.strictSame(await linesOf('org:past', '2024-01-01T00:00:00Z'), ['calls@demo@0 200 1100 usd 2024-01-01 2024-02-01'])
    t.strictSame(await linesOf('org:past'), ['calls@demo@0 101 1001 usd 2024-03-01 2024-04-01'])
  })

  await t.test('a fee is owed for its interval, from its first moment; each line is rounded, half a unit up', async t => {
    await subscribed('org:fees', 'plan:seat@0', 'plan:yearly@0')
    await api.on('2024-02-01')
    const cost = await costOf('org:fees')
    t.strictSame(shown(cost), [
      'desk@seat@0 1 1 usd 2024-02-01 2024-03-01', 'seat@seat@0 1 1001 usd 2024-02-01 2024-03-01', 'sso@seat@0 1 0 usd 2024-02-01 2024-03-01',
      'seat@yearly@0 1 12000 usd 2024-01-01 2025-01-01'
    ])
    t.strictSame(cost.total, { usd: 13_002 }, 'the sum of what the lines say')
    t.hasStrict(cost.lines[1], { base: 1000.5, tiers: [] })
  })

  await t.test('two currencies are not added up', async t => {
    await subscribed('org:two', 'plan:graduated@0', 'plan:euro@0')
    await api.report('org:two', 'feature:calls', 3)
    await api.report('org:two', 'feature:exports', 9)
    t.hasStrict(await costOf('org:two'), { lines: [{ currency: 'usd', amount: 6 }, { currency: 'eur', amount: 2 }], total: { eur: 2, usd: 6 } })
  })

  await t.test('of several plans with one feature, the one that decides the limit prices the usage; the others are owed their base', async t => {
    await subscribed('org:several', 'plan:small@0', 'plan:boost@0', 'plan:demo@0')
    await api.report('org:several', 'feature:calls', 120)
    t.strictSame(await linesOf('org:several'), [
      'calls@small@0 0 30 usd 2024-01-01 2024-02-01', 'calls@boost@0 0 500 usd 2024-01-01 2024-02-01',
      'calls@demo@0 120 1020 usd 2024-01-01 2024-02-01'
    ], 'what is unlimited decides, and the add-on raises the limit, not the price')
    await subscribed('org:added', 'plan:small@0', 'plan:boost@0')
    await api.report('org:added', 'feature:calls', 40)
    t.strictSame(await linesOf('org:added'), ['calls@small@0 40 350 usd 2024-01-01 2024-02-01', 'calls@boost@0 0 500 usd 2024-01-01 2024-02-01'])
  })
}
