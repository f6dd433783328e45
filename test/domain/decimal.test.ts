import fc from 'fast-check'
import { test } from 'tap'
import { decimalOf, decimalText } from '../../src/domain/decimal.ts'

test('a number is the shortest text that means it', async t => {
  const cases: Array<[value: number, digits: bigint, decimals: number]> = [
    [0, 0n, 0], [-0, 0n, 0], [7, 7n, 0], [0.1, 1n, 1], [100.25, 10025n, 2], [1e-12, 1n, 12], [1.5e-7, 15n, 8], [1e21, 1n, -21],
    [1.25e22, 125n, -20], [5e-324, 5n, 324], [123456.789012345, 123456789012345n, 9]
  ]
  for (const [value, digits, decimals] of cases) t.strictSame(decimalOf(value), { digits, decimals }, String(value))
  fc.assert(fc.property(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), value => {
    const { digits, decimals } = decimalOf(value)
    return Object.is(Number(`${digits}e${-decimals}`), value === 0 ? 0 : value)
  }), { numRuns: 5_000 })
})

test('a scaled bigint is written in plain digits', async t => {
  const cases: Array<[scaled: bigint, decimals: number, text: string]> = [
    [0n, 3, '0'], [1n, 3, '0.001'], [-1n, 3, '-0.001'], [1500n, 3, '1.5'], [-12000n, 3, '-12'], [10n ** 40n + 1n, 21, `1${'0'.repeat(39)}1`.replace(/(\d{21})$/, '.$1')]
  ]
  for (const [scaled, decimals, text] of cases) t.equal(decimalText(scaled, decimals), text)
})
