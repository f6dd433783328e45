import t from 'tap'
import { type Command, optionsOf, parseLine, placeOf, UsageProblem } from '../../src/cli/command.ts'
import { commandAt, commands } from '../../src/cli/commands.ts'
import { helpOn } from '../../src/cli/help.ts'
import { duration, plain, table } from '../../src/cli/output.ts'
import { addressOf } from '../../src/cli/serve.ts'
import { runTool } from './tool.ts'

const line = (...words: string[]) => {
  const { command, rest } = commandAt(words)
  return { name: command.name, ...parseLine(command, rest) }
}

t.test('a line is a command, then its options and arguments in any order', async t => {
  t.hasStrict(line('replay', '--json', 'a.log', '--url', 'http://x', '--concurrency=3'), {
    name: 'replay', args: ['a.log'], options: { json: true, help: false, url: 'http://x', concurrency: '3' }
  })
  t.hasStrict(line('replay', '-'), { args: ['-'] })
  t.hasStrict(line('replay', '--', '--odd.log'), { args: ['--odd.log'] })
  t.hasStrict(line('keys', 'rotate', 'id', '--overlap', '0'), { name: 'keys rotate', args: ['id'], options: { overlap: '0' } })
  t.hasStrict(line('subscribe', 'org:a', '--trial', '-1', 'plan:a@1', 'plan:b@1'), {
    args: ['org:a', 'plan:a@1', 'plan:b@1'], options: { trial: '-1', cancel: false }
  })
  t.hasStrict(line('report', 'org:a', 'feature:x', '-2.5', '--clobber'), { args: ['org:a', 'feature:x', '-2.5'], options: { clobber: true } })
  t.hasStrict(line('report', '--at', '0', '--', 'org:a', 'feature:x', '-5'), { args: ['org:a', 'feature:x', '-5'] })
  t.hasStrict(line('keys', 'rotate', '-h'), { name: 'keys rotate', options: { help: true } })
  for (const [words, name] of [[[], 'help'], [['--help'], 'help'], [['-v'], 'version'], [['--version'], 'version']] as const) t.equal(line(...words).name, name)
  t.hasStrict(line('keys', '--help'), { name: 'help', args: ['keys'] })
})

t.test('what is not understood is said in a sentence', async t => {
  const cases: Array<[words: string[], message: string]> = [
    [['frobnicate'], 'there is no command "frobnicate"'],
    [['--url', 'http://x', 'replay'], 'the command comes first: tollgate <command> --url'],
    [['keys'], 'keys is followed by one of: create, list, rotate, revoke'],
    [['keys', 'burn'], 'keys is followed by one of: create, list, rotate, revoke'],
    [['replay'], 'replay needs <file>'],
    [['replay', 'a', 'b'], 'replay does not know what to do with "b"'],
    [['replay', 'a', '--fast'], 'there is no option --fast'],
    [['replay', 'a', '-x'], 'there is no option -x'],
    [['replay', 'a', '--url'], '--url needs a value: --url <url>'],
    [['replay', 'a', '--url', '--json'], '--url needs a value: --url <url>'],
    [['usage', 'org:a', '--past', '-1'], '--past needs a value: --past <n>'],
    [['subscribe'], 'subscribe needs <org>'],
    [['can', 'org:a'], 'can needs <feature>'],
    [['replay', 'a', '--json=yes'], '--json takes no value'],
    [['version', '--url', 'http://x'], 'there is no option --url']
  ]
  for (const [words, message] of cases) t.throws(() => line(...words), new UsageProblem(message), words.join(' '))
})

t.test('the service is named by options, else by the environment', async t => {
  const place = (words: string[], env: Record<string, string> = {}) => {
    const { url, key } = placeOf(line('replay', '-', ...words), env)
    return [url.href, key]
  }
  const env = { TOLLGATE_URL: 'https://b.example.com/gate/', TOLLGATE_KEY: 'prv_b' }
  t.strictSame(place([]), ['http://127.0.0.1:8080/', undefined])
  t.strictSame(place([], env), ['https://b.example.com/gate/', 'prv_b'])
  t.strictSame(place(['--url', 'http://a', '--key', 'prv_a'], env), ['http://a/', 'prv_a'])
  t.strictSame(place([], { TOLLGATE_URL: ' ', TOLLGATE_KEY: '' }), ['http://127.0.0.1:8080/', undefined], 'an empty setting is none')
  for (const url of ['localhost:8080', '8080', 'ftp://a', 'http://a?b', 'http://a#b']) t.throws(() => place(['--url', url]), /^--url must be an address/, url)
  t.throws(() => place([], { TOLLGATE_URL: 'x' }), /^TOLLGATE_URL must be an address/)
  t.strictSame(placeOf(line('whoami', '--clock', 'clock-1'), {}).clock, 'clock-1')
  t.throws(() => place(['--clock', 'a b']), new UsageProblem('--clock must be the id of a test clock, not "a b"'))
  t.throws(() => place(['--key', 'a secret']), new UsageProblem('--key must be a key: printable characters without space'), 'it is not repeated')
})

t.test('an address to listen on', async t => {
  const cases: Array<[addr: string, settings: Record<string, string>]> = [
    ['127.0.0.1:9090', { HOST: '127.0.0.1', PORT: '9090' }],
    ['[::1]:9090', { HOST: '::1', PORT: '9090' }],
    [':9090', { PORT: '9090' }],
    ['localhost', { HOST: 'localhost' }],
    ['[::]', { HOST: '::' }]
  ]
  for (const [addr, settings] of cases) t.strictSame(addressOf(addr), settings, addr)
  t.strictSame(addressOf(undefined), {})
  for (const addr of ['', '::1', '1:2:3', 'a:b', 'a:65536', 'http://a', 'a:']) t.throws(() => addressOf(addr), UsageProblem, addr)
})

t.test('every command has help that fits a terminal, with examples that it understands', async t => {
  for (const command of commands) {
    const text = helpOn(command)
    for (const option of Object.keys(optionsOf(command))) t.match(text, `  --${option}`)
    for (const row of text.split('\n').filter(row => !row.includes('tollgate '))) t.ok(row.length <= 125, row)
    for (const example of command.examples) t.equal(understood(example), command.name, example)
  }
})

/** The command that an example calls; quotes hold no space that matters here. */
function understood (example: string): Command['name'] {
  const [, words = ''] = /(?<![\w/@])tollgate (.*?)(?: [&>|].*)?$/.exec(example) ?? []
  return line(...words.replace(/"[^"]*"/g, 'quoted').split(' ')).name
}

t.test('text of others is made plain, columns are aligned, times are short', async t => {
  t.equal(plain('a\u001b[31mb\u202ec\r\n'), 'a\\u001b[31mb\\u202ec\\u000d\\u000a')
  t.equal(table(['ID', 'NAME'], [['1', 'a'], ['22', 'b\u0007 c']]), 'ID  NAME\n1   a\n22  b\\u0007 c\n')
  t.strictSame([0.04, 9.96, 59.4, 95, 3_700].map(duration), ['0.0 s', '10.0 s', '59 s', '1 min 35 s', '1 h 1 min'])
})

t.test('exit codes: 0 done, 1 not done, 2 not understood', async t => {
  const [version, overview, unknown, missing, unreachable] = await Promise.all([
    ['version', '--json'], [], ['frobnicate'], ['replay', '/nowhere'], ['keys', 'list', '--url', 'http://127.0.0.1:1']
  ].map(async words => await runTool(t, words)))
  t.match(version, { code: 0, stderr: '' })
  t.match(JSON.parse(version?.stdout ?? ''), { name: 'tollgate', version: /^\d+\.\d+\.\d+/ })
  t.match(overview, { code: 0, stdout: /^ {2}replay +report what/m, stderr: '' })
  t.match(unknown, { code: 2, stdout: '', stderr: /^tollgate: there is no command "frobnicate"\ntollgate: for help: tollgate help\n$/ })
  t.match(missing, { code: 1, stdout: '', stderr: /^tollgate: cannot read \/nowhere: there is no such file\n$/ })
  t.match(unreachable, { code: 1, stdout: '', stderr: /^tollgate: cannot reach http:\/\/127\.0\.0\.1:1: nothing listens there \(tollgate serve would\)\n$/ })
})
