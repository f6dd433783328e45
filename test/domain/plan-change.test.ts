import t from 'tap'
import fc from 'fast-check'
import { compareVersions, isSamePlan, newestEarlier, planChange } from '../../src/domain/plan-change.ts'
import { parsePlans, type Plan } from '../../src/domain/plan.ts'

function planOf (members: object, version = '1'): Plan {
  const [parsed] = parsePlans({ plans: { [`plan:pro@${version}`]: members } })
  if (parsed?.ok !== true) throw new Error('the plan is refused')
  return parsed.plan
}

const calls = (members: object): object => ({ features: { 'feature:calls': members } })
const shown = (before: object, after: object) => {
  const { terms, features } = planChange(planOf(before), planOf(after, '2'))
  const text = (list: typeof terms): unknown[] => list.map(({ term, before, after }) => [term, before, after])
  return { terms: text(terms), features: features.map(({ feature, change, terms }) => [feature, change, text(terms)]) }
}

t.test('versions that are numbers are ordered as numbers, others as words', async t => {
  const sorted = (...versions: string[]) => versions.sort(compareVersions)
  t.strictSame(sorted('10', '9', '1'), ['1', '9', '10'])
  t.strictSame(sorted('9007199254740993', '9007199254740992'), ['9007199254740992', '9007199254740993'], 'however long')
  t.strictSame(sorted('2024-02', '2023-11'), ['2023-11', '2024-02'])
  t.strictSame(sorted('b', 'A'), ['A', 'b'])
  fc.assert(fc.property(fc.bigInt({ min: 0n }), fc.bigInt({ min: 0n }), (a, b) => {
    t.equal(Math.sign(compareVersions(`${a}`, `${b}`)), a < b ? -1 : Number(a > b))
  }))
})

t.test('the newest earlier version is of the same plan, and older', async t => {
  const plans = ['1', '9', '10', '12'].map(version => planOf(calls({}), version))
  const other = { ...planOf(calls({}), '10'), ref: { name: 'plan:other', version: '10' } }
  const before = (version: string) => newestEarlier({ name: 'plan:pro', version }, [other, ...plans])?.ref.version
  t.strictSame(['11', '10', '2', '1', '0', '99'].map(before), ['10', '9', '1', undefined, undefined, '12'])
})

t.test('a change names each term that differs, and nothing else', async t => {
  t.strictSame(shown(calls({ tiers: [{ upto: 10 }] }), calls({ tiers: [{ upto: 10 }], title: 'Calls' })), { terms: [], features: [] })
  t.strictSame(shown(calls({ tiers: [{ upto: 10 }] }), calls({ tiers: [{ upto: 20 }] })), {
    terms: [], features: [['feature:calls', 'changed', [['limit', 10_000_000_000n, 20_000_000_000n]]]]
  }, 'a limit is not said twice, as a tier')
  t.strictSame(shown(calls({ tiers: [{ upto: 10 }] }), calls({ tiers: [{ upto: 5, price: 1 }, { price: 2 }], mode: 'volume', reset: 'day', overage: true })), {
    terms: [],
    features: [['feature:calls', 'changed', [
      ['limit', 10_000_000_000n, null], ['reset', 'month', 'day'], ['overage', false, true],
      ['tiers', undefined, [{ upto: 5, price: 1 }, { price: 2 }]], ['mode', undefined, 'volume']
    ]]]
  })
  t.strictSame(shown({ interval: '@monthly', features: { 'feature:a': {}, 'feature:b': {} } }, {
    interval: '@yearly', anchor: 'calendar', currency: 'eur', features: { 'feature:b': { base: 5 }, 'feature:c': {} }
  }), {
    terms: [['currency', 'usd', 'eur'], ['interval', '@monthly', '@yearly'], ['anchor', 'subscription', 'calendar']],
    features: [
      ['feature:a', 'removed', [['type', 'boolean', undefined]]],
      ['feature:b', 'changed', [['base', undefined, 5]]],
      ['feature:c', 'added', [['type', undefined, 'boolean']]]
    ]
  })
  t.strictSame(shown(calls({ tiers: [{ price: 1 }], divide: { by: 3 } }), calls({ tiers: [{ price: 1 }], divide: { by: 3, rounding: 'up' } })), {
    terms: [], features: [['feature:calls', 'changed', [['divide', { by: 3, rounding: 'down' }, { by: 3, rounding: 'up' }]]]]
  })
})

t.test('the same plan is one that is pulled as the same text', async t => {
  const plan = (members: object) => planOf(calls(members))
  t.ok(isSamePlan(plan({ tiers: [{ upto: 10 }] }), plan({ mode: 'graduated', aggregate: 'sum', tiers: [{ upto: 10, price: 0 }] })))
  t.notOk(isSamePlan(plan({ tiers: [{ upto: 10 }] }), plan({ tiers: [{ upto: 10 }], title: 'Calls' })))
})
