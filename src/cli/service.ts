import { parse } from 'lossless-json'
import { Agent, request } from 'undici'
import { type Place, Failure } from './command.ts'

/** Longer than the service itself tries to learn what became of a batch. */
const ANSWER_TIMEOUT_MS = 30_000
const CONNECT_TIMEOUT_MS = 5_000
const ANSWER_BYTES_MAX = 16 * 1024 * 1024

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface Answer {
  readonly status: number
  /** Null where the answer was no JSON. */
  readonly body: unknown
  readonly text: string
  /** The header Retry-After, if it is a number of seconds. */
  readonly retryAfterSeconds: number | undefined
}

export interface Service {
  readonly url: URL
  /** The id of the test clock in which every call happens. */
  readonly clock?: string
  /** Whatever the service answered. @throws Unreachable */
  ask (method: Method, path: string, body?: unknown): Promise<Answer>
  /** The answer, if it is one of success. @throws Refused, Unreachable */
  call (method: Method, path: string, body?: unknown): Promise<unknown>
  /** The same, each number in it a `LosslessNumber`: amounts are exact, and may have more digits than a float. */
  callExactly (method: Method, path: string, body?: unknown): Promise<unknown>
  close (): Promise<void>
}

/** No answer, for whatever reason: it may or may not have been done. */
export class Unreachable extends Failure {
  override readonly cause: unknown
  constructor (url: URL, cause: unknown) {
    super(`cannot reach ${url.origin}: ${reasonOf(cause)}`)
    this.cause = cause
  }
}

/** An answer that is not one of success; the message is the service's. */
export class Refused extends Failure {
  readonly status: number
  readonly code: string
  constructor (status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** @param connections kept open at most; that many requests are under way at a time */
export function openService ({ url, key, clock }: Place, connections = 1): Service {
  const dispatcher = new Agent({ connections, connect: { timeout: CONNECT_TIMEOUT_MS }, maxResponseSize: ANSWER_BYTES_MAX })
  const base = `${url.origin}${url.pathname.replace(/\/$/, '')}`
  const standard = {
    ...(key !== undefined && { authorization: `Bearer ${key}` }), ...(clock !== undefined && { 'tier-clock': clock })
  }

  async function ask (method: Method, path: string, body?: unknown): Promise<Answer> {
    try {
      const { statusCode, headers, body: received } = await request(`${base}${path}`, {
        method,
        dispatcher,
        headers: { ...standard, ...(body !== undefined && { 'content-type': 'application/json' }) },
        body: body === undefined ? null : JSON.stringify(body),
        headersTimeout: ANSWER_TIMEOUT_MS,
        bodyTimeout: ANSWER_TIMEOUT_MS
      })
      const [seconds] = /^\d{1,6}$/.exec(String(headers['retry-after'])) ?? []
      const retryAfterSeconds = seconds === undefined ? undefined : Number(seconds)
      const text = await received.text()
      return { status: statusCode, body: jsonOrNull(text), text, retryAfterSeconds }
    } catch (error) {
      throw new Unreachable(url, error)
    }
  }

  async function succeed (method: Method, path: string, body?: unknown): Promise<Answer> {
    const answer = await ask(method, path, body)
    if (answer.status < 200 || answer.status > 299 || answer.body === null) throw refusalOf(answer, url)
    return answer
  }

  return {
    url,
    ...(clock !== undefined && { clock }),
    ask,
    call: async (method, path, body) => (await succeed(method, path, body)).body,
    callExactly: async (method, path, body) => parse((await succeed(method, path, body)).text),
    close: async () => await dispatcher.destroy()
  }
}

/** What an answer other than success says. One that is not of our shape comes from another program on the way, or in our place. */
export function refusalOf ({ status, body }: Answer, url: URL): Refused {
  const { code, message, errors } = (body ?? {}) as { code?: unknown, message?: unknown, errors?: unknown }
  if (typeof code !== 'string' || typeof message !== 'string') {
    return new Refused(status, `http_${status}`, `${url.origin} answered ${status}, and not as Tollgate does: is it the right address?`)
  }
  const others = Array.isArray(errors) ? errors.slice(1) as Array<{ pointer?: unknown, detail?: unknown }> : []
  return new Refused(status, code, [`${message} (${code})`, ...others.map(({ pointer, detail }) => `${pointer}: ${detail}`)].join('\n'))
}

function jsonOrNull (text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return null
  }
}

function reasonOf (error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  // All addresses of a name failed; they mostly did so for one reason.
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  if (code === 'ECONNREFUSED') return 'nothing listens there (tollgate serve would)'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'its name cannot be resolved'
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET') return 'the connection was lost'
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return `no connection within ${CONNECT_TIMEOUT_MS / 1000} s`
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') return `no answer within ${ANSWER_TIMEOUT_MS / 1000} s`
  return message
}
