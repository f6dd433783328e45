/** `npm run bench:abuse`: what GraphQL that means harm is told, how long it takes, and what it leaves in memory. */
import { execFileSync } from 'node:child_process'
import { Agent, request } from 'node:http'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { inScope } from '../test/fixtures/guard.ts'
import { serve } from '../test/fixtures/process.ts'
import { type Abuse, ABUSES, NUMBER } from './abuses.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
/** Of each, one after the other. */
const TIMED = 20
/** Of each, for the memory: in rounds, as the first one fills what a process keeps. */
const PER_ROUND = 200
const ROUNDS = 3
const AT_ONCE = 4
const MEDIAN_MS_MAX = 50
/** By which memory may differ after the rounds that follow the first: garbage that is not collected yet. */
const GROWTH_MB_MAX = 64
const CHUNK_BYTES = 65_536
const MESSAGE_SHOWN = 60
const BYTES_PER_MB = 1_048_576

interface Answer {
  readonly status: number
  readonly code: unknown
  readonly message: string
  readonly ms: number
}

interface Measured {
  readonly abuse: Abuse
  readonly answer: Answer
  readonly median: number
  readonly worst: number
}

async function main (): Promise<boolean> {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' })
  return await inScope(async scope => {
    const { url } = await serve(scope, { entry: fileURLToPath(new URL('../dist/cli/tollgate.js', import.meta.url)) })
    return await bench(url)
  })
}

async function bench (url: string): Promise<boolean> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  const measured: Measured[] = []
  const atFirst = await residentMb(url)
  for (const abuse of ABUSES) {
    process.stderr.write(`${abuse.what}\n`)
    measured.push(await time(url, agent, abuse))
  }
  const memory: number[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    process.stderr.write(`round ${round} of ${ROUNDS}\n`)
    for (const abuse of ABUSES) await flood(url, agent, abuse)
    memory.push(await residentMb(url))
  }
  agent.destroy()
  console.log(tableOf(measured))
  const rounds = memory.map(mb => `${mb} MB`).join(', ')
  console.log(`\nResident memory: ${atFirst} MB at first, then, after each ${PER_ROUND} of all ${ABUSES.length}: ${rounds}.`)
  const slow = measured.filter(({ median }) => median >= MEDIAN_MS_MAX)
  for (const { abuse, median } of slow) console.log(`TOO SLOW: ${abuse.what}: ${median.toFixed(1)} ms, of ${MEDIAN_MS_MAX}`)
  const grown = (memory.at(-1) as number) - (memory[0] as number)
  if (grown > GROWTH_MB_MAX) console.log(`NOT FLAT: ${grown} MB more after the last round than after the first`)
  return slow.length === 0 && grown <= GROWTH_MB_MAX
}

async function time (url: string, agent: Agent, abuse: Abuse): Promise<Measured> {
  const answers: Answer[] = []
  for (let i = 0; i < TIMED; i += 1) answers.push(await send(url, agent, abuse))
  const sorted = answers.map(({ ms }) => ms).sort((a, b) => a - b)
  return { abuse, answer: answers[0] as Answer, median: sorted[TIMED / 2] as number, worst: sorted.at(-1) as number }
}

async function flood (url: string, agent: Agent, abuse: Abuse): Promise<void> {
  let left = PER_ROUND
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (left > 0) {
      left -= 1
      await send(url, agent, abuse)
    }
  }))
}

/** @throws Error if it is not answered as it should be */
async function send (url: string, agent: Agent, abuse: Abuse): Promise<Answer> {
  const body = bodyOf(abuse)
  const started = performance.now()
  const { status, text } = await post(`${url}/graphql`, agent, body, abuse.chunked === true)
  const ms = performance.now() - started
  const { errors: [error] = [] } = JSON.parse(text) as { errors?: ReadonlyArray<{ message: string, extensions: { code: unknown } }> }
  if (error === undefined || error.extensions.code !== abuse.code || !abuse.message.test(error.message)) {
    throw new Error(`${abuse.what} was answered ${status} ${text.slice(0, 1_000)}`)
  }
  return { status, code: error.extensions.code, message: error.message, ms }
}

const bodies = new Map<Abuse, Buffer>()
let sent = 0

/** Texts differ, so that none is answered from what is remembered of another. */
function bodyOf (abuse: Abuse): Buffer {
  const known = bodies.get(abuse) ?? Buffer.from(abuse.body)
  bodies.set(abuse, known)
  const body = Buffer.from(known)
  body.write(String(sent += 1).padStart(NUMBER.length, '0'), body.indexOf(NUMBER), 'latin1')
  return body
}

/** The service answers what is too long before it has all of it, and closes: what is not sent by then is not sent. */
async function post (url: string, agent: Agent, body: Buffer, chunked: boolean): Promise<{ status: number, text: string }> {
  return await new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', ...(!chunked && { 'content-length': body.length }) }
    const outgoing = request(url, { method: 'POST', agent, headers }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text })).on('error', reject)
    })
    outgoing.on('error', reject)
    for (let at = 0; at < body.length; at += CHUNK_BYTES) outgoing.write(body.subarray(at, at + CHUNK_BYTES))
    outgoing.end()
  })
}

async function residentMb (url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const [, bytes] = /^process_resident_memory_bytes (\S+)$/m.exec(text) ?? []
  if (bytes === undefined) throw new Error('the service does not say how much memory it has')
  return Math.round(Number(bytes) / BYTES_PER_MB)
}

function tableOf (measured: readonly Measured[]): string {
  const rows = measured.map(({ abuse, answer: { status, code, message }, median, worst }) => {
    const shown = message.length > MESSAGE_SHOWN ? `${message.slice(0, MESSAGE_SHOWN)}…` : message
    return `| ${abuse.what} | ${status} | ${code} | ${shown.replaceAll('|', '\\|')} | ${median.toFixed(1)} | ${worst.toFixed(1)} |`
  })
  return ['| request | status | code | message | median ms | worst ms |', '| --- | --: | --- | --- | --: | --: |', ...rows].join('\n')
}

main().then(isWell => process.exit(isWell ? 0 : 1), error => {
  console.error(error)
  process.exit(1)
})
