import fc from 'fast-check'
import { test } from 'tap'
import { type Amount, amountText, parseAmount } from '../../src/domain/amount.ts'
import { type Divide, parsePlans, type Price, type Tier } from '../../src/domain/plan.ts'
import { type Charge, charge, minorUnits, moneyOf, moneyText } from '../../src/domain/price.ts'
import { Fraction, NOTHING, ONE } from './fraction.ts'

/** The price of a feature, as a plan document has it. */
function priceOf (members: object): Price {
  const [parsed] = parsePlans({ plans: { 'plan:x@0': { features: { 'feature:y': members } } } })
  if (parsed?.ok !== true) throw new Error('the plan was refused')
  return parsed.plan.features[0]?.price as Price
}

const chargeOf = (members: object, quantity: number | string): Charge => charge(priceOf(members), parseAmount(quantity, '/n'))
const cost = (members: object, quantity: number | string): string => moneyText(chargeOf(members, quantity).amount)
/** `quantity[/packs] amount` of each tier. */
const shown = ({ tiers }: Charge): string[] => tiers.map(({ quantity, packs, amount }) =>
  `${amountText(quantity)}${packs === null ? '' : `/${packs}`} ${moneyText(amount)}`)

const FALLING = [{ upto: 10, price: 2 }, { price: 1 }]

test('the worked examples of Tier', async t => {
  t.equal(cost({ tiers: FALLING }, 15), '25', '15 units, graduated: 10 at 2 and 5 at 1')
  t.equal(cost({ tiers: FALLING, mode: 'volume' }, 15), '15', '15 units, volume: all at 1')
  t.equal(cost({ tiers: [{ price: 2 }], divide: { by: 3, rounding: 'up' } }, 100), '68', '100 units in packs of 3: 34 packs at 2')
  t.equal(cost({ tiers: [{ base: 1000 }] }, 99), '1000', 'a flat fee, whatever is used')
  t.equal(cost({ base: 31_000 }, 1), '31000')
  const pro = { tiers: [{ upto: 100, base: 1000 }, { price: 1 }] }
  t.strictSame([0, 1, 100, 101, 150].map(used => cost(pro, used)), ['1000', '1000', '1000', '1001', '1050'], 'the demo: 10 a month with 100 in it')
})

test("Stripe's worked examples: 7, 6.5 and 6 for up to 5, up to 10 and more", async t => {
  const tiers = [{ upto: 5, price: 700 }, { upto: 10, price: 650 }, { price: 600 }]
  t.strictSame([1, 5, 6, 20, 25].map(used => cost({ tiers, mode: 'volume' }, used)), ['700', '3500', '3900', '12000', '15000'])
  t.strictSame([1, 5, 6, 20, 25].map(used => cost({ tiers }, used)), ['700', '3500', '4150', '12750', '15750'])
  t.strictSame([0, 1, 3, 5, 6, 7].map(used => cost({ tiers: [{ price: 1000 }], divide: { by: 5, rounding: 'up' } }, used)),
    ['0', '1000', '1000', '1000', '2000', '2000'])
})

test('graduated: each tier has its units, and its base once the first part of a unit lies in it', async t => {
  const tiers = [{ upto: 10, price: 2, base: 5 }, { upto: 20, price: 1, base: 7 }, { price: 0.5, base: 100 }]
  const cases: Array<[used: number, lines: string[]]> = [
    [0, ['0 5']], [10, ['10 25']], [10.000000001, ['10 25', '0.000000001 7.000000001']], [12.5, ['10 25', '2.5 9.5']],
    [20, ['10 25', '10 17']], [21, ['10 25', '10 17', '1 100.5']]
  ]
  for (const [used, lines] of cases) t.strictSame(shown(chargeOf({ tiers }, used)), lines, String(used))
})

test('volume: all units have the price and the base of the tier that holds the total', async t => {
  const tiers = [{ upto: 10, price: 2, base: 5 }, { upto: 20, price: 1 }, { price: 0.5, base: 100 }]
  const cases: Array<[used: number, lines: string[]]> = [
    [0, ['0 5']], [10, ['10 25']], [10.5, ['10.5 10.5']], [20, ['20 20']], [21, ['21 110.5']]
  ]
  for (const [used, lines] of cases) t.strictSame(shown(chargeOf({ tiers, mode: 'volume' }, used)), lines, String(used))
})

test('the last tier prices what lies beyond its bound, too', async t => {
  t.strictSame(shown(chargeOf({ tiers: [{ upto: 10, price: 2 }] }, 15)), ['15 30'])
  t.strictSame(shown(chargeOf({ tiers: [{ upto: 10, price: 2 }, { upto: 12, price: 1 }] }, 15)), ['10 20', '5 5'])
  t.strictSame(shown(chargeOf({ mode: 'volume', tiers: [{ upto: 10, price: 2 }, { upto: 12, price: 1 }] }, 15)), ['15 15'])
})

test('packs are counted within each tier; one that is not full is free unless rounding is up', async t => {
  const tiers = [{ upto: 10, price: 2 }, { price: 1, base: 4 }]
  t.strictSame(shown(chargeOf({ tiers, divide: { by: 3, rounding: 'up' } }, 15)), ['10/4 8', '5/2 6'])
  t.strictSame(shown(chargeOf({ tiers, divide: { by: 3 } }, 15)), ['10/3 6', '5/1 5'])
  t.strictSame(shown(chargeOf({ tiers, mode: 'volume', divide: { by: 4, rounding: 'up' } }, 15)), ['15/4 8'])
  const one = (rounding: string, used: number): string => cost({ tiers: [{ price: 1 }], divide: { by: 3, rounding } }, used)
  t.strictSame([0, 0.000000001, 2.9, 3, 3.1].map(used => one('up', used)), ['0', '1', '1', '1', '2'])
  t.strictSame([0, 0.000000001, 2.9, 3, 3.1].map(used => one('down', used)), ['0', '0', '0', '1', '1'])
})

test('without tiers it costs its base, however much was used, to the last decimal', async t => {
  for (const used of [0, 1, 1e20]) t.equal(cost({ base: 1000.123456789012 }, used), '1000.123456789012')
  t.strictSame(chargeOf({ base: 5 }, 1).tiers, [])
  t.equal(cost({ base: 0.1 }, 1), '0.1')
  t.equal(cost({}, 1), '0')
})

test('nothing is rounded on the way, with 12 decimals and more than 10^19 units', async t => {
  t.equal(cost({ tiers: [{ price: 0.000000000001 }] }, '10000000000000000001'), '10000000.000000000001')
  t.equal(cost({ tiers: [{ price: 0.123456789012 }] }, '1234567890123456789.123456789'), '152415787531961603.446913581219672002468')
  t.equal(cost({ tiers: [{ price: 0.1 }] }, 3), '0.3')
  t.equal(cost({ tiers: [{ price: 1e-12 }] }, 0.000000001), '0.000000000000000000001')
  t.equal(cost({ tiers: [{ price: 1e21 }] }, 1e20), `1${'0'.repeat(41)}`)
  const far = [{ upto: 999_999_999_999_999, price: 0.3, base: 1 }, { price: 0.7, base: 2 }]
  t.equal(cost({ tiers: far }, '9999999999999999999999999999'), '6999999999999600000000000002.7')
})

test('a line is rounded to whole minor units, half a unit up', async t => {
  const cases: Array<[number, bigint]> = [[0, 0n], [0.499999999999, 0n], [0.5, 1n], [1.4, 1n], [1.5, 2n], [2.5, 3n], [1e21, 10n ** 21n]]
  for (const [money, whole] of cases) t.equal(minorUnits(moneyOf(money)), whole, String(money))
  t.equal(minorUnits(chargeOf({ tiers: [{ price: 0.05 }] }, 30).amount), 2n, "Stripe's example: 30 at 0.05 are 1.5, so 2")
})

/** A number of at most 15 digits, with the fraction that it means: nothing has to be read from it again. */
const exact = (digitsMax: number, decimalsMax: number) => fc.tuple(fc.nat(digitsMax), fc.nat(decimalsMax))
  .map(([digits, decimals]) => ({ value: Number(`${digits}e-${decimals}`), means: new Fraction(BigInt(digits), 10n ** BigInt(decimals)) }))
type Exact = ReturnType<typeof exact> extends fc.Arbitrary<infer T> ? T : never

interface TierModel {
  readonly bound: number | null
  readonly price: Exact
  readonly base: number
}

const prices = fc.oneof(exact(1000, 3), exact(10 ** 15 - 1, 12))
const modelsOf = (boundMax: number): fc.Arbitrary<TierModel[]> =>
  fc.tuple(fc.uniqueArray(fc.integer({ min: 1, max: boundMax }), { minLength: 1, maxLength: 5 }), fc.boolean()).chain(([bounds, open]) => {
    const rising: Array<number | null> = bounds.sort((a, b) => a - b)
    const uptos = open ? [...rising.slice(1), null] : rising
    const base = fc.oneof(fc.constant(0), fc.nat(10_000))
    return fc.tuple(...uptos.map(bound => fc.record({ bound: fc.constant(bound), price: prices, base })))
  })
const divides = fc.option(fc.record({ by: fc.integer({ min: 1, max: 50 }), rounding: fc.constantFrom('up', 'down') }), { nil: undefined })
const quantities = fc.oneof(
  fc.nat(40).map(BigInt).map(n => n * 10n ** 9n),
  fc.bigInt({ min: 0n, max: 60n * 10n ** 9n }),
  fc.bigInt({ min: 0n, max: 10n ** 28n * 10n ** 9n - 1n })
)

function priceFrom (mode: Price['mode'], models: readonly TierModel[], divide?: Divide): Price {
  const tiers: Tier[] = models.map(({ bound, price, base }) => ({ upto: bound, price: price.value, base }))
  return { mode, base: 0, tiers, ...(divide !== undefined && { divide }) }
}

/** The same figures once more, in rationals, from the whole down: what exceeds a bound is taken off the tier below. */
function reckoned (mode: Price['mode'], models: readonly TierModel[], quantity: Amount, divide?: Divide): Fraction {
  const used = new Fraction(quantity, 10n ** 9n)
  const above = (bound: Fraction): Fraction => used.exceeds(bound) ? used.minus(bound) : NOTHING
  const floors = models.map((_, i) => new Fraction(BigInt(models[i - 1]?.bound ?? 0)))
  const reached = models.filter((_, i) => i === 0 || used.exceeds(floors[i] as Fraction))
  const billed = (units: Fraction): Fraction => {
    if (divide === undefined) return units
    const full = units.times(new Fraction(1n, BigInt(divide.by)))
    return divide.rounding === 'up' && full.exceeds(full.whole) ? full.whole.plus(ONE) : full.whole
  }
  const priced = ({ price, base }: TierModel, units: Fraction): Fraction =>
    billed(units).times(price.means).plus(new Fraction(BigInt(base)))
  if (mode === 'volume') return priced(reached.at(-1) as TierModel, used)
  return reached.map((model, i) => {
    const next = reached[i + 1] === undefined ? NOTHING : above(floors[i + 1] as Fraction)
    return priced(model, above(floors[i] as Fraction).minus(next))
  }).reduce((sum, part) => sum.plus(part), NOTHING)
}

const modes = fc.constantFrom('graduated', 'volume')

test('prices agree exactly with a second computation in rationals, over random tiers', async t => {
  fc.assert(fc.property(modes, fc.oneof(modelsOf(30), modelsOf(10 ** 15 - 1)), quantities, divides, (mode, models, quantity, divide) => {
    const { amount } = charge(priceFrom(mode, models, divide), quantity)
    return Fraction.read(moneyText(amount)).equals(reckoned(mode, models, quantity, divide))
  }), { numRuns: 5_000 })
  t.pass('all of them')
})

test('whole units of graduated tiers, charged one by one, come to the same', async t => {
  fc.assert(fc.property(modelsOf(30), fc.nat(60), (models, used) => {
    let sum = new Fraction(BigInt(models[0]?.base ?? 0))
    for (let unit = 1; unit <= used; unit += 1) {
      const found = models.findIndex(({ bound }) => bound === null || unit <= bound)
      const at = found === -1 ? models.length - 1 : found
      const model = models[at] as TierModel
      sum = sum.plus(model.price.means)
      if (at > 0 && unit === (models[at - 1]?.bound ?? 0) + 1) sum = sum.plus(new Fraction(BigInt(model.base)))
    }
    return Fraction.read(moneyText(charge(priceFrom('graduated', models), BigInt(used) * 10n ** 9n).amount)).equals(sum)
  }), { numRuns: 1_000 })
  t.pass('all of them')
})

test('graduated, more never costs less; volume, within one tier', async t => {
  fc.assert(fc.property(modes, modelsOf(30), quantities, quantities, divides, (mode, models, one, other, divide) => {
    const price = priceFrom(mode, models, divide)
    const [less, more] = one < other ? [one, other] : [other, one]
    const [a, b] = [charge(price, less), charge(price, more)]
    const comparable = mode === 'graduated' || a.tiers[0]?.tier === b.tiers[0]?.tier
    return !comparable || a.amount <= b.amount
  }), { numRuns: 2_000 })
  t.pass('all of them')
})

test('a charge is the sum of its tiers, whose quantities are the whole', async t => {
  fc.assert(fc.property(modes, modelsOf(30), quantities, divides, (mode, models, quantity, divide) => {
    const { tiers, amount } = charge(priceFrom(mode, models, divide), quantity)
    const sum = (of: 'amount' | 'quantity'): bigint => tiers.reduce((sum, tier) => sum + tier[of], 0n)
    return sum('amount') === amount && sum('quantity') === quantity
  }), { numRuns: 2_000 })
  t.pass('all of them')
})

test('one tier costs the same in both modes', async t => {
  const [graduated, volume] = (['graduated', 'volume'] as const).map(mode => (models: TierModel[], quantity: Amount) =>
    charge(priceFrom(mode, models.slice(0, 1)), quantity).amount)
  fc.assert(fc.property(modelsOf(30), quantities, (models, quantity) => graduated?.(models, quantity) === volume?.(models, quantity)))
  t.pass('all of them')
})
