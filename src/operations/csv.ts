import { parse } from 'csv-parse'
import { pipeline, Readable } from 'node:stream'
import { TextDecoder } from 'node:util'
import { TollgateError } from '../errors.ts'

const RECORD_CHARS_MAX = 64 * 1024

/** One line of a file, or several where a cell has line breaks. */
export interface CsvRecord {
  /** On which it begins; the first is 1. */
  readonly line: number
  readonly cells: readonly string[]
}

/**
 * RFC 4180, with lines that end in CRLF, LF or CR, and a byte order mark or none. Lines without anything are left out. As
 * much of the file is read as is asked for, and a little ahead.
 * @param bytesMax of the whole file
 * @throws TollgateError `invalid_request` for what is no CSV, or no UTF-8; `body_too_large`
 */
export async function * readCsv (file: Readable, bytesMax: number): AsyncGenerator<CsvRecord> {
  let line = 1
  const records = parse({
    relax_column_count: true,
    record_delimiter: '\n',
    max_record_size: RECORD_CHARS_MAX,
    on_record: (cells, { lines }) => {
      const record: CsvRecord | null = cells.length > 1 || cells[0] !== '' ? { line, cells } : null
      line = lines + 1
      // Its types know of no record that becomes something else without naming its columns.
      return record as typeof cells | null
    }
  })
  try {
    yield * pipeline(Readable.from(decoded(file, bytesMax)), records, () => {}) as AsyncIterable<CsvRecord>
  } catch (error) {
    throw error instanceof TollgateError ? error : unreadable(error, line)
  }
}

/** Line breaks become LF: the parser counts lines by them. */
async function * decoded (file: Readable, bytesMax: number): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let bytes = 0
  let held = ''
  // Whoever sent a file hears what is wrong with it before all of it was read: their connection must not be closed.
  for await (const chunk of file.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new TollgateError('body_too_large', `a file may have at most ${bytesMax} bytes`)
    const text = held + decode(decoder, chunk)
    held = text.endsWith('\r') ? '\r' : ''
    yield (held === '' ? text : text.slice(0, -1)).replace(/\r\n?/g, '\n')
  }
  yield `${held === '' ? '' : '\n'}${decode(decoder)}`
}

function decode (decoder: TextDecoder, chunk?: Buffer): string {
  try {
    return decoder.decode(chunk, { stream: chunk !== undefined })
  } catch (cause) {
    throw new TollgateError('invalid_request', 'the file is not UTF-8', { cause })
  }
}

const REASONS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote is opened and never closed',
  CSV_INVALID_CLOSING_QUOTE: 'after a closing quote a comma or the end of the line must come',
  INVALID_OPENING_QUOTE: 'a quote in the middle of a cell: quote the whole cell, and write it twice',
  CSV_MAX_RECORD_SIZE: `a line must be at most ${RECORD_CHARS_MAX} characters`
}

/** From there on nobody can tell what is a cell. */
function unreadable (error: unknown, line: number): Error {
  const { code = '', column } = error as { code?: string, column?: unknown }
  const reason = REASONS[code]
  if (reason === undefined) return error as Error
  const where = typeof column === 'number' && code !== 'CSV_MAX_RECORD_SIZE' ? `line ${line}, cell ${column + 1}` : `line ${line}`
  return new TollgateError('invalid_request', `${where}: ${reason}`, { pointer: `/${line}` })
}
