import { createReadStream } from 'node:fs'
import stripJsonComments from 'strip-json-comments'
import { Agent, interceptors, request } from 'undici'
import { Failure } from './command.ts'

/** As much as the service takes. */
const BYTES_MAX = 4 * 1024 * 1024
const TIMEOUT_MS = 30_000
const REDIRECTIONS_MAX = 5

/**
 * A JSON document, with comments and trailing commas as people write them, from a file, a URL or, for `-`, from `stdin`.
 * @throws Failure
 */
export async function readDocument (from: string, stdin: NodeJS.ReadableStream): Promise<unknown> {
  const name = from === '-' ? 'stdin' : from
  const content = from === '-' ? await textOf(name, stdin) : await contentOf(from)
  const clean = stripJsonComments(content.replace(/^\uFEFF/, ''), { trailingCommas: true })
  try {
    return JSON.parse(clean) as unknown
  } catch (error) {
    throw new Failure(`${name} is not JSON: ${whereIn(clean, (error as Error).message)}`)
  }
}

async function contentOf (from: string): Promise<string> {
  if (/^https?:\/\//.test(from)) return await fetched(from)
  return await textOf(from, createReadStream(from))
}

async function textOf (name: string, stream: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const chunk of stream) {
      bytes += chunk.length
      if (bytes > BYTES_MAX) throw new Failure(`${name} is larger than ${BYTES_MAX / 1024 / 1024} MiB`)
      chunks.push(Buffer.from(chunk))
    }
  } catch (error) {
    if (error instanceof Failure) throw error
    const { code, message } = error as NodeJS.ErrnoException
    throw new Failure(`cannot read ${name}: ${code === 'ENOENT' ? 'there is no such file' : message}`)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Somebody else's server, so our key stays here. */
async function fetched (url: string): Promise<string> {
  const agent = new Agent({ maxResponseSize: BYTES_MAX })
  const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: REDIRECTIONS_MAX }))
  try {
    const { statusCode, body } = await request(url, { dispatcher, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS })
    const content = await body.text()
    if (statusCode === 200) return content
    throw new Failure(`cannot read ${url}: it answered ${statusCode}`)
  } catch (error) {
    if (error instanceof Failure) throw error
    throw new Failure(`cannot read ${url}: ${(error as Error).message || (error as NodeJS.ErrnoException).code}`)
  } finally {
    await agent.destroy()
  }
}

/** Comments were blanked, not cut out, so lines are those of the document. */
function whereIn (content: string, message: string): string {
  const [, position] = /at position (\d+)/.exec(message) ?? []
  if (position === undefined) return content.trim() === '' ? 'it is empty' : message
  const before = content.slice(0, Number(position)).split('\n')
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}: ${message.replace(/,? (in JSON )?at position.*$/s, '')}`
}
