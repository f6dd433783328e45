import autocannon from 'autocannon'
import { performance } from 'node:perf_hooks'
import { FEATURE, type Load, type Loaded, orgName, ORGS, type Report } from './load.ts'

/**
 * The load generator, a process of its own so that nothing else runs on its event loop. It stays up for the whole
 * bench: every line meets the same warm generator. It ends when the process that started it ends.
 */

/** One answer in this many is parsed and looked at. */
const SAMPLE_EVERY = 50
/** Longer than any answer may take; only a server that hangs gets here. */
const PATIENCE_SECONDS = 20
const TICK_MS = 100

/** What autocannon's client has besides its documented members; with it a run ends without cutting a request off. */
interface Countable { reqsMade: number, responseMax: number | undefined }

interface Answer { ok?: unknown, org?: unknown, feature?: unknown, used?: unknown, duplicate?: unknown }

process.on('message', (load: Load) => {
  run(load).then(reply, (error: Error) => reply({ error: error.message }))
})
process.on('disconnect', () => process.exit(0))

function reply (report: Report): void {
  process.send?.(report)
}

async function run ({ call, urls, connections, warmupSeconds, seconds }: Load): Promise<Loaded> {
  const clients: autocannon.Client[] = []
  const bad: string[] = []
  const requests = requestsOf(call, answer => bad.push(answer))
  const times: number[] = []
  let measuring = false

  const ended = new Promise<autocannon.Result>((resolve, reject) => {
    const running = autocannon({
      // An array spreads the connections evenly; the types know only one.
      url: urls as unknown as string,
      connections,
      duration: warmupSeconds + seconds + PATIENCE_SECONDS,
      sampleInt: TICK_MS,
      setupClient: client => {
        client.setRequests(shuffled(requests, clients.length + 1))
        clients.push(client)
      }
    }, (error: Error | null, result) => error === null ? resolve(result) : reject(error))
    running.on('response', (_client, _status, _bytes, ms) => { if (measuring) times.push(ms) })
  })

  await sleep(warmupSeconds)
  measuring = true
  const started = performance.now()
  const usedBefore = process.cpuUsage()
  await sleep(seconds)
  measuring = false
  const elapsed = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(usedBefore)
  // Each client stops after the answer that it now waits for.
  for (const client of clients as unknown as Countable[]) client.responseMax = client.reqsMade

  const result = await ended
  const { errors, timeouts, non2xx, requests: { sent }, '2xx': answers } = result
  const problems = { errors, timeouts, non2xx, unanswered: sent - answers, bad: bad.length, none: times.length === 0 ? 1 : 0 }
  if (Object.values(problems).some(count => count > 0)) {
    const statuses = JSON.stringify(result.statusCodeStats ?? {})
    throw new Error(`${call} at ${urls.join(', ')} went wrong: ${JSON.stringify(problems)} ${statuses} ${bad[0] ?? ''}`)
  }
  times.sort((a, b) => a - b)
  return {
    answers,
    perSecond: times.length / elapsed,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    busy: (user + system) / 1e6 / elapsed
  }
}

/** Of sorted values. */
function quantile (values: readonly number[], q: number): number {
  return values[Math.min(values.length - 1, Math.floor(values.length * q))] as number
}

function requestsOf (call: Load['call'], refuse: (answer: string) => void): autocannon.Request[] {
  return Array.from({ length: ORGS }, (_, i) => {
    const org = orgName(i)
    const request: autocannon.Request = call === 'can'
      ? { method: 'GET', path: `/v1/can?org=${encodeURIComponent(org)}&feature=${encodeURIComponent(FEATURE)}` }
      : {
          method: 'POST',
          path: '/v1/report',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ org, feature: FEATURE, n: 1 })
        }
    if (i % SAMPLE_EVERY !== 0) return request
    return { ...request, onResponse: (_status, body) => { if (!isRight(call, org, body)) refuse(body) } }
  })
}

function isRight (call: Load['call'], org: string, body: string): boolean {
  const answer = JSON.parse(body) as Answer
  if (answer.org !== org || answer.feature !== FEATURE || typeof answer.used !== 'number' || answer.used < 1) return false
  return call === 'can' ? answer.ok === true : answer.duplicate === false
}

/** The same items in an order of their own for each seed: connections do not walk in step, and each meets every org. */
function shuffled<Item> (items: readonly Item[], seed: number): Item[] {
  const order = [...items]
  let state = seed
  for (let i = order.length - 1; i > 0; i -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const j = Math.floor(state / 2 ** 32 * (i + 1));
    [order[i], order[j]] = [order[j] as Item, order[i] as Item]
  }
  return order
}

async function sleep (seconds: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, seconds * 1000))
}
