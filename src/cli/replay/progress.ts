import { MultiBar, Presets } from 'cli-progress'
import type { Output } from '../command.ts'
import { duration, grouped, plain } from '../output.ts'
import type { LogSource } from './lines.ts'
import { answered, refusedCount, type Tally } from './tally.ts'

const BAR_INTERVAL_MS = 200
const LINE_INTERVAL_MS = 5_000

export interface Progress {
  /** A line of its own. */
  note (text: string): void
  stop (): void
}

export interface ProgressOptions {
  readonly log: LogSource
  readonly tally: Tally
  readonly retries: () => number
  readonly stderr: Output
  /** Nothing but notes. */
  readonly quiet: boolean
}

/** On a terminal a bar, else a line from time to time; both on stderr. */
export function showProgress (options: ProgressOptions): Progress {
  const { stderr, quiet, log } = options
  const start = performance.now()
  const seconds = () => (performance.now() - start) / 1_000
  if (quiet || !stderr.isTTY) {
    const write = (text: string) => { stderr.write(`tollgate: ${plain(text)}\n`) }
    const timer = setInterval(() => { if (!quiet) write(described(options, seconds()).join(', ')) }, LINE_INTERVAL_MS)
    return { note: write, stop: () => clearInterval(timer) }
  }
  const size = log.size ?? 0
  const bars = new MultiBar({
    ...Presets.shades_classic,
    format: log.size === undefined ? '{figures}' : '{bar} {figures}',
    barsize: 24,
    stream: stderr,
    linewrap: false,
    gracefulExit: false,
    clearOnComplete: true
  })
  const bar = bars.create(size, 0, { figures: '' })
  const timer = setInterval(() => bar.update(Math.min(log.bytesRead(), size), { figures: described(options, seconds()).join('  ') }), BAR_INTERVAL_MS)
  return {
    note: text => { bars.log(`tollgate: ${plain(text)}\n`) },
    stop: () => {
      clearInterval(timer)
      bars.stop()
    }
  }
}

function described ({ log, tally, retries }: ProgressOptions, seconds: number): string[] {
  const { lines, malformed, refused } = tally
  const [events, read] = [answered(tally), log.bytesRead()]
  const share = log.size === undefined ? 0 : Math.min(read / log.size, 1)
  const rest = share === 0 || share === 1 ? [] : [`${duration(seconds / share - seconds)} left`]
  const others = { malformed, refused: refusedCount(refused), retries: retries() }
  return [
    ...(log.size === undefined ? [] : [`${Math.floor(share * 100)} %`]),
    `${grouped(lines)} lines`,
    `${grouped(Math.round(events / seconds))} events/s`,
    ...rest,
    ...Object.entries(others).flatMap(([name, count]) => count === 0 ? [] : [`${grouped(count)} ${name}`])
  ]
}
