import { BOUNDS } from './lines.ts'
import type { Loaded } from './load/load.ts'
import type { Measured } from './measure.ts'
import type { MemoryWatch } from './memory-watch.ts'
import { type Count, isExact } from './sides/counts.ts'
import type { Service } from './sides/servers.ts'
import { LEDGERS, SIDES } from './sides/sides.ts'

export function figuresTable (measured: readonly Measured[]): string {
  const rows = measured.map(({ name, what, connections, side, peak, half }) => {
    const speeds = peak.map(({ perSecond }) => perSecond)
    const range = `${whole(Math.min(...speeds))}–${whole(Math.max(...speeds))}`
    const bare = measured.find(other => other.name === `${groupOf(name)}/bare`)
    const ofBare = bare === undefined ? '' : (median(peak, 'perSecond') / median(bare.peak, 'perSecond')).toFixed(2)
    const times = [peak, half].flatMap(rounds => rounds.length === 0 ? ['', ''] : [shortly(median(rounds, 'p50')), shortly(median(rounds, 'p99'))])
    const busy = `${Math.round(median(peak, 'busy') * 100)} %`
    return [what, connections, SIDES[side].name, whole(median(peak, 'perSecond')), range, ofBare, ...times, busy]
  })
  return tableOf([
    'call', '#connections', 'side', '#a second', '#lowest–highest', '#× bare', '#p50 ms', '#p99 ms', '#p50 ms at half', '#p99 ms at half', '#generator'
  ], rows)
}

export interface Ratio {
  readonly what: string
  readonly least: number | undefined
  readonly ratio: number
  readonly holds: boolean
}

/** Of the lines that were measured. */
export function ratiosOf (measured: readonly Measured[]): Ratio[] {
  const speeds = new Map(measured.map(({ name, peak }) => [name, median(peak, 'perSecond')]))
  return BOUNDS.flatMap(({ what, line, beside, least }) => {
    const [speed, other] = [speeds.get(line), speeds.get(beside)]
    if (speed === undefined || other === undefined) return []
    const ratio = speed / other
    return [{ what, least, ratio, holds: ratio >= (least ?? 0) }]
  })
}

export function ratiosTable (ratios: readonly Ratio[]): string {
  return tableOf(['a second, as a ratio', '#at least', '#measured', ''], ratios.map(({ what, least, ratio, holds }) =>
    [what, least ?? '', ratio.toFixed(2), least === undefined ? '' : holds ? '✓' : '✗ falls short']))
}

export function countsTable (counts: readonly Count[]): string {
  return tableOf(['counted', '#answered with 200', '#in the counters', '#events', ''], counts.map(count => {
    const { ledger, answered, stored: { counters, events } } = count
    return [LEDGERS[ledger], whole(answered), wholeOrNone(counters), wholeOrNone(events?.rows), isExact(count) ? '✓' : '✗ NOT EQUAL']
  }))
}

/** @param watches of the services, in their order */
export function memoryTable (services: readonly Service[], watches: readonly MemoryWatch[]): string {
  const head = ['resident memory of Tollgate, MB', '#before the first line', '#median', '#at the end', '#highest', '#under', '']
  return tableOf(head, services.map(({ name, residentMax }, i) => {
    const { samples } = watches[i] as MemoryWatch
    const figures = [samples[0] as number, middleOf(samples), samples.at(-1) as number, Math.max(...samples)].map(whole)
    return [name, ...figures, residentMax ?? '', residentMax === undefined ? '' : isWithin(residentMax, samples) ? '✓' : '✗ too much']
  }))
}

function isWithin (residentMax: number, samples: readonly number[]): boolean {
  return Math.max(...samples) < residentMax
}

function groupOf (name: string): string {
  return name.slice(0, name.indexOf('/'))
}

function median (rounds: readonly Loaded[], figure: keyof Loaded): number {
  return middleOf(rounds.map(round => round[figure]))
}

function middleOf (values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] as number) + (sorted[Math.floor(middle)] as number)) / 2
}

/** @param head names; those of columns that stand to the right begin with `#` */
function tableOf (head: readonly string[], rows: ReadonlyArray<ReadonlyArray<string | number>>): string {
  const line = (cells: ReadonlyArray<string | number>): string => `| ${cells.join(' | ')} |`
  const rule = head.map(name => name.startsWith('#') ? '--:' : '---')
  return [head.map(name => name.replace('#', '')), rule, ...rows].map(line).join('\n')
}

function whole (value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function wholeOrNone (value: number | undefined): string {
  return value === undefined ? '' : whole(value)
}

function shortly (ms: number): string {
  return ms < 10 ? ms.toFixed(2) : ms.toFixed(1)
}
