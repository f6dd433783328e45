import type { Loaded } from './load.ts'
import { CONNECTIONS, type Line, type Measured, type Side } from './lines.ts'
import { type Count, isExact } from './usage.ts'

const NAMES: Readonly<Record<Side, string>> = {
  bare: 'bare Fastify',
  servers: 'PostgreSQL + Redis',
  replicas: 'the same, two replicas',
  embedded: 'embedded',
  hand: 'hand-written'
}

/** Each at the greater number of connections. */
const BOUNDS: ReadonlyArray<{ readonly call: Line['call'], readonly side: Side, readonly beside: Side, readonly least: number }> = [
  { call: 'can', side: 'servers', beside: 'bare', least: 0.6 },
  { call: 'report', side: 'servers', beside: 'bare', least: 0.35 },
  { call: 'report', side: 'servers', beside: 'hand', least: 4 },
  { call: 'can', side: 'replicas', beside: 'servers', least: 0.6 },
  { call: 'report', side: 'replicas', beside: 'servers', least: 0.6 }
]

export function figuresTable (measured: readonly Measured[]): string {
  const rows = measured.map(it => {
    const speeds = it.rounds.map(({ perSecond }) => perSecond)
    const speed = median(it.rounds, 'perSecond')
    const range = `${whole(Math.min(...speeds))}–${whole(Math.max(...speeds))}`
    const ofBare = speed / speedOf(measured, { ...it, side: 'bare' })
    const [p50, p99] = [median(it.rounds, 'p50').toFixed(1), median(it.rounds, 'p99').toFixed(1)]
    const busy = `${Math.round(median(it.rounds, 'busy') * 100)} %`
    return [`\`${it.call}\``, it.connections, NAMES[it.side], whole(speed), range, p50, p99, ofBare.toFixed(2), busy]
  })
  return tableOf(['call', '#connections', 'side', '#requests/s', '#lowest–highest', '#p50 ms', '#p99 ms', '#× bare', '#generator'], rows)
}

export interface Ratio {
  readonly text: string
  readonly least: number
  readonly ratio: number
  readonly holds: boolean
}

export function ratiosOf (measured: readonly Measured[]): Ratio[] {
  const connections = CONNECTIONS[1]
  return BOUNDS.map(({ call, side, beside, least }) => {
    const ratio = speedOf(measured, { call, side, connections }) / speedOf(measured, { call, side: beside, connections })
    return { text: `\`${call}\`: ${NAMES[side]} / ${NAMES[beside]}`, least, ratio, holds: ratio >= least }
  })
}

export function ratiosTable (ratios: readonly Ratio[]): string {
  return tableOf([`at ${CONNECTIONS[1]} connections`, '#at least', '#measured', ''], ratios.map(({ text, least, ratio, holds }) =>
    [text, least, ratio.toFixed(2), holds ? '✓' : '✗ falls short']))
}

export function countsTable (counts: readonly Count[]): string {
  return tableOf(['reports', '#answered with 200', '#sum of the counters', '#events', ''], counts.map(count =>
    [count.where, whole(count.answered), whole(count.counters), count.events === undefined ? '' : whole(count.events.rows),
      isExact(count) ? '✓' : '✗ NOT EQUAL']))
}

function speedOf (measured: readonly Measured[], { call, side, connections }: Line): number {
  const line = measured.find(it => it.call === call && it.side === side && it.connections === connections)
  if (line === undefined) throw new Error(`${call} ${side} was not measured`)
  return median(line.rounds, 'perSecond')
}

function median (rounds: readonly Loaded[], figure: keyof Loaded): number {
  const sorted = rounds.map(round => round[figure]).sort((a, b) => a - b)
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
