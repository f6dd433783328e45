import fc from 'fast-check'
import { test } from 'tap'
import { amountOf, amountText, WHOLE } from '../../src/domain/amount.ts'
import { changeOfTotal, checkAmended, checkCorrectable, type EffectiveEvent, refold } from '../../src/domain/correction.ts'
import { EMPTY } from '../../src/domain/counter.ts'
import type { Aggregate } from '../../src/domain/entitlement.ts'

const AGGREGATES: readonly Aggregate[] = ['sum', 'count', 'max', 'last', 'perpetual']

/** `+5`, `=5` for a set, `-5`; `x` for what was voided; `+5@3` at the instant 3. */
function event (text: string): EffectiveEvent {
  const [told = '', at = '0'] = text.split('@')
  if (told === 'x') return { mode: 'add', amount: null, at: Number(at) }
  return { mode: told.startsWith('=') ? 'set' : 'add', amount: amountOf(Number(told.replace(/^[+=]/, ''))), at: Number(at) }
}

const totalOf = (aggregate: Aggregate, ...told: string[]): string => amountText(refold(EMPTY, aggregate, told.map(event)).used)

test('a window is what its events come to in the order of arrival, without those that were voided', async t => {
  const cases: Array<[aggregate: Aggregate, told: string[], total: string]> = [
    ['sum', [], '0'],
    ['sum', ['+5', '+3'], '8'],
    ['sum', ['x', '+3'], '3'],
    ['sum', ['+1', '-5', '+3'], '3'],
    ['sum', ['x', '-5', '+3'], '3'],
    ['sum', ['+1', 'x', '+3'], '4'],
    ['sum', ['+5', '=2', '+3'], '5'],
    ['sum', ['+5', 'x', '+3'], '8'],
    ['count', ['+5', '+0', 'x'], '2'],
    ['max', ['+5', 'x', '+3'], '5'],
    ['max', ['x', '+3'], '3'],
    ['last', ['+5@3', '+6@1', 'x@9'], '5'],
    ['last', ['+5@1', '=6@3', '+7@2'], '6'],
    ['last', ['+5@1', 'x@3', '+7@2'], '7'],
    ['perpetual', ['+5@1', '+6@1'], '6']
  ]
  for (const [aggregate, told, total] of cases) t.equal(totalOf(aggregate, ...told), total, `${aggregate} ${told.join(' ')}`)
})

test('a decrease that came before the window began, when it was to be a sum, is at the floor of any other aggregate', async t => {
  t.equal(totalOf('max', '-5', '+3'), '3')
  t.equal(totalOf('count', '+1', '-5'), '2')
  t.equal(totalOf('last', '+3@1', '-5@2'), '0')
})

test('a fold can go on from where another one stopped', async t => {
  const begun = refold(EMPTY, 'last', [event('+5@3')])
  t.equal(amountText(refold(begun, 'last', [event('+6@1')]).used), '5')
  t.equal(amountText(refold(begun, 'last', [event('+6@3')]).used), '6')
})

test('the change of a total can be told from the event alone where each event adds its own', async t => {
  const cases: Array<[aggregate: Aggregate, before: string, after: string, plainSince: boolean, change: string | undefined]> = [
    ['sum', '+5', 'x', true, '-5'],
    ['sum', '+5', '+7', true, '2'],
    ['sum', '+5', '+5', true, '0'],
    ['sum', '+0', '+7', true, '7'],
    ['count', '+5', 'x', true, '-1'],
    ['count', '+5', '+9', true, '0'],
    ['sum', '+5', 'x', false, undefined],
    ['sum', '-5', 'x', true, undefined],
    ['sum', '+5', '-5', true, undefined],
    ['sum', '=5', 'x', true, undefined],
    ['count', '=5', '=6', true, undefined],
    ['max', '+5', 'x', true, undefined],
    ['last', '+5', '+6', true, undefined],
    ['perpetual', '+5', 'x', true, undefined]
  ]
  for (const [aggregate, before, after, plainSince, change] of cases) {
    const found = changeOfTotal(aggregate, event(before), event(after), plainSince)
    t.equal(found === undefined ? undefined : amountText(found), change, `${aggregate}: ${before} becomes ${after}${plainSince ? '' : ', not plain since'}`)
  }
})

const anyAmount = fc.integer({ min: -6, max: 12 }).map(n => BigInt(n) * WHOLE / 2n)
const notNegative = fc.nat(12).map(n => BigInt(n) * WHOLE / 2n)
const anyEvent = (aggregate: Aggregate): fc.Arbitrary<EffectiveEvent> => fc.record({
  mode: fc.constantFrom('add' as const, 'add' as const, 'add' as const, 'set' as const), amount: fc.option(anyAmount, { freq: 6 }), at: fc.nat(5)
}).map(({ mode, amount, at }) => {
  const taken = amount !== null && amount < 0n && (mode === 'set' || aggregate !== 'sum') ? -amount : amount
  return { mode, amount: taken, at }
})

/** A window, one of its events, and what that one shall count as instead. */
const corrections = fc.constantFrom(...AGGREGATES).chain(aggregate =>
  fc.tuple(
    fc.constant(aggregate), fc.array(anyEvent(aggregate), { minLength: 1, maxLength: 12 }), fc.nat(11), fc.option(notNegative, { freq: 2 })
  ))

test('where that change can be told, it is the one that a fold of the whole window finds', async t => {
  let told = 0
  fc.assert(fc.property(corrections, ([aggregate, events, which, amount]) => {
    const i = which % events.length
    const before = events[i] as EffectiveEvent
    const after = { ...before, amount }
    const plainSince = events.slice(i + 1).every(({ mode, amount }) => mode === 'add' && (amount ?? 0n) >= 0n)
    const change = changeOfTotal(aggregate, before, after, plainSince)
    if (change === undefined) return
    told += 1
    const was = refold(EMPTY, aggregate, events).used
    const is = refold(EMPTY, aggregate, events.with(i, after)).used
    if (was + change !== is) throw new Error(`${aggregate}: ${amountText(was)} + ${amountText(change)} is not ${amountText(is)}`)
  }), { numRuns: 3_000 })
  t.ok(told > 300, 'and that is not seldom')
})

test('an event is amended to what could have been reported', async t => {
  checkAmended('sum', event('-3'))
  checkAmended('max', event('x'))
  for (const [aggregate, told] of [['count', '-1'], ['max', '-1'], ['last', '-1'], ['sum', '=-1']] as const) {
    t.throws(() => checkAmended(aggregate, event(told)), { code: 'invalid_amount' }, `${aggregate} ${told}`)
  }
  t.throws(() => checkAmended('sum', { mode: 'add', amount: 10n ** 28n * WHOLE, at: 0 }), { code: 'invalid_amount' })
})

test('reports can be corrected until they are voided; corrections cannot', async t => {
  for (const mode of ['add', 'set']) {
    checkCorrectable('e', mode, false)
    t.throws(() => checkCorrectable('e', mode, true), { code: 'correction_conflict' })
  }
  for (const mode of ['void', 'amend']) t.throws(() => checkCorrectable('e', mode, false), { code: 'correction_conflict' })
})
