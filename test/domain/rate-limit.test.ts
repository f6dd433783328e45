import fc from 'fast-check'
import { test } from 'tap'
import { AMOUNT_LIMIT, amountOf, parseAmount } from '../../src/domain/amount.ts'
import { remaining } from '../../src/domain/counter.ts'
import { type Quota, type RateLimit, rateLimitOf } from '../../src/domain/rate-limit.ts'

const START = Date.parse('2024-03-01T00:00:00Z')
const END = Date.parse('2024-04-01T00:00:00Z')
const DAY_SECONDS = 86_400

function told (changes: Partial<Quota> = {}, now = Date.parse('2024-03-31T00:00:00Z')): RateLimit | undefined {
  const quota = { feature: 'feature:calls', ok: true, limit: amountOf(1000), remaining: amountOf(997), window: { start: START, end: END } }
  return rateLimitOf({ ...quota, ...changes }, now)
}

test('the limit with its window, and what remains with the seconds to the reset', async t => {
  t.strictSame(told(), {
    policy: `"feature:calls";q=1000;w=${31 * DAY_SECONDS}`, limit: `"feature:calls";r=997;t=${DAY_SECONDS}`, retryAfterSeconds: undefined
  })
})

test('who is refused is told when to try again, and who is not is not', async t => {
  t.equal(told({ ok: false, remaining: 0n })?.retryAfterSeconds, DAY_SECONDS)
  t.equal(told({ ok: true, remaining: 0n })?.retryAfterSeconds, undefined, 'what adds nothing is allowed at the limit')
})

test('what never resets has no window, and nothing to wait for', async t => {
  t.strictSame(told({ ok: false, remaining: 0n, window: { start: 0, end: null } }), {
    policy: '"feature:calls";q=1000', limit: '"feature:calls";r=0', retryAfterSeconds: undefined
  })
})

test('where nothing is limited, nothing is told', async t => {
  t.equal(told({ limit: null, remaining: null }), undefined, 'unlimited')
  t.equal(told({ limit: null, remaining: null, window: null }), undefined, 'access or not')
  t.equal(told({ limit: 0n, remaining: 0n, window: null }), undefined, 'not held')
})

test('figures are whole, and never more than there is', async t => {
  const fraction = told({ limit: parseAmount('10.9', '/n'), remaining: parseAmount('0.999999999', '/n') })
  t.match(fraction, { policy: /;q=10;/, limit: /;r=0;/ })
  const greatest = AMOUNT_LIMIT - 1n
  t.match(told({ limit: greatest, remaining: greatest }), { policy: /;q=999999999999999;/, limit: /;r=999999999999999;/ }, 'as large as they may be')
})

test('seconds are rounded up: whoever waits that long does not come too early', async t => {
  t.match(told({ ok: false }, END - 1), { limit: /;t=1$/, retryAfterSeconds: 1 })
  t.match(told({ ok: false }, END - 1_001), { limit: /;t=2$/, retryAfterSeconds: 2 })
  t.match(told({ window: { start: END - 1, end: END } }, END - 1), { policy: /;w=1$/ }, 'a window is never of no length')
})

test('a name is text that every client reads, and no two features share one', async t => {
  const names: Array<[feature: string, name: string]> = [
    ['feature:a/b.c_d-e', 'feature:a/b.c_d-e'], ['feature:"x"', 'feature:%22x%22'], ['feature:\\', 'feature:%5C'],
    ['feature:größe', 'feature:gr%C3%B6%C3%9Fe'], ['feature:%22x%22', 'feature:%2522x%2522'], ['feature:🚀', 'feature:%F0%9F%9A%80']
  ]
  for (const [feature, name] of names) t.ok(told({ feature })?.limit.startsWith(`"${name}";r=997`), feature)
})

test('whatever the quota is, both fields are lists of one string with integers (RFC 9651)', async t => {
  const integer = '\\d{1,15}'
  const name = '"[ !#-\\[\\]-~]*"'
  const whole = fc.bigInt({ min: 0n, max: AMOUNT_LIMIT - 1n })
  fc.assert(fc.property(
    fc.string({ unit: 'grapheme' }), whole, whole, fc.boolean(), fc.option(fc.integer({ min: 1, max: 4e10 })), fc.nat(4e10),
    (feature, limit, used, ok, length, since) => {
      const quota = { feature, ok, limit, remaining: remaining(limit, used) }
      const window = { start: START, end: length === null ? null : START + length }
      const fields = rateLimitOf({ ...quota, window }, START + since % (length ?? 1)) as RateLimit
      t.match(fields.policy, new RegExp(`^${name};q=${integer}(;w=[1-9]\\d{0,14})?$`))
      t.match(fields.limit, new RegExp(`^${name};r=${integer}(;t=[1-9]\\d{0,14})?$`))
      t.equal(fields.retryAfterSeconds !== undefined, !ok && length !== null)
    }
  ), { numRuns: 200 })
})
