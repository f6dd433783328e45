import fc from 'fast-check'
import { test } from 'tap'
import { type Amount, AMOUNT_LIMIT, amountOf, amountText, parseAmount } from '../../src/domain/amount.ts'
import { apply, type Counter, decide, EMPTY, type Op, over, remaining } from '../../src/domain/counter.ts'
import type { Aggregate, Grant } from '../../src/domain/entitlement.ts'
import { TollgateError } from '../../src/errors.ts'

const AGGREGATES: readonly Aggregate[] = ['sum', 'count', 'max', 'last', 'perpetual']

/** `5` and `-5` add, `=5` sets; `@3` is the instant, by default the position in the series. */
function op (text: string, position = 0): Op {
  const [, set, amount = '', at] = /^(=?)(-?[\d.]+)(?:@(\d+))?$/.exec(text) ?? []
  return { mode: set === '=' ? 'set' : 'add', amount: parseAmount(amount, '/n'), at: at === undefined ? position : Number(at) }
}

/** The total after each op of a series such as `5 3 -2 =7`. */
function totals (aggregate: Aggregate, series: string): string {
  let counter = EMPTY
  return series.split(' ').map((text, i) => {
    counter = apply(counter, aggregate, op(text, i)).counter
    return amountText(counter.used)
  }).join(' ')
}

function refusal (act: () => unknown): unknown {
  try {
    return { accepted: act() }
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error
    return [error.code, error.message, error.problems[0]?.pointer]
  }
}

function grant (members: Partial<Grant> = {}): Grant {
  const anchor = { at: 0, timeZone: 'UTC' }
  return { type: 'metered', limit: amountOf(10), overage: false, reset: 'month', aggregate: 'sum', anchor, subscriptions: [1], ...members }
}

function counter (used: number, reserved = 0, lastAt: number | null = null): Counter {
  return { used: amountOf(used), reserved: amountOf(reserved), version: 3, lastAt }
}

test('each aggregate adds up as its name says', async t => {
  const cases: Array<[Aggregate, string, string]> = [
    ['sum', '5 3 0 0.5', '5 8 8 8.5'],
    ['sum', '5 -2 -2', '5 3 1'],
    ['count', '5 3 0 0.5', '1 2 3 4'],
    ['max', '5 3 8 0', '5 5 8 8'],
    ['last', '5 3 8 0', '5 3 8 0'],
    ['perpetual', '5 3 8 0', '5 3 8 0']
  ]
  for (const [aggregate, series, expected] of cases) t.equal(totals(aggregate, series), expected, `${aggregate} of ${series}`)
})

test('a decrease never takes a total below zero, and what it could not take is not owed later', async t => {
  t.equal(totals('sum', '5 -8 3'), '5 0 3')
  t.equal(totals('sum', '-1 1'), '0 1')
})

test('last is by instant, not by arrival; at equal instants the later arrival wins', async t => {
  for (const aggregate of ['last', 'perpetual'] as const) {
    t.equal(totals(aggregate, '5@10 3@9 4@10 1@11'), '5 5 4 1')
    t.equal(totals(aggregate, '0@10 3@9'), '0 0', 'a zero report counts as one')
  }
})

test('a set is the total whatever was reported before it, by arrival', async t => {
  for (const aggregate of AGGREGATES) t.equal(totals(aggregate, '5 9 =2'), aggregate === 'sum' ? '5 14 2' : totals(aggregate, '5 9') + ' 2')
  t.equal(totals('sum', '5 =2 3 =0 1'), '5 2 5 0 1')
  t.equal(totals('count', '5 =7 1 1'), '1 7 8 9')
  t.equal(totals('max', '5 =2 1 3'), '5 2 2 3')
  t.equal(totals('last', '5@10 =2@4 3@3 4@4'), '5 2 2 4', 'also for what was used before it')
})

test('a negative amount is refused where it is not a decrease of a sum', async t => {
  for (const aggregate of ['count', 'max', 'last', 'perpetual'] as const) {
    t.same(refusal(() => apply(EMPTY, aggregate, op('-1'))),
      ['invalid_amount', `n must not be negative for a feature whose aggregate is ${aggregate}; decreases are for sum`, '/n'])
  }
  for (const aggregate of AGGREGATES) {
    t.same(refusal(() => apply(EMPTY, aggregate, op('=-1'))),
      ['invalid_amount', 'n must not be negative with clobber, which sets the total', '/n'])
  }
})

test('a total stays below 10^28', async t => {
  const full = { ...EMPTY, used: AMOUNT_LIMIT - 1n }
  t.equal(apply(full, 'sum', { mode: 'add', amount: 0n, at: 0 }).counter.used, AMOUNT_LIMIT - 1n)
  const refused = ['invalid_amount', 'n would raise the total to 10^28 or more', '/n']
  t.same(refusal(() => apply(full, 'sum', { mode: 'add', amount: 1n, at: 0 })), refused)
  t.same(refusal(() => apply(full, 'count', { mode: 'add', amount: 0n, at: 0 })), refused)
  t.same(refusal(() => apply(EMPTY, 'max', { mode: 'set', amount: AMOUNT_LIMIT, at: 0 })), refused)
})

test('an op changes used, the version and the last instant, and nothing else', async t => {
  const before = Object.freeze(counter(5, 2, 7))
  t.same(apply(before, 'sum', op('3@9')), { counter: { used: amountOf(8), reserved: amountOf(2), version: 4, lastAt: 9 }, delta: amountOf(3) })
  t.same(apply(before, 'sum', op('-9@6')), { counter: { used: 0n, reserved: amountOf(2), version: 4, lastAt: 7 }, delta: amountOf(-5) })
  t.same(apply(before, 'sum', op('=1@6')).counter.lastAt, 6)
})

/** The total, told from the whole list of ops at once: what the documents say, not how the counter does it. */
function recount (aggregate: Aggregate, ops: readonly Op[]): Amount {
  const lastSet = ops.map(({ mode }) => mode).lastIndexOf('set')
  const since = ops.slice(lastSet + 1)
  const start = ops[lastSet]?.amount ?? 0n
  if (aggregate === 'count') return start + amountOf(since.length)
  if (aggregate === 'max') return since.reduce((max, { amount }) => amount > max ? amount : max, start)
  if (aggregate === 'sum') return since.reduce((sum, { amount }) => sum + amount < 0n ? 0n : sum + amount, start)
  const values = [...ops.slice(Math.max(lastSet, 0), lastSet + 1), ...since].map((op, arrival) => ({ ...op, arrival }))
  return values.sort((a, b) => a.at - b.at || a.arrival - b.arrival).at(-1)?.amount ?? 0n
}

const anyAmount = fc.oneof(fc.nat(20).map(amountOf), fc.bigInt({ min: 0n, max: 10n ** 30n }))
const anyOp = fc.record({ mode: fc.constantFrom('add', 'add', 'add', 'set'), amount: anyAmount, at: fc.nat(10) }) as fc.Arbitrary<Op>
const decreases = anyOp.chain(op => fc.boolean().map(minus => minus && op.mode === 'add' ? { ...op, amount: -op.amount } : op))

test('a counter is what a recount of its ops gives, and the sum of the deltas', async t => {
  const series = fc.constantFrom(...AGGREGATES).chain(aggregate =>
    fc.tuple(fc.constant(aggregate), fc.array(aggregate === 'sum' ? decreases : anyOp, { maxLength: 20 })))
  fc.assert(fc.property(series, ([aggregate, ops]) => {
    let now = EMPTY
    let deltas = 0n
    for (const [i, next] of ops.entries()) {
      const applied = apply(now, aggregate, next)
      deltas += applied.delta
      now = applied.counter
      if (now.used !== recount(aggregate, ops.slice(0, i + 1))) return false
      if (now.used !== deltas || now.used < 0n || now.version !== i + 1) return false
    }
    return true
  }), { numRuns: 3000 })
  t.pass()
})

test('the verdict says why: the limit, overage, no limit, or that nothing is added', async t => {
  const cases: Array<[Grant | null, Counter, string, boolean, string]> = [
    [grant(), counter(0), '1', true, 'within_limit'],
    [grant(), counter(9), '1', true, 'within_limit'],
    [grant(), counter(9), '1.000000001', false, 'limit_reached'],
    [grant(), counter(10), '1', false, 'limit_reached'],
    [grant(), counter(10), '0', true, 'within_limit'],
    [grant(), counter(12), '0', true, 'no_increase'],
    [grant(), counter(12), '-1', true, 'no_increase'],
    [grant(), counter(12), '-2', true, 'within_limit'],
    [grant(), counter(12), '=11', true, 'no_increase'],
    [grant(), counter(12), '=13', false, 'limit_reached'],
    [grant({ overage: true }), counter(12), '1', true, 'overage'],
    [grant({ overage: true }), counter(12), '0', true, 'no_increase'],
    [grant({ overage: true }), counter(9), '1', true, 'within_limit'],
    [grant({ limit: null }), counter(1e9), '1', true, 'unlimited'],
    [grant({ limit: 0n }), counter(0), '1', false, 'limit_reached'],
    [grant({ aggregate: 'count' }), counter(9), '500', true, 'within_limit'],
    [grant({ aggregate: 'count' }), counter(10), '0', false, 'limit_reached'],
    [grant({ aggregate: 'max' }), counter(9), '10', true, 'within_limit'],
    [grant({ aggregate: 'max' }), counter(9), '11', false, 'limit_reached'],
    [grant({ aggregate: 'max' }), counter(12), '11', true, 'no_increase'],
    [grant({ aggregate: 'last' }), counter(12, 0, 5), '10@6', true, 'within_limit'],
    [grant({ aggregate: 'last' }), counter(9, 0, 5), '99@4', true, 'within_limit'],
    [grant({ type: 'boolean', limit: null }), counter(0), '1', true, 'granted'],
    [null, counter(5), '1', false, 'feature_not_found']
  ]
  for (const [held, used, text, ok, reason] of cases) {
    const verdict = decide(held, used, op(text))
    t.same([verdict.ok, verdict.reason], [ok, reason], `${held?.aggregate ?? 'none'}, ${amountText(used.used)} used, ${text}`)
  }
})

test('what is reserved is not there for others, and is not used', async t => {
  t.match(decide(grant(), counter(4, 5), op('1')),
    { ok: true, reason: 'within_limit', used: amountOf(4), reserved: amountOf(5), remaining: amountOf(1), overage: 0n })
  t.match(decide(grant(), counter(4, 5), op('2')), { ok: false, reason: 'limit_reached', remaining: amountOf(1) })
  t.match(decide(grant(), counter(8, 5), op('1')), { ok: false, remaining: 0n, overage: 0n })
  t.match(decide(grant(), counter(8, 5), op('0')), { ok: true, reason: 'no_increase' })
  t.match(decide(grant({ overage: true }), counter(8, 5), op('1')), { ok: true, reason: 'overage' })
})

test('a verdict shows the figures before the op, and asking changes nothing', async t => {
  const used = Object.freeze(counter(12))
  t.same(decide(grant(), used, op('5')), {
    ok: false, reason: 'limit_reached', used: amountOf(12), reserved: 0n, limit: amountOf(10), remaining: 0n, overage: amountOf(2)
  })
  t.same(decide(grant({ limit: null }), used, op('5')), {
    ok: true, reason: 'unlimited', used: amountOf(12), reserved: 0n, limit: null, remaining: null, overage: 0n
  })
  t.same(decide(null, used, op('5')), {
    ok: false, reason: 'feature_not_found', used: 0n, reserved: 0n, limit: 0n, remaining: 0n, overage: 0n
  })
})

test('what could not be reported gets no verdict', async t => {
  t.same(refusal(() => decide(grant({ aggregate: 'max', limit: null }), EMPTY, op('-1'))),
    ['invalid_amount', 'n must not be negative for a feature whose aggregate is max; decreases are for sum', '/n'])
})

test('remaining and overage are never negative', async t => {
  t.same([remaining(null, 5n), remaining(5n, 3n), remaining(5n, 5n), remaining(5n, 9n)], [null, 2n, 0n, 0n])
  t.same([over(null, 5n), over(5n, 3n), over(5n, 5n), over(5n, 9n)], [0n, 0n, 0n, 4n])
})

test('consuming only what a verdict allows never passes a hard limit', async t => {
  const limits = fc.nat(50).map(amountOf)
  fc.assert(fc.property(fc.constantFrom(...AGGREGATES), limits, fc.array(anyOp, { maxLength: 20 }), (aggregate, limit, ops) => {
    let now = EMPTY
    for (const next of ops) if (decide(grant({ aggregate, limit }), now, next).ok) now = apply(now, aggregate, next).counter
    return now.used <= limit
  }), { numRuns: 2000 })
  t.pass()
})
