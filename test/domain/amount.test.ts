import fc from 'fast-check'
import { test } from 'tap'
import {
  AMOUNT_LIMIT, amountFromNumeric, amountOf, amountText, ceilAmount, floorAmount, parseAmount, WHOLE
} from '../../src/domain/amount.ts'
import { TollgateError } from '../../src/errors.ts'

function refusal (input: number | string, pointer = '/n'): unknown {
  try {
    return { accepted: amountText(parseAmount(input, pointer)) }
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error
    return [error.code, error.message, error.problems[0]?.pointer]
  }
}

test('numbers mean what they say, to the last digit', async t => {
  const cases: Array<[number, string]> = [
    [0, '0'], [-0, '0'], [1, '1'], [-1, '-1'], [10, '10'], [0.1, '0.1'], [-0.1, '-0.1'], [1.5, '1.5'], [100.25, '100.25'],
    [1e-7, '0.0000001'], [1.5e-7, '0.00000015'], [1e-9, '0.000000001'], [-1e-9, '-0.000000001'], [123456.789012345, '123456.789012345'],
    [999_999_999_999_999, '999999999999999'], [-999_999_999_999_999, '-999999999999999'], [0.999999999, '0.999999999'],
    [1e15, '1000000000000000'], [1e20, '100000000000000000000'], [1e21, '1000000000000000000000'],
    [1.5e27, '1500000000000000000000000000'], [9.99999999999999e27, '9999999999999990000000000000']
  ]
  for (const [input, text] of cases) t.equal(amountText(parseAmount(input, '/n')), text)
})

test('strings mean what they say, up to 28 digits', async t => {
  const cases: Array<[string, string]> = [
    ['0', '0'], ['-0', '0'], ['-0.000', '0'], ['007', '7'], ['1.50', '1.5'], ['-12.5', '-12.5'], ['0.000000001', '0.000000001'],
    ['1.0000000000000', '1'], ['9999999999999999999999999999', '9999999999999999999999999999'],
    ['1234567890123456789.123456789', '1234567890123456789.123456789'], ['0.1000000000', '0.1'],
    ['0000000000000000000000000000000000000001', '1'], ['9007199254740993', '9007199254740993']
  ]
  for (const [input, text] of cases) t.equal(amountText(parseAmount(input, '/n')), text, input)
})

test('what cannot be exact is refused, with the field and the reason', async t => {
  const number = 'n must have at most 15 significant digits as a number; send more as a string'
  const form = 'n must be a number or a decimal string such as "12.5"'
  const cases: Array<[number | string, string]> = [
    [NaN, 'n must be a finite number'], [Infinity, 'n must be a finite number'], [-Infinity, 'n must be a finite number'],
    [1234567890123456, number], [9007199254740992, number], [0.1 + 0.2, number], [1.0000000000000002, number],
    [1e-10, 'n must have at most 9 decimals'], [0.1234567891, 'n must have at most 9 decimals'], [5e-324, 'n must have at most 9 decimals'],
    [1e28, 'n must be less than 10^28'], [-1e28, 'n must be less than 10^28'], [1e300, 'n must be less than 10^28'],
    ['10000000000000000000000000000', 'n must have at most 28 digits'], ['12345678901234567890.123456789', 'n must have at most 28 digits'],
    ['0.1234567891', 'n must have at most 9 decimals'],
    ['', form], [' 1', form], ['1 ', form], ['+1', form], ['1e3', form], ['.5', form], ['5.', form], ['1,5', form], ['0x10', form],
    ['NaN', form], ['--1', form], ['1\n', form], ['١', form], ['1_000', form], ['0'.repeat(41), form], ['9'.repeat(100_000), form]
  ]
  for (const [input, message] of cases) t.same(refusal(input), ['invalid_amount', message, '/n'], String(input).slice(0, 50))
  t.same(refusal('x', '?limit'), ['invalid_amount', 'limit must be a number or a decimal string such as "12.5"', '?limit'])
})

test('0.1 + 0.2 is 0.3', async t => {
  t.equal(amountText(parseAmount(0.1, '/n') + parseAmount(0.2, '/n')), '0.3')
  let sum = 0n
  for (let i = 0; i < 1000; i++) sum += parseAmount(0.001, '/n')
  t.equal(amountText(sum), '1')
})

/** Digits and where the point is: an amount, written by hand. */
const decimal = fc.tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** 28n - 1n }), fc.nat(9))
  .map(([minus, digits, decimals]) => {
    const text = digits.toString().padStart(decimals + 1, '0')
    const point = text.length - decimals
    return { minus, digits, decimals, text: `${minus ? '-' : ''}${text.slice(0, point)}${decimals > 0 ? '.' : ''}${text.slice(point)}` }
  })

test('a decimal string is its digits times a power of ten, and its text is read back as the same amount', async t => {
  fc.assert(fc.property(decimal, ({ minus, digits, decimals, text }) => {
    const amount = parseAmount(text, '/n')
    const again = amountText(amount)
    return amount === (minus ? -1n : 1n) * digits * 10n ** BigInt(9 - decimals) && parseAmount(again, '/n') === amount &&
      /^(0|-?[1-9]\d*|-?(0|[1-9]\d*)\.\d*[1-9])$/.test(again)
  }), { numRuns: 3000 })
  t.pass()
})

test('a number is taken if it has 15 digits and 9 decimals, and then as JSON writes it', async t => {
  const number = fc.oneof(fc.double(), fc.tuple(fc.integer(), fc.integer({ min: -12, max: 30 })).map(([n, e]) => Number(`${n}e${e}`)),
    fc.tuple(fc.maxSafeInteger(), fc.nat(12)).map(([n, e]) => n / 10 ** e))
  fc.assert(fc.property(number, value => {
    // toPrecision is exact decimal arithmetic of the engine, independent of how the amount was read.
    const is15 = Number.isFinite(value) && Number(value.toPrecision(15)) === value
    const fits = is15 && Math.abs(value) < 1e28 && (Math.abs(value) > 1e20 || Number(value.toFixed(9)) === value)
    try {
      return Number(amountText(parseAmount(value, '/n'))) === value && fits
    } catch (error) {
      return error instanceof TollgateError && error.code === 'invalid_amount' && !fits
    }
  }), { numRuns: 5000 })
  t.pass()
})

test('what Postgres prints of a numeric(38,9) is read back exactly', async t => {
  t.equal(amountFromNumeric('0.000000000'), 0n)
  t.equal(amountFromNumeric('-0.500000000'), -WHOLE / 2n)
  t.equal(amountFromNumeric('12'), 12n * WHOLE)
  t.equal(amountFromNumeric('12.5'), 12n * WHOLE + WHOLE / 2n)
  const within = fc.bigInt({ min: -AMOUNT_LIMIT + 1n, max: AMOUNT_LIMIT - 1n })
  fc.assert(fc.property(within, amount => {
    const magnitude = (amount < 0n ? -amount : amount).toString().padStart(10, '0')
    const printed = `${amount < 0n ? '-' : ''}${magnitude.slice(0, -9)}.${magnitude.slice(-9)}`
    return amountFromNumeric(printed) === amount && amountFromNumeric(amountText(amount)) === amount
  }), { numRuns: 3000 })
})

test('where the wire is whole, used is rounded up and a limit down', async t => {
  const cases: Array<[string, string, string]> = [
    ['0', '0', '0'], ['2', '2', '2'], ['2.1', '3', '2'], ['2.999999999', '3', '2'], ['0.000000001', '1', '0'], ['-2', '-2', '-2'],
    ['-2.5', '-2', '-3'], ['-0.000000001', '0', '-1']
  ]
  for (const [text, up, down] of cases) {
    t.same([ceilAmount(parseAmount(text, '/n')), floorAmount(parseAmount(text, '/n'))].map(amountText), [up, down], text)
  }
})

test('a whole number of units is 10^9 parts', async t => {
  t.equal(amountOf(1), WHOLE)
  t.equal(amountOf(-3), -3n * 1_000_000_000n)
  t.equal(amountOf(2n ** 63n - 1n), 9_223_372_036_854_775_807_000_000_000n)
})
