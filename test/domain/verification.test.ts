import fc from 'fast-check'
import t from 'tap'
import { AHEAD_MAX_MS, CLOCK_SKEW_MAX_MS } from '../../src/domain/time.ts'
import {
  addFolds, counterFaults, entryState, type Figures, type Fold, type FoundWindow, isUnbroken, knownWindows, NOTHING_FOLDED,
  type StoredCounter
} from '../../src/domain/verification.ts'

interface Event { readonly seq: number, readonly delta: bigint, readonly usedAfter: bigint }

/** Stands for the one of the database: different figures, different numbers, and zero for zero. */
const hash = (figure: bigint): bigint => figure === 0n ? 0n : BigInt.asIntN(64, (figure + 1n) * 0x9E3779B97F4A7C15n ^ (figure << 17n))

const foldOf = (events: readonly Event[]): Fold => events.map(({ seq, delta, usedAfter }): Fold => ({
  events: 1, sum: delta, chain: hash(usedAfter) - hash(usedAfter - delta), last: { seq, usedAfter, hash: hash(usedAfter) }
})).reduce(addFolds, NOTHING_FOLDED)

const totals = fc.array(fc.bigInt(0n, 20n), { minLength: 1, maxLength: 30 })
const eventsOf = (figures: readonly bigint[]): Event[] =>
  figures.map((usedAfter, i) => ({ seq: i + 1, usedAfter, delta: usedAfter - (figures[i - 1] ?? 0n) }))

t.test('a chain is whole in whatever order it is read, and in whatever parts', async t => {
  fc.assert(fc.property(totals, fc.infiniteStream(fc.nat()), (figures, random) => {
    const events = eventsOf(figures).map(event => [random.next().value, event] as const).sort(([a], [b]) => a - b).map(([, event]) => event)
    const cut = random.next().value % events.length
    const fold = addFolds(foldOf(events.slice(0, cut)), foldOf(events.slice(cut)))
    return isUnbroken(fold) && fold.events === figures.length && fold.last?.usedAfter === figures.at(-1)
  }))
  t.ok(isUnbroken(NOTHING_FOLDED))
})

t.test('it is not once an event is gone that changed something, but for the last', async t => {
  fc.assert(fc.property(totals, fc.nat(), (figures, random) => {
    const events = eventsOf(figures)
    const gone = random % events.length
    const rest = foldOf(events.toSpliced(gone, 1))
    return isUnbroken(rest) === (events[gone]?.delta === 0n || gone === events.length - 1)
  }))
  const events = eventsOf([5n, 9n, 7n, 3n, 4n])
  t.notOk(isUnbroken(foldOf(events.filter(({ seq }) => seq !== 2 && seq !== 4))), 'though what is left adds up')
})

const counter = (more: Partial<StoredCounter>): StoredCounter =>
  ({ used: 5n, reserved: 0n, version: 2, lastAt: null, reservedUntil: null, held: 0n, ...more })
const TWO = foldOf(eventsOf([3n, 5n]))

t.test('what is wrong with a counter, and what can be mended', async t => {
  const faults = (stored: StoredCounter | null, fold: Fold, pruned = false): unknown =>
    counterFaults({ counter: stored, fold, pruned }, 1_000).map(({ kind, mendable }) => `${kind}${mendable ? '' : ', which is not certain'}`)
  t.strictSame(faults(counter({}), TWO), [])
  t.strictSame(faults(null, NOTHING_FOLDED), [])
  t.strictSame(faults(counter({ used: 0n }), NOTHING_FOLDED), [], 'one that has only been reserved from')
  t.strictSame(faults(counter({ used: 6n }), TWO), ['counter_differs'])
  t.strictSame(faults(counter({ used: 6n, version: 3 }), TWO), ['event_missing, which is not certain'])
  t.strictSame(faults(counter({}), NOTHING_FOLDED), ['event_missing, which is not certain'])
  t.strictSame(faults(null, TWO), ['counter_missing'])
  t.strictSame(faults(counter({ used: 99n }), TWO, true), [], 'what is left of a window says nothing')
  const later = 1_001 + CLOCK_SKEW_MAX_MS
  t.strictSame(faults(counter({ reserved: 4n, held: 4n, reservedUntil: later }), TWO), [])
  t.strictSame(faults(counter({ reserved: 4n, held: 3n, reservedUntil: later }), TWO, true), ['held_differs'])
  t.strictSame(faults(counter({ reserved: 4n, held: 3n, reservedUntil: later - 1 }), TWO), [], 'it may have expired')
  t.strictSame(faults(counter({ reserved: 4n, held: 4n }), TWO), ['held_differs'], 'nothing is held until then')
})

t.test('a window is known once everything up to its end has been read, and what may lie a little past it', async t => {
  const window = (start: number, end: number | null): FoundWindow => ({ start, end, counter: null, fold: NOTHING_FOLDED, pruned: false })
  const windows = [window(0, 100), window(100, 1_000), window(200, null)]
  const known = (reach: number | null): unknown => {
    const { complete, ...rest } = knownWindows(windows, reach)
    return [complete.length, rest]
  }
  t.strictSame(known(null), [3, { next: null, nextEnd: null }])
  t.strictSame(known(100 + AHEAD_MAX_MS), [0, { next: 0, nextEnd: 100 }])
  t.strictSame(known(101 + AHEAD_MAX_MS), [1, { next: 100, nextEnd: 200 }], 'it was cut where the next one starts')
  t.strictSame(known(1e12), [2, { next: 200, nextEnd: null }])
  t.strictSame(knownWindows([], 5), { complete: [], next: null, nextEnd: null })
})

t.test('an entry is the same, or was never so, or was so', async t => {
  const ledger: Figures = { used: 5n, reserved: 4n, version: 7, reservedUntil: 100 }
  const cases: Array<[Partial<Figures>, ReturnType<typeof entryState>]> = [
    [{}, 'same'],
    [{ version: 6 }, 'behind'],
    [{ version: 8 }, 'ahead'],
    [{ used: 6n }, 'differs'],
    [{ reserved: 3n }, 'differs'],
    [{ reserved: 3n, reservedUntil: 200 }, 'same'],
    [{ reserved: 0n, reservedUntil: null }, 'same'],
    [{ reserved: 5n, reservedUntil: 200 }, 'differs'],
    [{ reserved: 4n, reservedUntil: 50 }, 'differs']
  ]
  for (const [changes, state] of cases) t.equal(entryState({ ...ledger, ...changes }, ledger), state)
  t.equal(entryState({ ...ledger, reservedUntil: 100 }, { ...ledger, reservedUntil: null, reserved: 0n }), 'differs')
})
