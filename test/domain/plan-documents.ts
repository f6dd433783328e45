import fc from 'fast-check'
import { decimalOf } from '../../src/domain/decimal.ts'
import { anyCodePoint } from '../fixtures/code-point.ts'

/** Plan documents of every form that push takes, with what goes without saying said, left out, or null. */

type Json = Record<string, unknown>

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null | undefined> => fc.oneof(value, fc.constantFrom(null, undefined))
/** In plain letters, in what people write, and in any code points whatever. */
const text = (pattern: RegExp, minLength: number, maxLength: number): fc.Arbitrary<string> => fc.oneof(
  ...(['grapheme-ascii', 'grapheme', anyCodePoint] as const).map(unit => fc.string({ unit, minLength, maxLength }))
).filter(text => pattern.test(text) && text.length <= 240)

const title = fc.oneof(text(/^[^\p{Cc}\p{Cs}]*$/u, 0, 20), fc.constantFrom('Pro', '👩‍👩‍👧 Für 10 €/Monat', '"\\/', 'x'.repeat(240)))
const name = fc.oneof(
  fc.stringMatching(/^[a-zA-Z0-9:_-]{1,8}$/), text(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Zs}@]+$/u, 1, 8), fc.constantFrom('__proto__', 'é', 'e\u0301')
)
const version = fc.oneof(fc.nat(20).map(String), fc.stringMatching(/^[A-Za-z0-9._-]{1,8}$/))
const money = fc.oneof(
  fc.nat(1000), fc.nat(10 ** 6).map(n => n / 10 ** 6), fc.nat(10 ** 6).map(n => Number(`${n}e-12`)), fc.constantFrom(1e21, 1.5e300),
  fc.double({ min: 0, max: 10 ** 9, noNaN: true }).filter(value => decimalOf(value).decimals <= 12)
)
const boundsOf = fc.uniqueArray(fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 10 ** 15 - 1 })), { maxLength: 4 })
const tiersOf = fc.tuple(boundsOf, fc.boolean()).chain(([bounds, open]) => {
  const uptos = [...bounds.sort((a, b) => a - b), ...(open ? [undefined] : [])]
  return fc.tuple(...uptos.map(upto => fc.record({ upto: fc.constant(upto), price: optional(money), base: optional(fc.nat(500)) })))
})
const by = fc.oneof(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }))
const divide = optional(fc.record({ by, rounding: optional(fc.constantFrom('up', 'down', '')) }))
const combine = optional(fc.constantFrom('highest', 'sum', ''))
const noTiers = fc.constantFrom(null, [])
const counted = {
  type: fc.constant('metered'),
  title: optional(title),
  mode: optional(fc.constantFrom('graduated', 'volume')),
  aggregate: optional(fc.constantFrom('sum', 'count', 'max', 'last')),
  reset: optional(fc.constantFrom('hour', 'day', 'week', 'month', 'quarter', 'year', 'never')),
  overage: optional(fc.boolean()),
  combine,
  divide
}
const metered = fc.record({ ...counted, tiers: tiersOf })
const unpriced = fc.record({ ...counted, tiers: noTiers, base: optional(money) })
const perpetual = fc.record({ tiers: fc.constant([{}]), aggregate: fc.constant('perpetual'), reset: optional(fc.constantFrom('never', '')) })
const type = optional(fc.constantFrom('boolean', ''))
const boolean = fc.record({ type, title: optional(title), base: optional(money), tiers: noTiers, combine, divide })
const plan = fc.record({
  title: optional(title),
  currency: optional(fc.constantFrom('usd', 'eur', 'jpy')),
  interval: optional(fc.constantFrom('@daily', '@weekly', '@monthly', '@quarterly', '@yearly')),
  addon: optional(fc.boolean()),
  anchor: optional(fc.constantFrom('subscription', 'calendar')),
  features: fc.dictionary(
    name.map(name => `feature:${name}`), fc.oneof(boolean, metered, unpriced, perpetual), { minKeys: 1, maxKeys: 3, noNullPrototype: true }
  )
})

/** As they arrive: read from JSON. */
export const planDocuments: fc.Arbitrary<Json> = fc.record({
  plans: fc.dictionary(fc.tuple(name, version).map(([name, version]) => `plan:${name}@${version}`), plan, { maxKeys: 3, noNullPrototype: true })
}).map(document => JSON.parse(JSON.stringify(document)) as Json)
