import t, { type Test } from 'tap'
import { apiOf } from '../e2e/api.ts'
import { emptyLedger } from '../e2e/embedded.ts'
import { freePort } from '../fixtures/ports.ts'
import { serve, type Service } from '../fixtures/process.ts'
import { sized } from '../fixtures/size.ts'
import { until } from '../storage/until.ts'
import { ledgerState } from './ledger-state.ts'
import { sampleLog } from './sample-log.ts'
import { runTool, startTool, type Tool } from './tool.ts'
import { webPlan } from './web-plan.ts'

const WITHIN_MS = 60_000
const CONCURRENCY = 16
const sample = sampleLog(sized(120, 300))
const LINES = sample.lines.map(line => `${line}\n`)
const EVENTS = 2 * (LINES.length - sample.malformed.length)

const part = (from: number, to: number) => LINES.slice(from * LINES.length, to * LINES.length).join('')

const COUNTED = /^tollgate_http_request_duration_seconds_count\{method="POST",route="\/v1\/report",status="200"\} (\d+)/m

/** How many reports the service has answered with 200. */
async function countedBy (t: Test, { url }: Service): Promise<number> {
  const { text } = await apiOf(t, url).get('/metrics')
  return Number(COUNTED.exec(text)?.[1] ?? 0)
}

/** A replay that has had answers, and waits for the rest of the log. @param share the part of the log that it has */
async function underWay (t: Test, service: Service, share: number, args: readonly string[] = []): Promise<Tool> {
  const before = await countedBy(t, service)
  const tool = startTool(t, ['replay', '-', '--url', service.url, '--concurrency', String(CONCURRENCY), ...args])
  tool.stdin.write(part(0, share))
  await until('there are answers', async () => await countedBy(t, service) > before + CONCURRENCY, WITHIN_MS)
  return tool
}

async function checkAll (t: Test, service: Service, folder: string): Promise<void> {
  t.match(await service.kill(), { code: 0 })
  const { use, events } = await ledgerState({ folder })
  t.strictSame(use, sample.use)
  t.equal(events, EVENTS)
}

async function replayAgain (t: Test, service: Service): Promise<void> {
  const { code, stdout } = await runTool(t, ['replay', '-', '--url', service.url, '--json'], { input: part(0, 1) })
  const { counted, duplicates } = JSON.parse(stdout) as { counted: number, duplicates: number }
  t.equal(code, 0)
  t.equal(counted + duplicates, EVENTS)
  t.ok(duplicates > CONCURRENCY, `${duplicates} had been counted, ${counted} were missing`)
  t.ok(counted > 0)
}

t.test('the service is killed: the replay goes on where it is started again', async t => {
  const folder = await emptyLedger(t)
  const env = { TOLLGATE_DATA_DIR: folder, PORT: String(await freePort()) }
  const doomed = await serve(t, { env })
  await webPlan(t, doomed)
  const tool = await underWay(t, doomed, 0.5, ['--json'])
  await doomed.kill('SIGKILL')
  tool.stdin.end(part(0.5, 1))
  await until('it noticed', () => tool.stderr().includes('trying again for up to 1 min 0 s'), WITHIN_MS)
  const service = await serve(t, { env })
  const { code, stdout, stderr } = await tool.ended
  t.equal(code, 0, stderr)
  t.match(JSON.parse(stdout), { events: EVENTS, unanswered: 0, refused: {} })
  t.ok(JSON.parse(stdout).retries > 0)
  t.match(stderr, /^tollgate: cannot reach .*\ntollgate: the service answers again\n$/)
  await checkAll(t, service, folder)
})

t.test('the service does not come back: the replay gives up, and another one completes it', async t => {
  const folder = await emptyLedger(t)
  const doomed = await serve(t, { env: { TOLLGATE_DATA_DIR: folder } })
  await webPlan(t, doomed)
  const tool = await underWay(t, doomed, 0.5, ['--retry-for', '1'])
  await doomed.kill('SIGKILL')
  tool.stdin.end(part(0.5, 1))
  const { code, stdout, stderr } = await tool.ended
  t.equal(code, 1)
  t.match(stdout, /^unanswered +\d+$/m)
  t.match(stderr, /^tollgate: gave up after .*: cannot reach .*\ntollgate: run the same command again to go on/m)
  const service = await serve(t, { env: { TOLLGATE_DATA_DIR: folder } })
  await replayAgain(t, service)
  await checkAll(t, service, folder)
})

t.test('the replay is interrupted, then killed: a third one completes it', async t => {
  const folder = await emptyLedger(t)
  const service = await serve(t, { env: { TOLLGATE_DATA_DIR: folder } })
  await webPlan(t, service)
  const { code, stdout, stderr } = await (await underWay(t, service, 0.3)).kill('SIGINT')
  t.equal(code, 130)
  t.match(stdout, /^lines +\d+$/m, 'it says what it did')
  t.notMatch(stdout, 'unanswered', 'what was sent was waited for')
  t.match(stderr, /tollgate: interrupted; run the same command again to go on: what was counted is not counted twice\n$/)
  t.match(await (await underWay(t, service, 0.6)).kill('SIGKILL'), { signal: 'SIGKILL', stdout: '' })
  await replayAgain(t, service)
  await checkAll(t, service, folder)
})
