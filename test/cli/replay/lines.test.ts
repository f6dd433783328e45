import { Readable } from 'node:stream'
import { gunzipSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { LINE_BYTES_MAX, linesOf, openLog } from '../../../src/cli/replay/lines.ts'

async function arrayOf <T> (items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

function endsLine (bytes: Buffer): boolean {
  return (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).at(-1) === 0x0a
}

/** @param size of the chunks that arrive */
async function read (bytes: Buffer, size: number): Promise<Array<string | null>> {
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
  const { chunks: opened } = await openLog('-', Readable.from(chunks))
  const lines = await arrayOf(linesOf(opened))
  t.strictSame(lines.map(({ number, ended }) => [number, ended]), lines.map((_, i) => [i + 1, i < lines.length - 1 || endsLine(bytes)]))
  return lines.map(({ bytes }) => bytes === null ? null : bytes.toString('latin1'))
}

t.test('lines are the same, however they arrive', async t => {
  const text = Buffer.from('one\n\r\ntw\ro\u2028\r\n\nlast', 'utf8')
  const expected = ['one', '', Buffer.from('tw\ro\u2028').toString('latin1'), '', 'last']
  for (const bytes of [text, gzipSync(text), Buffer.concat([gzipSync(text.subarray(0, 5)), gzipSync(text.subarray(5))])]) {
    for (const size of [1, 2, 3, 1_000]) t.strictSame(await read(bytes, size), expected, `${size}`)
  }
  t.strictSame(await read(Buffer.from('a\n'), 1), ['a'], 'an end of line at the end begins no line')
  t.strictSame(await read(Buffer.alloc(0), 1), [])
})

t.test('a line that is too long is none, and the next one is there', async t => {
  const [most, more] = ['x'.repeat(LINE_BYTES_MAX), 'x'.repeat(3 * LINE_BYTES_MAX)]
  for (const size of [1_000, 1_000_000]) t.strictSame(await read(Buffer.from(`${most}\n${more}\nafter\n${more}`), size), [most, null, 'after', null])
})

t.test('what cannot be read is said with its name', async t => {
  await t.rejects(openLog('/nowhere/access.log', Readable.from([])), { message: 'cannot read /nowhere/access.log: there is no such file' })
  const { chunks } = await openLog(t.testdir(), Readable.from([]))
  await t.rejects(arrayOf(chunks), /^cannot read .*: it is a folder$/)
  await t.rejects(read(gzipSync('one').subarray(0, -4), 1_000), { message: 'cannot read -: unexpected end of file' })
})
