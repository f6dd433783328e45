import { Agent, type ClientRequest, type IncomingHttpHeaders, request } from 'node:http'
import type { Scope } from '../fixtures/guard.ts'

/** What these tests read of answers; each answer has some of it. */
export interface Members {
  readonly ok?: boolean
  readonly id?: string
  readonly used?: number
  readonly limit?: number | null
  readonly version?: number | null
  readonly duplicate?: boolean
  readonly degraded?: boolean
  readonly reason?: string
  readonly code?: string
  readonly present?: string
  readonly detail?: string
  readonly ready?: boolean
  readonly checks?: Readonly<Record<string, string>>
  readonly window?: { readonly start: string, readonly end: string | null }
  readonly current?: { readonly used: number, readonly start: string, readonly end: string | null } | null
  readonly past?: ReadonlyArray<{ readonly used: number, readonly start: string }>
  readonly features?: readonly Members[]
  readonly feature?: string
  readonly results?: ReadonlyArray<{ readonly status: string, readonly reason: string }>
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** As it came: figures of more digits than a float has are compared here. */
  readonly text: string
  readonly body: Members
}

export interface Api {
  /** Rejects when the connection fails before the answer is whole. */
  get (path: string, query?: Readonly<Record<string, string>>): Promise<Answer>
  post (path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>
  put (path: string, body: unknown): Promise<Answer>
  delete (path: string): Promise<Answer>
}

export interface ApiOptions {
  /** Connections that are kept open, at most. */
  readonly sockets?: number
  /** A call that is not answered by then is given up, and its connection closed; absent: never. */
  readonly timeoutMs?: number
  /** The value of the header `Authorization`. */
  readonly authorization?: string
  /** The id of a test clock that every call names. */
  readonly clock?: string
}

/** A caller of one process, over connections of its own. */
export function apiOf (t: Scope, url: string, { sockets = 50, timeoutMs, authorization, clock }: ApiOptions = {}): Api {
  const agent = new Agent({ keepAlive: true, maxSockets: sockets })
  t.teardown(() => agent.destroy())
  const { hostname, port } = new URL(url)
  const standard = { ...(authorization !== undefined && { authorization }), ...(clock !== undefined && { 'tier-clock': clock }) }

  async function call (method: string, path: string, body?: unknown, headers = {}): Promise<Answer> {
    const text = body === undefined ? '' : JSON.stringify(body)
    const content = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
    return await new Promise((resolve, reject) => {
      const sent = request({ hostname, port, path, method, agent, headers: { ...standard, ...content, ...headers } }, response => {
        let received = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => { received += chunk })
        response.once('error', reject)
        response.once('end', () => resolve({
          status: response.statusCode ?? 0, headers: response.headers, text: received, body: membersOf(received)
        }))
      })
      sent.once('error', reject)
      if (timeoutMs !== undefined) giveUpAfter(timeoutMs, sent)
      sent.end(text)
    })
  }

  return {
    get: async (path, query) => await call('GET', query === undefined ? path : `${path}?${new URLSearchParams(query)}`),
    post: async (path, body, headers) => await call('POST', path, body, headers),
    put: async (path, body) => await call('PUT', path, body),
    delete: async path => await call('DELETE', path)
  }
}

function giveUpAfter (timeoutMs: number, sent: ClientRequest): void {
  const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  sent.once('close', () => clearTimeout(timer))
}

function membersOf (text: string): Members {
  return text.startsWith('{') ? JSON.parse(text) as Members : {}
}
