import type { Api, Body } from '../fixtures/api.ts'

export interface Seen {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly heading: string
  /** All that a person can read, without markup, in one line. */
  readonly text: string
  readonly raw: string
}

/** A person with a browser: no key, only a link. */
export interface Visitor {
  readonly open: (url: string) => Promise<Seen>
  /** Presses the button. */
  readonly confirm: (url: string) => Promise<Seen>
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

export function visitor ({ app }: Api): Visitor {
  async function request (method: 'GET' | 'POST', url: string): Promise<Seen> {
    const { statusCode: status, headers, payload: raw } = await app.inject({ method, url: pathOf(url), ...(method === 'POST' && { headers: FORM }) })
    return { status, headers, heading: textOf(/<h1>(.*?)<\/h1>/s.exec(raw)?.[1] ?? ''), text: textOf(raw.replace(/.*<body>/s, '')), raw }
  }
  return { open: async url => await request('GET', url), confirm: async url => await request('POST', url) }
}

/** What is asked for, as it stands in the link: nothing is tidied on the way. */
export function pathOf (url: string): string {
  return url.replace(/^https?:\/\/[^/]+/, '')
}

function textOf (markup: string): string {
  return markup.replace(/<[^>]*>/g, ' ').replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code))).replace(/\s+/g, ' ').trim()
}

/** The link of a checkout that is asked for now. */
export async function linkFor (api: Api, org: string, sent: Body = {}): Promise<string> {
  const { body } = await api.post('/v1/checkout', { org, success_url: 'https://app.example.com/welcome', ...sent })
  if (typeof body.url !== 'string') throw new Error(`no link: ${JSON.stringify(body)}`)
  return body.url
}
