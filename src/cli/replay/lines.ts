import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { Failure } from '../command.ts'

/** More than servers let a request line, a referer and a user agent have together, escaped. */
export const LINE_BYTES_MAX = 65_536
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const GZIP = Buffer.from([0x1f, 0x8b])
const NOTHING = Buffer.alloc(0)

export interface LogLine {
  /** Counted from 1, over every line. */
  readonly number: number
  /** As they are in the file, without the end of the line; null if they are more than `LINE_BYTES_MAX`. */
  readonly bytes: Buffer | null
  /** False for a last line without a line feed. */
  readonly ended: boolean
}

export interface LogSource {
  readonly chunks: AsyncIterable<Buffer>
  /** Of the file, as it lies there; undefined where it cannot be known. */
  readonly size: number | undefined
  /** How much of that size was read. */
  bytesRead (): number
  /** Ends the reading: a reader that waits sees an error. */
  stop (): void
}

/** A file, or stdin for `-`; what is compressed by gzip is read as what it was before. @throws Failure, as do the chunks */
export async function openLog (path: string, stdin: Readable): Promise<LogSource> {
  const facts = path === '-' ? undefined : await stat(path).catch(error => { throw unreadable(path, error) })
  const source = facts === undefined ? stdin : createReadStream(path)
  let bytesRead = 0

  async function * chunks (): AsyncGenerator<Buffer> {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      bytesRead += chunk.length
      yield chunk
    }
  }

  async function * readable (): AsyncGenerator<Buffer> {
    try {
      yield * unzipped(chunks())
    } catch (error) {
      throw unreadable(path, error)
    }
  }

  return {
    chunks: readable(),
    size: facts?.isFile() === true ? facts.size : undefined,
    bytesRead: () => bytesRead,
    stop: () => { source.destroy() }
  }
}

async function * unzipped (chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  let head: Buffer = NOTHING
  while (head.length < GZIP.length) {
    const { value, done } = await chunks.next()
    if (done === true) break
    head = Buffer.concat([head, value])
  }
  async function * all (): AsyncGenerator<Buffer> {
    yield head
    yield * chunks
  }
  // A failure of the source reaches the reader through the last stream.
  yield * head.subarray(0, GZIP.length).equals(GZIP) ? pipeline(all(), createGunzip(), () => {}) as AsyncIterable<Buffer> : all()
}

function unreadable (path: string, error: unknown): Failure {
  const { code, message } = error as NodeJS.ErrnoException
  const reason = { ENOENT: 'there is no such file', EACCES: 'you may not read it', EISDIR: 'it is a folder' }[code ?? ''] ?? message
  return new Failure(`cannot read ${path}: ${reason}`)
}

/** Splits at line feeds, and nowhere else: a lone carriage return or a separator of Unicode may be part of a user agent. */
export async function * linesOf (chunks: AsyncIterable<Buffer>): AsyncGenerator<LogLine> {
  let number = 0
  let begun: Buffer = NOTHING
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      yield lineOf(number += 1, joined(begun, chunk.subarray(start, end)), true)
      begun = NOTHING
      start = end + 1
    }
    begun = joined(begun, chunk.subarray(start))
  }
  if (begun.length > 0) yield lineOf(number + 1, begun, false)
}

function lineOf (number: number, bytes: Buffer, ended: boolean): LogLine {
  if (bytes.length > LINE_BYTES_MAX) return { number, bytes: null, ended }
  return { number, bytes: bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes, ended }
}

/** Of what is too long, no more is kept than shows it. */
function joined (begun: Buffer, more: Buffer): Buffer {
  if (begun.length === 0) return more.subarray(0, LINE_BYTES_MAX + 1)
  return Buffer.concat([begun, more.subarray(0, LINE_BYTES_MAX + 1 - begun.length)])
}
