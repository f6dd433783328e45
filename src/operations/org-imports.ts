import type { Readable } from 'node:stream'
import { v7 as uuidv7 } from 'uuid'
import { parseTextCursor } from '../domain/cursor.ts'
import { type Header, headerOf, isProblem, type OrgRow, orgRowOf, type RowProblem } from '../domain/org-row.ts'
import { TollgateError } from '../errors.ts'
import { available } from '../storage/ledger-reader.ts'
import type { OrgImport, ReceivedRow } from '../storage/org-imports.ts'
import type { Stores } from '../storage/stores.ts'
import { readCsv } from './csv.ts'
import { type Listed, listed, type ListRequest } from './listed.ts'
import { present } from './time.ts'

const FILE_BYTES_MAX = 256 * 1024 * 1024
const ROWS_MAX = 500_000
const PAGE_ROWS = 1_000
/** Of one environment, received and not yet applied. */
const UNFINISHED_MAX = 10
const LIST = 'org-imports'

/** A file of orgs, as it arrives. */
export interface OrgFile {
  readonly environment: string
  readonly file: Readable
  /** One row that is not right refuses all of them. */
  readonly atomic: boolean
}

/**
 * Takes a file of orgs in, and checks it. Nothing of it is applied before all of it is here; then it is applied page by page, in the
 * background, whatever becomes of this process. The same file again changes nothing.
 * @throws TollgateError `invalid_request` for what is no file of orgs and, of an atomic one, for a row that is not right;
 *   `body_too_large`; `overloaded` while too many wait
 */
export async function importOrgs (stores: Stores, { environment, file, atomic }: OrgFile): Promise<OrgImport> {
  const { orgImports } = stores
  await present(stores, environment)
  const records = readCsv(file, FILE_BYTES_MAX)
  const first = await records.next()
  if (first.done === true) throw new TollgateError('invalid_request', 'the file is empty: its first line must name the columns', { pointer: '' })
  const header = headerOf(first.value.cells)
  const id = uuidv7()
  if (!await available(orgImports.begin(id, environment, atomic, UNFINISHED_MAX))) {
    throw new TollgateError('overloaded', `${UNFINISHED_MAX} imports are not finished yet`, { retryAfterSeconds: 5 })
  }
  try {
    await receive(stores, id, header, records)
  } catch (error) {
    const detail = error instanceof TollgateError ? error.message : 'the file did not arrive whole'
    await available(orgImports.refuse(id, { line: lineOf(error), column: null, detail }))
    throw error
  }
  const received = await available(orgImports.received(id))
  if (received.state === 'refused') throw refusal(received)
  return received
}

/** Of what made a file unreadable; null: it is about no line. */
function lineOf (error: unknown): number | null {
  const pointer = error instanceof TollgateError ? error.problems[0]?.pointer : undefined
  return pointer === undefined ? null : Number(pointer.slice(1))
}

type Records = ReturnType<typeof readCsv>

async function receive ({ orgImports }: Stores, id: string, header: Header, records: Records): Promise<void> {
  let rows: ReceivedRow[] = []
  let problems: RowProblem[] = []
  let count = 0
  const store = async (): Promise<void> => {
    await available(orgImports.receive(id, rows, problems))
    rows = []
    problems = []
  }
  for await (const { line, cells } of records) {
    count += 1
    if (count > ROWS_MAX) throw new TollgateError('body_too_large', `a file may have at most ${ROWS_MAX} rows: send several`)
    const row: OrgRow | RowProblem = orgRowOf(header, cells, line)
    if (isProblem(row)) problems.push(row)
    else rows.push({ line, ...row })
    if (rows.length + problems.length >= PAGE_ROWS) await store()
  }
  await store()
}

function refusal ({ id, refused, problems }: OrgImport): TollgateError {
  const all = refused === 1 ? 'nothing was imported' : `${refused} rows in all, and nothing was imported`
  return new TollgateError('invalid_request', `${problems[0] === undefined ? '' : `${problemText(problems[0])}; `}${all}`, {
    problems: problems.map(problem => ({ pointer: `/${problem.line ?? 1}${problem.column === null ? '' : `/${problem.column}`}`, detail: problem.detail })),
    members: { id }
  })
}

function problemText ({ line, column, detail }: RowProblem): string {
  return `line ${line ?? 1}${column === null ? '' : `, column ${column}`}: ${detail}`
}

/** @throws TollgateError `not_found` */
export async function readImport ({ orgImports }: Stores, environment: string, id: string): Promise<OrgImport> {
  const found = UUID.test(id) ? await available(orgImports.find(environment, id)) : undefined
  if (found === undefined) throw new TollgateError('not_found', `there is no import ${id}`, { pointer: '?id' })
  return found
}

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

/** The latest first. */
export async function listImports ({ orgImports }: Stores, { environment, cursor, countMax }: ListRequest): Promise<Listed<OrgImport>> {
  const [before = null] = cursor === undefined ? [] : parseTextCursor(cursor, LIST, 1)
  if (before !== null && !UUID.test(before)) throw new TollgateError('invalid_request', 'cursor must be one that a page of this list gave', { pointer: '?cursor' })
  return listed(LIST, await available(orgImports.list(environment, before, countMax)))
}
