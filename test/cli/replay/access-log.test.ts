import t from 'tap'
import { Malformed, parseHit } from '../../../src/cli/replay/access-log.ts'

const hit = (line: string, ended = true) => parseHit(Buffer.from(line), ended)
const at = (time: string) => new Date(hit(`10.0.0.1 - - [${time}] "GET / HTTP/1.1" 200 5`).at).toISOString()

t.test('common and combined format, and what servers add to them', async t => {
  const common = '83.149.9.216 - frank [17/May/2015:10:05:03 +0200] "GET /a?b HTTP/1.1" 200 203023'
  const expected = { org: 'org:83.149.9.216', at: Date.UTC(2015, 4, 17, 8, 5, 3), atText: '2015-05-17T10:05:03+02:00', bytes: 203_023n }
  for (const rest of ['', ' "-" "curl/8.0"', ' "http://a/?\\"" "b" 0.012 cache=hit', ' "-" "cut off', ' "\\xe9"']) t.strictSame(hit(common + rest), expected, rest)
})

t.test('the request may hold anything, quoted', async t => {
  for (const request of ['', '-', 'GET /[17/May/2015:10:05:03 +0000] HTTP/1.1', 'GET /\\"\\\\ HTTP', '\\x16\\x03', 'caf\u00e9 \u2028']) {
    t.equal(hit(`::1 - - [17/May/2015:10:05:03 +0000] "${request}" 400 7`).bytes, 7n, request)
  }
})

t.test('no bytes are 0, many are exact', async t => {
  const bytes = (text: string) => hit(`::1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 ${text}`).bytes
  t.strictSame(['-', '0', '9007199254740993'].map(bytes), [0n, 0n, 9_007_199_254_740_993n])
  t.throws(() => bytes('1'.repeat(29)), Malformed)
})

t.test('clients are addresses or names, in UTF-8', async t => {
  const org = (client: string | Buffer) =>
    parseHit(Buffer.concat([Buffer.from(client as string), Buffer.from(' - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5')]), true).org
  t.strictSame(['2001:db8::7', 'crawler.example.com', 'münchen.example'].map(org), ['org:2001:db8::7', 'org:crawler.example.com', 'org:münchen.example'])
  t.throws(() => org(Buffer.from([0x6d, 0xfc])), new Malformed('the client is not text'))
  t.throws(() => org('a\u0000b'), Malformed)
  t.throws(() => org('x'.repeat(256)), Malformed)
})

t.test('times are on the clock of the log', async t => {
  t.equal(at('17/May/2015:10:05:03 +0000'), '2015-05-17T10:05:03.000Z')
  t.equal(at('01/Mar/2024:00:30:00 +0200'), '2024-02-29T22:30:00.000Z')
  t.equal(at('31/Dec/1999:23:59:59 -0930'), '2000-01-01T09:29:59.000Z')
  const days = ['31/Feb/2015', '17/Mai/2015', '17/May/1969', '1/May/2015'].map(day => `${day}:10:05:03 +0000`)
  for (const time of [...days, '17/May/2015:24:00:00 +0000', '17/May/2015 10:05:03']) t.throws(() => at(time), Malformed, time)
})

t.test('a line with a field in front is not charged to that field', async t => {
  for (const line of ['www.example.com:80 10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5', '', ' ', '{"client":"10.0.0.1"}']) {
    t.throws(() => hit(line), new Malformed('not in common or combined format'), line)
  }
})

t.test('a last line that has no end counts only if nothing can be missing', async t => {
  const whole = '::1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 512 "-" "curl \\"8\\""'
  t.strictSame(hit(whole, false), hit(whole))
  for (let length = 1; length < whole.length; length += 1) t.throws(() => hit(whole.slice(0, length), false), Malformed, `${length} bytes`)
})
