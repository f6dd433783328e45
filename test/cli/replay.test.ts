import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { emptyLedger } from '../e2e/embedded.ts'
import { freshLedger } from '../fixtures/ledger-template.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { serve, type Service } from '../fixtures/process.ts'
import { findProgram } from '../fixtures/programs.ts'
import { freshRedis, redisMissing } from '../fixtures/redis.ts'
import { type LedgerState, ledgerState } from './ledger-state.ts'
import { type DayOfUse, sampleLog } from './sample-log.ts'
import { runTool } from './tool.ts'
import { webPlan } from './web-plan.ts'

/** A log of your own, in common or combined format and in UTC, without malformed lines. */
const { TOLLGATE_TEST_ACCESS_LOG: givenLog } = process.env
const MALFORMED_SHOWN = 5

const sample = sampleLog()
const SAMPLE_TEXT = `${sample.lines.join('\n')}\n`
const SAMPLE_EVENTS = 2 * (sample.lines.length - sample.malformed.length)

interface Log {
  readonly text: string
  readonly use: Readonly<Record<string, DayOfUse>>
  readonly lines: number
  readonly malformed: number
}

/** A second opinion of a log without malformed lines. */
function byAwk (path: string): Log['use'] {
  const program = `{ split($1, head, " "); split($3, tail, " "); key = head[1] " " substr(head[4], 2, 11); requests[key]++; bytes[key] += tail[2] }
    END { for (key in requests) printf "%s %d %.0f\\n", key, requests[key], bytes[key] }`
  const output = execFileSync('awk', ['-F', '"', program, path], { encoding: 'utf8', env: { PATH: process.env.PATH, LC_ALL: 'C' } })
  return Object.fromEntries(output.trim().split('\n').map(line => {
    const [client, date = '', requests, bytes] = line.split(' ')
    const [day, month, year] = date.split('/')
    const iso = new Date(`${day} ${month} ${year} UTC`).toISOString().slice(0, 10)
    return [`${client} ${iso}`, { requests: Number(requests), bytes: Number(bytes) }]
  }))
}

const SAMPLE: Log = { text: SAMPLE_TEXT, use: sample.use, lines: sample.lines.length, malformed: sample.malformed.length }

function given (path: string): Log {
  const text = readFileSync(path, 'utf8')
  return { text, use: byAwk(path), lines: text.trimEnd().split('\n').length, malformed: 0 }
}

const sumOf = (use: Log['use'], member: keyof DayOfUse) => Object.values(use).reduce((sum, day) => sum + day[member], 0)

interface Ledger {
  serve (): Promise<Service>
  look (service: Service): Promise<LedgerState>
}

/** Replays twice, and looks into the ledger after each. */
async function replayTwice (t: Test, path: string, log: Log, { serve, look }: Ledger): Promise<void> {
  const first = await serve()
  await webPlan(t, first)
  const events = 2 * sumOf(log.use, 'requests')
  const bytes = sumOf(log.use, 'bytes')
  const common = { lines: log.lines, malformed: log.malformed, events, bytes, refused: {}, unanswered: 0, interrupted: false }
  const once = await runTool(t, ['replay', path, '--url', first.url, '--json'])
  t.match(once, { code: 0, stderr: '' })
  t.match(JSON.parse(once.stdout), { ...common, counted: events, duplicates: 0, retries: 0 })
  const after = await look(first)
  t.strictSame(after.use, log.use, 'each client has for each day what the log says')
  t.equal(after.events, events)
  t.equal(after.clients, new Set(Object.keys(log.use).map(key => key.split(' ')[0])).size)

  const second = await serve()
  const twice = await runTool(t, ['replay', '-', '--json'], { env: { TOLLGATE_URL: second.url }, input: gzipSync(log.text) })
  t.match(twice, { code: 0, stderr: '' })
  t.match(JSON.parse(twice.stdout), { ...common, counted: 0, duplicates: events }, 'from stdin, and compressed')
  t.strictSame(await look(second), after, 'a second replay changes nothing')
}

for (const [name, log] of [['the sample', SAMPLE], ...(givenLog === undefined ? [] : [[givenLog, given(givenLog)] as const])] as const) {
  const skip = givenLog !== undefined && findProgram('awk') === undefined && 'no awk found'
  const write = (t: Test) => {
    const path = join(t.testdir(), 'access.log')
    writeFileSync(path, log.text)
    return path
  }

  t.test(`${name}: the embedded ledger has what the log says, however often it is replayed`, { skip }, async t => {
    const folder = await emptyLedger(t)
    await replayTwice(t, write(t), log, {
      serve: async () => await serve(t, { env: { TOLLGATE_DATA_DIR: folder } }),
      look: async service => {
        t.match(await service.kill(), { code: 0 })
        return await ledgerState({ folder })
      }
    })
  })

  t.test(`${name}: Postgres and Redis, likewise`, { skip: skip || postgresMissing || redisMissing }, async t => {
    const [DATABASE_URL, REDIS_URL] = [await freshLedger(t), await freshRedis(t)]
    const service = await serve(t, { env: { DATABASE_URL, REDIS_URL } })
    await replayTwice(t, write(t), log, { serve: async () => service, look: async () => await ledgerState({ url: DATABASE_URL }) })
  })
}

t.test('what is malformed or refused is counted and shown', async t => {
  const service = await serve(t, { env: { TOLLGATE_DATA_DIR: await emptyLedger(t) } })
  const { code, stdout, stderr } = await runTool(t, ['replay', '-', '--url', service.url], { input: SAMPLE_TEXT })
  t.match(stdout, new RegExp(`^malformed +${sample.malformed.length}$`, 'm'))
  for (const { line } of sample.malformed.slice(0, MALFORMED_SHOWN)) t.match(stdout, new RegExp(`^ {2}line ${line}: `, 'm'))
  t.match(stdout, new RegExp(`^refused +${SAMPLE_EVENTS}\n {2}org_not_found ${SAMPLE_EVENTS}, first at line \\d: org not found`, 'm'))
  t.equal(code, 1)
  t.match(stderr, new RegExp(`^tollgate: ${SAMPLE_EVENTS} events were refused$`, 'm'))

  const hostile = await runTool(t, ['replay', '-', '--url', service.url], { input: '\u001b[2Jgone\u009b1m\n' })
  t.match(hostile, { code: 1, stdout: 'line 1: not in common or combined format: \\u001b[2Jgone\\u009b1m', stderr: 'none of its lines' })
})
