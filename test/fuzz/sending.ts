import type { InjectOptions } from 'fastify'
import type { Damage, FuzzRequest } from './requests.ts'
import { changed, jsonText, type Lookup, placesIn, type Text, urlText } from './value.ts'

/** A request as it goes over the wire. */
export interface Sent {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly payload: Buffer | undefined
  /** Names of its query, as they arrive. */
  readonly queried: readonly string[]
}

/** @param lookup fills in what only the running service knows */
export function sendable (request: FuzzRequest, lookup: Lookup): Sent {
  let { method, contentType, body } = request
  let path: Array<readonly [Text, Text]> = Object.entries(request.path)
  let query = [...request.query]
  let suffix = ''
  const headers: Record<string, string> = Object.fromEntries(request.headers)
  const texts: Array<Extract<Damage, { to: 'text' | 'bytes' }>> = []
  for (const damage of request.damage) {
    switch (damage.to) {
      case 'body':
        body = body === undefined ? undefined : changed(body, damage.at % placesIn(body), damage.change)
        break
      case 'path':
        path = path.map(([name, value], i) => [name, i === damage.at % path.length ? damage.pair[1] : value])
        break
      case 'query':
        query = damaged(query, damage)
        break
      case 'header':
        headers[damage.name] = damage.value
        break
      case 'type':
        contentType = damage.type
        break
      case 'method':
        ({ method } = damage)
        break
      case 'address':
        suffix += urlText(damage.suffix, lookup)
        break
      default:
        texts.push(damage)
    }
  }
  const address = path.reduce((text, [name, value]) => text.replace(`{${name as string}}`, () => urlText(value, lookup)), request.template) + suffix
  const search = query.map(pair => pair.map(text => urlText(text, lookup)).join('=')).join('&')
  const payload = body === undefined ? undefined : texts.reduce(torn, Buffer.from(jsonText(body, lookup)))
  return {
    method,
    url: search === '' ? address : `${address}?${search}`,
    headers: { ...(payload !== undefined && { 'content-type': contentType }), ...headers },
    payload,
    queried: [...new URLSearchParams(search).keys(), ...undecoded(search)]
  }
}

function damaged (query: FuzzRequest['query'], { at, does, pair }: Extract<Damage, { to: 'path' | 'query' }>): Array<FuzzRequest['query'][number]> {
  if (query.length === 0 || does === 'add') return [...query, pair]
  return query.flatMap((given, i) => {
    if (i !== at % query.length) return [given]
    if (does === 'drop') return []
    return does === 'repeat' ? [given, [given[0], pair[1]]] : [[given[0], pair[1]]]
  })
}

/** A name that cannot be decoded arrives as it was sent, but for its spaces. */
function undecoded (search: string): string[] {
  return search.split('&').map(pair => (pair.split('=')[0] ?? '').replaceAll('+', ' '))
}

function torn (payload: Buffer, damage: Extract<Damage, { to: 'text' | 'bytes' }>): Buffer {
  const at = Math.floor(payload.length * damage.at / 1_000)
  return damage.to === 'text'
    ? Buffer.concat([payload.subarray(0, at), Buffer.from(damage.tail)])
    : Buffer.concat([payload.subarray(0, at), Buffer.from([0xc3, 0x28, 0xff]), payload.subarray(at)])
}

export function injected ({ method, url, headers, payload }: Sent): InjectOptions {
  return { method: method as 'GET', url, headers, ...(payload !== undefined && { payload }) }
}

const APOSTROPHE = 0x27
const BACKSLASH = 0x5c

/** For a shell; headers as the bytes that they are. */
export function curlOf ({ method, url, headers, payload }: Sent): string {
  const parts = [`curl -g --path-as-is -X ${method} ${quoted(`localhost:8080${url}`)}`]
  for (const [name, value] of Object.entries(headers)) parts.push(`-H ${quoted(value === '' ? `${name};` : `${name}: ${value}`)}`)
  if (payload !== undefined) parts.push(`--data-binary ${quoted(payload)}`)
  return parts.join(' ')
}

function quoted (text: string | Buffer): string {
  const bytes = [...Buffer.from(text)]
  const plain = bytes.every(byte => byte >= 0x20 && byte < 0x7f && byte !== APOSTROPHE)
  return plain ? `'${String(text)}'` : `$'${bytes.map(escaped).join('')}'`
}

function escaped (byte: number): string {
  const plain = byte >= 0x20 && byte < 0x7f && byte !== APOSTROPHE && byte !== BACKSLASH
  return plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
}
