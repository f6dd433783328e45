import t from 'tap'
import { type KeyCache, keyCache } from '../../src/storage/key-cache.ts'

interface Key { readonly name: string }

const START = Date.parse('2024-03-15T12:00:00Z')

/** A ledger of keys that is told what to answer, and says what it was asked. */
function ledger (...names: string[]) {
  const stored = new Map(names.map(name => [name, { name }]))
  const asked: string[][] = []
  const state = { now: START, away: false, stored, asked, held: undefined as Promise<void> | undefined }
  const cache: KeyCache<Key> = keyCache({
    now: () => state.now,
    load: async digests => {
      asked.push([...digests])
      const answers = digests.map(digest => stored.get(digest))
      await state.held
      if (state.away) throw new Error('away')
      return answers
    }
  })
  return Object.assign(state, { cache })
}

t.test('what is known is answered at once, for 5 s from when the ledger was asked', async t => {
  const it = ledger('a')
  const first = it.cache.find('a')
  t.type(first, Promise)
  it.now += 2_000
  t.strictSame(await first, { name: 'a' })
  it.now += 2_999
  t.strictSame(it.cache.find('a'), { name: 'a' }, 'no promise')
  it.now += 1
  t.strictSame(await it.cache.find('a'), { name: 'a' })
  t.strictSame(it.asked, [['a'], ['a']])
})

t.test('that there is none is known for as long', async t => {
  const it = ledger()
  t.equal(await it.cache.find('nobody'), undefined)
  it.now += 4_999
  t.equal(it.cache.find('nobody'), undefined)
  it.stored.set('nobody', { name: 'nobody' })
  it.now += 1
  t.strictSame(await it.cache.find('nobody'), { name: 'nobody' })
  t.strictSame(it.cache.find('nobody'), { name: 'nobody' })
})

t.test('what was deleted is unknown when it is next asked for', async t => {
  const it = ledger('a')
  await it.cache.find('a')
  it.stored.clear()
  it.now += 5_000
  t.equal(await it.cache.find('a'), undefined)
  t.equal(it.cache.find('a'), undefined)
  it.away = true
  it.now += 5_000
  await t.rejects(it.cache.find('a') as Promise<unknown>, { message: 'away' }, 'it is not known any more')
})

t.test('however many ask at once, the ledger is asked once per digest, for all of them together', async t => {
  const it = ledger('a', 'b')
  const answers = await Promise.all(Array.from({ length: 300 }, async (_, i) => await it.cache.find(['a', 'b', 'c'][i % 3] ?? '')))
  t.strictSame(answers.slice(0, 3), [{ name: 'a' }, { name: 'b' }, undefined])
  t.strictSame(it.asked, [['a', 'b', 'c']])
  it.now += 5_000
  await Promise.all(Array.from({ length: 100 }, async () => await it.cache.find('a')))
  t.strictSame(it.asked.slice(1), [['a']])
})

t.test('with the ledger away what was known goes on, the ledger is asked once a second, and what was not known fails', async t => {
  const it = ledger('a')
  await it.cache.find('a')
  await it.cache.find('nobody')
  it.away = true
  it.now += 60_000
  t.strictSame(await it.cache.find('a'), { name: 'a' })
  t.strictSame(it.cache.find('a'), { name: 'a' }, 'for a second without asking')
  it.now += 999
  t.strictSame(it.cache.find('a'), { name: 'a' })
  t.equal(it.asked.length, 3)
  it.now += 1
  t.strictSame(await it.cache.find('a'), { name: 'a' })
  t.equal(it.asked.length, 4)
  await t.rejects(it.cache.find('nobody') as Promise<unknown>, { message: 'away' }, 'nobody can say that there is still none')
  await t.rejects(it.cache.find('new') as Promise<unknown>, { message: 'away' })

  it.away = false
  it.now += 1_000
  it.stored.set('a', { name: 'a as it is now' })
  t.strictSame(await it.cache.find('a'), { name: 'a as it is now' })
})

t.test('what was forgotten is asked for again, and an answer from before is not believed afterwards', async t => {
  const it = ledger('a')
  await it.cache.find('a')
  it.stored.set('a', { name: 'second' })
  it.cache.forget('a')
  t.strictSame(await it.cache.find('a'), { name: 'second' })

  it.now += 5_000
  let release = (): void => {}
  it.held = new Promise(resolve => { release = resolve })
  const early = it.cache.find('a')
  await new Promise(setImmediate)
  it.stored.set('a', { name: 'third' })
  it.cache.forget('a')
  it.held = undefined
  t.strictSame(await it.cache.find('a'), { name: 'third' })
  release()
  t.strictSame([await early, it.cache.find('a')], [{ name: 'second' }, { name: 'third' }])
})

t.test('of a clock that was set back nothing is believed', async t => {
  const it = ledger('a')
  await it.cache.find('a')
  it.now -= 3_600_000
  t.type(it.cache.find('a'), Promise)
})

t.test('whoever guesses fills neither the memory nor the ledger, and drives out nobody', async t => {
  const it = ledger('a')
  await it.cache.find('a')
  const guess = async (i: number): Promise<unknown> => await it.cache.find(`guess-${i}`)
  const results = await Promise.allSettled(Array.from({ length: 5_000 }, async (_, i) => await guess(i)))
  const refused = results.filter(result => result.status === 'rejected')
  t.equal(refused.length, 4_000, 'what does not fit into the queue')
  t.ok(refused.every(({ reason }) => reason.code === 'overloaded'))
  t.ok(it.asked.every(digests => digests.length <= 200))
  for (let page = 0; page < 20; page += 1) await Promise.all(Array.from({ length: 1_000 }, async (_, i) => await guess(page * 1_000 + i)))
  t.strictSame(it.cache.find('a'), { name: 'a' })
  t.type(it.cache.find('guess-0'), Promise, 'the oldest guess is forgotten')
  t.equal(it.cache.find('guess-19999'), undefined)

  it.now += 5_000
  const crowd = Array.from({ length: 1_000 }, async (_, i) => await guess(i))
  it.asked.length = 0
  t.strictSame(await it.cache.find('a'), { name: 'a' })
  t.ok(it.asked.length <= 3, 'a known key does not wait behind them')
  await Promise.all(crowd)
})

t.end()
