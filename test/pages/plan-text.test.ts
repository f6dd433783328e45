import t from 'tap'
import { parsePlans, type PlanFeature } from '../../src/domain/plan.ts'
import { fixedPrice, hasUsagePrice, limitText, moneyText, rateText, tierNote, tierRows } from '../../src/pages/plan-text.ts'

function feature (document: object, interval = '@monthly'): PlanFeature {
  const [parsed] = parsePlans({ plans: { 'plan:x@1': { interval, features: { 'feature:a': document } } } })
  if (parsed?.ok !== true) throw new Error('that is no plan')
  return parsed.plan.features[0] as PlanFeature
}

t.test('money: minor units in the currency\'s own, and prices far below one of them', async t => {
  const cases: Array<[minor: number, currency: string, text: string]> = [
    [0, 'usd', '$0'], [1999, 'usd', '$19.99'], [2000, 'usd', '$20'], [1950, 'eur', '€19.50'], [1999, 'jpy', '¥1,999'], [0.5, 'jpy', '¥0.5'],
    [1999, 'kwd', 'KWD 1.999'], [1999, 'xyz', 'XYZ 19.99'], [0.02, 'usd', '$0.0002'], [0.000000000001, 'usd', '$0.00000000000001'],
    [12345678901234, 'usd', '$123,456,789,012.34'], [0.1 + 0.2, 'usd', '$0.003']
  ]
  for (const [minor, currency, text] of cases) t.equal(moneyText(minor, currency).replace('\u00a0', ' '), text)
})

t.test('limits', async t => {
  const cases: Array<[document: object, text: string]> = [
    [{}, 'Included'],
    [{ tiers: [{}] }, 'Unlimited'],
    [{ type: 'metered' }, 'Unlimited'],
    [{ tiers: [{ upto: 1000 }] }, 'Up to 1,000 per month'],
    [{ tiers: [{ upto: 1000 }], reset: 'day' }, 'Up to 1,000 per day'],
    [{ tiers: [{ upto: 5 }], aggregate: 'perpetual' }, 'Up to 5'],
    [{ tiers: [{ upto: 1000 }], overage: true }, '1,000 per month, then more'],
    [{ tiers: [{ upto: 999_999_999_999_999 }] }, 'Up to 999,999,999,999,999 per month']
  ]
  for (const [document, text] of cases) t.equal(limitText(feature(document)), text)
})

t.test('one price in a few words, several in a table', async t => {
  const rate = (document: object): string | null => rateText(feature(document).price, 'usd')
  t.equal(rate({ tiers: [{ upto: 10 }] }), null)
  t.equal(rate({ tiers: [{ price: 2 }] }), '$0.02 each')
  t.equal(rate({ tiers: [{ price: 2, base: 500 }] }), '$0.02 each and $5 once used')
  t.equal(rate({ tiers: [{ base: 500 }] }), '$5 once used')
  t.equal(rate({ tiers: [{ price: 2 }], divide: { by: 1000, rounding: 'up' } }), '$0.02 per 1,000')
  t.equal(rate({ tiers: [{ upto: 10 }, { price: 2 }] }), null)

  const tiers = [{ upto: 10 }, { upto: 2000, price: 2 }, { price: 1, base: 500 }]
  const { price } = feature({ mode: 'volume', tiers, divide: { by: 5, rounding: 'up' } })
  t.strictSame(tierRows(price, 'usd'), [
    { units: '1 to 10', price: 'free', base: null },
    { units: '11 to 2,000', price: '$0.02', base: null },
    { units: '2,001 and more', price: '$0.01', base: '$5' }
  ])
  t.equal(tierNote(price), 'All units are charged at the price of the tier that is reached. Sold by 5; a part of that is charged as a whole.')
  t.equal(tierNote(feature({ tiers: [{ upto: 1 }, { base: 1 }] }).price), 'Each unit is charged at the price of its own tier.')
  t.strictSame(tierRows(feature({ tiers: [{ upto: 10 }, { upto: 20 }] }).price, 'usd'), [], 'none where all is free')
})

t.test('what is due whatever is used, and whether use costs', async t => {
  const seat = feature({ base: 1000.5 })
  const calls = feature({ tiers: [{ upto: 10 }, { price: 1 }] })
  const free = feature({ tiers: [{ upto: 10 }] })
  t.equal(fixedPrice([seat, calls, seat]), 2001)
  t.strictSame([hasUsagePrice([seat, free]), hasUsagePrice([free, calls])], [false, true])
})

t.end()
