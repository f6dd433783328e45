import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { test } from 'tap'
import { type Amount, amountText } from '../../src/domain/amount.ts'
import { ExactNumber } from '../../src/domain/decimal.ts'
import { toJson } from '../../src/plugins/json.ts'

/** -0 is 0 in JSON as everyone writes it. */
const json = fc.jsonValue({ maxDepth: 5 }).map(value => JSON.parse(JSON.stringify(value)) as unknown)

test('what JSON can say is read back as it was', async t => {
  fc.assert(fc.property(json, value => isDeepStrictEqual(JSON.parse(toJson(value)), value)), { numRuns: 2_000 })
  t.pass('all of it')
})

test('without amounts it writes what JSON.stringify writes', async t => {
  fc.assert(fc.property(json, value => toJson(value) === JSON.stringify(value)), { numRuns: 2_000 })
  for (const value of [undefined, { a: undefined, b: 1 }, [undefined], NaN, -Infinity, { toString: 1 }, Object.create(null), '\u2028\ud800"\\\n']) {
    t.equal(toJson(value), JSON.stringify(value) ?? 'null')
  }
})

test('an amount is written digit by digit, wherever it stands', async t => {
  const cases: Array<[Amount, string]> = [
    [0n, '0'], [1n, '0.000000001'], [-1n, '-0.000000001'], [100_000_000n, '0.1'], [1_500_000_000n, '1.5'], [-1_500_000_000n, '-1.5'],
    [9_223_372_036_854_775_807n * 10n ** 9n, '9223372036854775807'],
    [9_007_199_254_740_993n * 10n ** 9n, '9007199254740993'],
    [9_999_999_999_999_999_999_999_999_999n * 10n ** 9n, '9999999999999999999999999999'],
    [1_234_567_890_123_456_789_123_456_789n, '1234567890123456789.123456789']
  ]
  for (const [amount, text] of cases) {
    t.equal(toJson(amount), text)
    t.equal(toJson({ used: amount, limit: null, list: [amount, null] }), `{"used":${text},"limit":null,"list":[${text},null]}`)
  }
})

test('every amount is a JSON number of plain digits that means exactly it', async t => {
  const amounts = fc.bigInt({ min: -(10n ** 37n), max: 10n ** 37n })
  fc.assert(fc.property(amounts, amount => {
    const text = toJson(amount)
    const [whole = '', fraction = ''] = text.split('.')
    const exact = BigInt(whole + fraction.padEnd(9, '0'))
    return /^-?(0|[1-9]\d*)(\.\d{0,8}[1-9])?$/.test(text) && exact === amount && text === amountText(amount)
  }), { numRuns: 5_000 })
  t.pass('all of them')
})

test('a number of more digits than a float keeps is written as it is', async t => {
  t.equal(toJson({ amount: new ExactNumber('152415787531961603.446913581219672002468') }), '{"amount":152415787531961603.446913581219672002468}')
})
