import { command, Failure, wholeOption } from './command.ts'
import { grouped } from './output.ts'
import { summaryJson, summaryText } from './replay/summary.ts'
import { answered, emptyTally, refusedCount, type Tally } from './replay/tally.ts'

const CONCURRENCY = { standard: 64, min: 1, max: 512 }
const RETRY_SECONDS = { standard: 60, min: 0, max: 86_400 }
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const
const AGAIN = 'run the same command again to go on: what was counted is not counted twice'

export const replay = command({
  name: 'replay',
  summary: 'report what an access log says was used',
  args: ['<file>'],
  details: `Reads common or combined format, gzip too, from <file> or, for "-", from stdin. Each line becomes two events of
org:<client>, at the line's time: feature:requests, 1, and feature:bytes, what was sent. Orgs that were never seen need a
default plan: see PUT /v1/environments/{name}.

Run it again whenever you like, after an interruption, too: the same line is counted once. Lines that are the same are
requests of their own, by their order; so replay logs that follow each other in one go, and give the logs of several
servers a --source each.`,
  options: {
    concurrency: { value: 'n', help: `events under way at a time, up to ${CONCURRENCY.max} (default ${CONCURRENCY.standard})` },
    'retry-for': { value: 'seconds', help: `how long to try again while the service is away (default ${RETRY_SECONDS.standard})` },
    source: { value: 'name', help: 'tells this log from others that may hold the same lines' }
  },
  remote: true,
  examples: [
    'tollgate replay access.log',
    'zcat -f access.log.2.gz access.log.1 | TOLLGATE_KEY=prv_live_... tollgate replay - --url https://tollgate.example.com'
  ],
  run: async ({ options, args: [path = '-'], json, terminal: { stdout, stderr }, connect }) => {
    const concurrency = wholeOption('concurrency', options.concurrency, CONCURRENCY)
    const patienceMs = wholeOption('retry-for', options['retry-for'], RETRY_SECONDS) * 1_000
    const [{ delivery }, { openLog }, { showProgress }, { run }] = await parts()
    const service = await connect(concurrency)
    const [log, tally, stop] = [await openLog(path, process.stdin), emptyTally(), new AbortController()]
    const sender = delivery({ service, patienceMs, signal: stop.signal, note: text => progress.note(text) })
    const progress = showProgress({ log, tally, retries: sender.retries, stderr, quiet: json })
    const signal = firstSignal(() => stop.abort())
    const start = performance.now()
    const problem = await run({ log, tally, stop, concurrency, delivery: sender, source: options.source ?? '' }).catch((error: unknown) => error)
    progress.stop()
    const ending = { tally, retries: sender.retries(), seconds: (performance.now() - start) / 1_000, interrupted: signal() !== undefined }
    // Of a service that was never reached there is nothing to add up.
    if (json) stdout.write(summaryJson(ending))
    else if (problem === undefined || answered(tally) > 0) stdout.write(summaryText(ending))
    judge(tally, problem, signal())
  }
})

/** What no other command has to load: half of the time that `tollgate help` took. */
async function parts () {
  return await Promise.all([import('./replay/delivery.ts'), import('./replay/lines.ts'), import('./replay/progress.ts'), import('./replay/run.ts')])
}

/** Calls `stop` at the first signal; a second one ends the process where it stands. @returns tells which one came */
function firstSignal (stop: () => void): () => keyof typeof EXIT_CODES | undefined {
  let received: keyof typeof EXIT_CODES | undefined
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (received !== undefined) process.exit(EXIT_CODES[signal])
      received = signal
      stop()
    })
  }
  return () => received
}

/** @throws Failure if not every line that could be read is in the ledger now */
function judge (tally: Tally, problem: unknown, signal: keyof typeof EXIT_CODES | undefined): void {
  if (signal !== undefined) throw new Failure(`interrupted; ${AGAIN}`, EXIT_CODES[signal])
  if (problem instanceof Failure && answered(tally) > 0) throw new Failure(`${problem.message}\n${AGAIN}`)
  if (problem !== undefined) throw problem
  const refused = refusedCount(tally.refused)
  if (refused > 0) throw new Failure(refused === 1 ? '1 event was refused' : `${grouped(refused)} events were refused`)
  if (tally.lines > 0 && tally.malformed === tally.lines) throw new Failure('none of its lines is in common or combined format')
}
