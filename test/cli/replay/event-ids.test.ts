import t from 'tap'
import { eventIds } from '../../../src/cli/replay/event-ids.ts'

interface Line { readonly text: string, readonly second: number }

const line = (text: string, second: number): Line => ({ text: `${second} ${text}`, second })

/** @param linesKept so few that it matters */
function idsOf (lines: readonly Line[], { source = '', linesKept = 1_000 } = {}): string[] {
  const idOf = eventIds(source, linesKept)
  return lines.map(({ text, second }, i) => idOf(Buffer.from(text), i + 1, second * 1_000))
}

const log = Array.from({ length: 60 }, (_, i) => line(`GET /${i % 7 === 0 ? 0 : i}`, Math.floor(i / 6)))
const busy = [...log, ...log]

t.test('lines that are the same are events of their own, and a second replay has the same ids', async t => {
  const ids = idsOf(busy)
  t.equal(new Set(ids).size, busy.length)
  t.strictSame(idsOf(busy), ids)
  t.match(ids[0], /^[\w-]{22}\.1$/)
  t.equal(ids[log.length], ids[0]?.replace(/1$/, '2'), 'the second time')
})

t.test('a log that has grown has the same ids for what it had, one that was cut off in front for what it has', async t => {
  const ids = idsOf(log)
  t.strictSame(idsOf([...log, line('GET /', 100)]).slice(0, log.length), ids)
  t.strictSame(idsOf(log.slice(12)), ids.slice(12))
  t.strictSame(idsOf(log.slice(12), { linesKept: 20 }), ids.slice(12), 'with little memory, too')
})

t.test('what was forgotten is told apart by its number', async t => {
  for (const linesKept of [1, 2, 5, 20, 59]) {
    const ids = idsOf(busy, { linesKept })
    t.equal(new Set(ids).size, busy.length, `${linesKept} lines kept`)
    t.strictSame(idsOf(busy, { linesKept }), ids)
    t.strictSame(idsOf(busy.toReversed(), { linesKept }).length, new Set(idsOf(busy.toReversed(), { linesKept })).size, 'newest first')
  }
  t.match(idsOf(busy, { linesKept: 20 }).at(-60), /\.line61$/)
})

t.test('logs of several servers are told apart by their names', async t => {
  const [a, b] = [idsOf(log, { source: 'a' }), idsOf(log, { source: 'b' })]
  t.equal(new Set([...a, ...b]).size, 2 * log.length)
})
