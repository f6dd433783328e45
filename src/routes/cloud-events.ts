import type { FastifyRequest } from 'fastify'
import { TollgateError } from '../errors.ts'

/**
 * CloudEvents 1.0 (https://github.com/cloudevents/spec) as reports. `subject` is the org and `type` the feature, with or
 * without their prefixes; `time` is `at`; `data` is `n`, or an object with `n` and `clobber` whose other members are
 * kept as properties. An event is known by its source and its id, so the event's id here is `<source>/<id>`. Extension
 * attributes are not read.
 */
export function fromCloudEvent (event: unknown): Readonly<Record<string, unknown>> {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) throw invalid('', 'a CloudEvent must be an object')
  const { specversion, id, source, type, subject, time, data, data_base64: binary } = event as Readonly<Record<string, unknown>>
  if (specversion !== '1.0') throw invalid('/specversion', 'specversion must be "1.0"')
  if (binary !== undefined) throw invalid('/data_base64', 'data must be JSON; data_base64 is not read')
  const feature = text(type, 'type')
  const org = text(subject, 'subject')
  return {
    org: org.startsWith('org:') ? org : `org:${org}`,
    feature: feature.startsWith('feature:') ? feature : `feature:${feature}`,
    id: `${text(source, 'source')}/${text(id, 'id')}`,
    ...(time !== undefined && { at: time }),
    ...usedOf(data)
  }
}

function text (value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw invalid(`/${name}`, `${name} must be a text that is not empty`)
}

function usedOf (data: unknown): Readonly<Record<string, unknown>> {
  if (data === undefined || data === null) return {}
  if (typeof data !== 'object' || Array.isArray(data)) return { n: data }
  const { n, clobber, ...properties } = data as Readonly<Record<string, unknown>>
  return {
    ...(n !== undefined && { n }),
    ...(clobber !== undefined && { clobber }),
    ...(Object.keys(properties).length > 0 && { properties })
  }
}

/** Binary mode: the attributes are headers, percent-encoded, and the body is the data. undefined: it is none */
export function binaryCloudEvent ({ headers, body }: Pick<FastifyRequest, 'headers' | 'body'>): Readonly<Record<string, unknown>> | undefined {
  if (headers['ce-specversion'] === undefined) return undefined
  const attributes = Object.entries(headers).filter(([name]) => name.startsWith('ce-'))
    .map(([name, value]) => [name.slice('ce-'.length), decoded(name, String(value))])
  return { ...Object.fromEntries(attributes), data: body }
}

function decoded (name: string, value: string): string {
  try {
    return decodeURIComponent(value)
  } catch (cause) {
    throw new TollgateError('invalid_request', `the header ${name} is not percent-encoded UTF-8`, { pointer: name, cause })
  }
}

function invalid (pointer: string, message: string): TollgateError {
  return new TollgateError('invalid_request', message, { pointer })
}
