import { Presets, SingleBar } from 'cli-progress'
import type { LosslessNumber } from 'lossless-json'
import { command, Failure, type Output } from './command.ts'
import { duration, grouped, json as jsonText, plain } from './output.ts'

interface Difference {
  readonly kind: string
  readonly org: string
  readonly feature: string
  readonly window: { readonly start: string, readonly end: string | null }
  readonly detail: string
  readonly mended: boolean
}

interface Checked {
  readonly orgs: LosslessNumber
  readonly windows: LosslessNumber
  readonly events: LosslessNumber
  readonly pruned: LosslessNumber
}

interface Page {
  readonly checked: Checked
  readonly differences: readonly Difference[]
  readonly mirror: 'compared' | 'none' | 'unreachable'
  readonly progress: LosslessNumber
  readonly nextCursor: string | null
}

/** Of more, JSON has the number only: a ledger in which everything is wrong must fit, too. */
const DIFFERENCES_LISTED_MAX = 10_000
const LINE_INTERVAL_MS = 5_000

export const verify = command({
  name: 'verify',
  summary: 'prove that counters are what their events say, and the mirror too',
  details: `Adds up the events of every org and window, and compares the counters with that, and the mirror with the counters.
What is being counted meanwhile is no difference. Says what is wrong, one line each, and where an event was deleted: between
which two others. It needs a key with scope admin.

--repair writes what the events say, where that is certain. What it cannot mend is a deleted event: nothing else knows of it,
and the counter, which does, stays as it is. Exit code 1: something differs that was not mended.`,
  options: {
    org: { value: 'org', help: 'this org alone (default: all of the environment)' },
    repair: { help: 'mend what can be mended' }
  },
  remote: true,
  examples: ['tollgate verify', 'tollgate verify --org org:acme --repair'],
  run: async ({ options: { org, repair }, json, terminal: { stdout, stderr }, connect }) => {
    const service = await connect()
    const tally = emptyTally()
    const show = showProgress(tally, stderr, json)
    const start = performance.now()
    try {
      for (let cursor: string | null | undefined; cursor !== null;) {
        const body = { repair, ...(org !== undefined && { org }), ...(cursor !== undefined && { cursor }) }
        const page = await service.callExactly('POST', '/v1/verify', body) as Page
        add(tally, page)
        for (const difference of json ? [] : page.differences) show.line(lineOf(difference), stdout)
        show.update()
        cursor = page.nextCursor
      }
    } finally {
      show.stop()
    }
    stdout.write(json ? jsonOf(tally) : `${summaryOf(tally, (performance.now() - start) / 1_000)}\n`)
    const left = tally.found - tally.mended
    if (left > 0) throw new Failure(left === 1 ? '1 difference' : `${grouped(left)} differences`)
  }
})

interface Tally {
  orgs: number
  windows: number
  events: number
  pruned: number
  found: number
  mended: number
  differences: Difference[]
  mirror: Page['mirror']
  progress: number
}

function emptyTally (): Tally {
  return { orgs: 0, windows: 0, events: 0, pruned: 0, found: 0, mended: 0, differences: [], mirror: 'compared', progress: 0 }
}

function add (tally: Tally, { checked, differences, mirror, progress }: Page): void {
  for (const name of ['orgs', 'windows', 'events', 'pruned'] as const) tally[name] += Number(checked[name])
  tally.found += differences.length
  tally.mended += differences.filter(({ mended }) => mended).length
  tally.differences.push(...differences.slice(0, DIFFERENCES_LISTED_MAX - tally.differences.length))
  if (tally.mirror !== 'unreachable') tally.mirror = mirror
  tally.progress = Number(progress)
}

function lineOf ({ org, feature, window: { start, end }, detail, mended }: Difference): string {
  return plain(`${org} ${feature} ${start} to ${end ?? 'never'}: ${detail}${mended ? ' (mended)' : ''}`)
}

function summaryOf (tally: Tally, seconds: number): string {
  const { orgs, windows, events, pruned, found, mended, mirror } = tally
  const [differ, repaired] = [found === 0 ? 'nothing differs' : `${grouped(found)} differ`, mended === 0 ? '' : `, ${grouped(mended)} mended`]
  const parts = [
    `${counted(events, 'event')} in ${counted(windows, 'window')} of ${counted(orgs, 'org')}, ${duration(seconds)}: ${differ}${repaired}`,
    ...(pruned === 0 ? [] : [`${counted(pruned, 'window')} could not be added up: events of theirs were deleted for their age`]),
    ...(mirror === 'unreachable' ? ['the mirror could not be read'] : [])
  ]
  return parts.join('\n')
}

function counted (count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`
}

function jsonOf ({ orgs, windows, events, pruned, found, mended, mirror, differences }: Tally): string {
  return jsonText({ checked: { orgs, windows, events, pruned }, mirror, found, mended, differences })
}

interface Progress {
  /** Above the bar. */
  line (text: string, stdout: Output): void
  update (): void
  stop (): void
}

/** On a terminal a bar, else a line from time to time; both on stderr. */
function showProgress (tally: Tally, stderr: Output, quiet: boolean): Progress {
  const figures = (): string => `${counted(tally.orgs, 'org')}  ${counted(tally.events, 'event')}  ${grouped(tally.found)} differ`
  if (quiet || !stderr.isTTY) {
    const write = (): void => { stderr.write(`tollgate: ${Math.floor(tally.progress * 100)} %  ${figures()}\n`) }
    const timer = quiet ? undefined : setInterval(write, LINE_INTERVAL_MS)
    return { line: (text, stdout) => { stdout.write(`${text}\n`) }, update: () => {}, stop: () => clearInterval(timer) }
  }
  const bar = new SingleBar({
    ...Presets.shades_classic,
    format: '{bar} {percentage} %  {figures}',
    barsize: 24,
    stream: stderr,
    linewrap: false,
    gracefulExit: false,
    clearOnComplete: true
  })
  bar.start(1, 0, { figures: figures() })
  return {
    line: (text, stdout) => {
      // The bar is drawn again below it.
      stderr.write('\r\x1b[K')
      stdout.write(`${text}\n`)
    },
    update: () => bar.update(tally.progress, { figures: figures() }),
    stop: () => bar.stop()
  }
}
