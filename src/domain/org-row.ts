import { TollgateError } from '../errors.ts'
import { parseOrg } from './ids.ts'
import { changeInfo, type OrgInfo, type ProfileChange } from './org-info.ts'

/** The columns of a file of orgs, in the order in which they are written. */
export const ORG_COLUMNS = ['org', 'name', 'email', 'billingId', 'description', 'phone', 'metadata'] as const

/** `id` in place of `org`: without its prefix, as Kana had them. */
type Column = typeof ORG_COLUMNS[number] | 'id'

const COLUMNS: ReadonlySet<string> = new Set([...ORG_COLUMNS, 'id'])

/** What a file says of one org. A cell that is empty says that there is none; a column that is not there says nothing. */
export interface OrgRow {
  readonly org: string
  readonly change: ProfileChange
}

/** One cell that is not right, by where it stands. */
export interface RowProblem {
  /** The first is 1; null: the file as a whole. */
  readonly line: number | null
  /** As the header names it; null: the whole line. */
  readonly column: string | null
  readonly detail: string
}

export type Header = readonly Column[]

/** @throws TollgateError `invalid_request` with the pointer `/1/<column>` */
export function headerOf (cells: readonly string[]): Header {
  const names = cells.map(cell => cell.trim())
  const unknown = names.find(name => !COLUMNS.has(name))
  if (unknown !== undefined) {
    throw badHeader(unknown, `line 1 has a column "${unknown}"; there are ${ORG_COLUMNS.join(', ')}, and id for org without its prefix`)
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw badHeader(twice, `line 1 has the column "${twice}" twice`)
  if (names.includes('org') === names.includes('id')) {
    throw badHeader('org', 'line 1 must name the columns, and one of them must be org, or id for org without its prefix')
  }
  return names as Column[]
}

function badHeader (column: string, message: string): TollgateError {
  return new TollgateError('invalid_request', message, { pointer: `/1/${column}` })
}

/** @returns what is wrong with a row, the first thing of it */
export function orgRowOf (header: Header, cells: readonly string[], line: number): OrgRow | RowProblem {
  if (cells.length !== header.length) {
    return { line, column: null, detail: `has ${cells.length} cells, and line 1 names ${header.length} columns` }
  }
  const values = new Map(header.map((column, i) => [column, cellValue(cells[i] ?? '')]))
  const id = values.get('id')
  const org = id === undefined ? values.get('org') ?? '' : `org:${id}`
  values.delete('org')
  values.delete('id')
  try {
    parseOrg(org, id === undefined ? '/org' : '/id')
    const change = Object.fromEntries([...values].map(([column, text]) => [column, column === 'metadata' ? metadataOf(text) : text || null]))
    changeInfo({}, change)
    return { org, change }
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error
    const column = error.problems[0]?.pointer.split('/')[1] ?? null
    return { line, column, detail: error.message }
  }
}

export function isProblem (row: OrgRow | RowProblem): row is RowProblem {
  return 'detail' in row
}

function metadataOf (text: string): ProfileChange['metadata'] {
  if (text === '') return null
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as ProfileChange['metadata']
  } catch {}
  throw new TollgateError('invalid_request', 'metadata must be a JSON object', { pointer: '/metadata' })
}

/** In the order of `ORG_COLUMNS`. */
export function orgCells (org: string, { name = '', email = '', billingId = '', description = '', phone = '', metadata }: OrgInfo): string[] {
  return [org, name, email, billingId, description, phone, metadata === undefined ? '' : JSON.stringify(metadata)].map(cellText)
}

/**
 * What a spreadsheet would take for a formula, and run. An apostrophe before it makes it a text there
 * (https://owasp.org/www-community/attacks/CSV_Injection); as it is taken away again where a file comes in, what already
 * begins like that gets one more.
 */
const FORMULA = /^'*[=+\-@\t\r＝＋－＠]/

function cellText (value: string): string {
  return FORMULA.test(value) ? `'${value}` : value
}

function cellValue (cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell
}
