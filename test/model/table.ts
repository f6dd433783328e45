import { amountText } from '../../src/domain/amount.ts'
import type { Instant } from '../../src/domain/entitlement.ts'
import type { Answer, Change, Request } from './request.ts'

/** What was asked for, and what the service said. */
export interface Row {
  readonly now: Instant
  readonly what: Request | Change
  readonly said: Answer
  /** At the same moment as its neighbours that are marked so. */
  readonly together: boolean
}

/** The service and the model disagree about what came last. */
export class Difference extends Error {
  override readonly name = 'Difference'
  constructor (rows: readonly Row[], said: object, expected: object) {
    super([tableOf(rows), '', 'differs', ...differences('', said, expected)].join('\n'))
  }
}

function tableOf (rows: readonly Row[]): string {
  const cells = [['', 'now', 'what', 'the service said'], ...rows.map(({ now, what, said, together }, i) =>
    [`${i + 1}${together ? ' *' : ''}`, new Date(now).toISOString(), textOf(what), membersOf(said)])]
  const widths = [0, 1, 2].map(column => Math.max(...cells.map(row => (row[column] as string).length)))
  return cells.map(row => row.map((cell, column) => column < 3 ? cell.padEnd(widths[column] as number) : cell).join('  ').trimEnd()).join('\n')
}

function textOf ({ do: kind, ...rest }: Request | Change): string {
  return `${kind} ${membersOf(rest)}`
}

function membersOf (members: object): string {
  return Object.entries(members).filter(([, value]) => value !== false).map(([name, value]) => `${name} ${valueOf(name, value)}`).join(', ')
}

const TIMES = new Set(['at', 'until', 'effectiveAt', 'expiresAt'])

function valueOf (name: string, value: unknown): string {
  if (typeof value === 'bigint') return amountText(value)
  if (typeof value === 'number' && TIMES.has(name)) return new Date(value).toISOString()
  return String(value)
}

/** One line for each place at which two values differ. */
function differences (path: string, said: unknown, expected: unknown): string[] {
  if (typeof said === 'object' && typeof expected === 'object' && said !== null && expected !== null) {
    const names = new Set([...Object.keys(said), ...Object.keys(expected)])
    return [...names].flatMap(name => differences(`${path}/${name}`, said[name as never], expected[name as never]))
  }
  return said === expected ? [] : [`  ${path}: the service says ${JSON.stringify(said)}, the model ${JSON.stringify(expected)}`]
}
