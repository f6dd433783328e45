import { type ErrorCode, errors } from '../../src/errors.ts'
import type { Body, Reply } from '../fixtures/api.ts'
import type { Operation } from '../fixtures/operations.ts'
import type { Sent } from './sending.ts'

/** A 400 that is about no field: the request as a whole cannot be read. */
const UNREADABLE = [
  'invalid json syntax', 'the body must be a JSON object; it is empty', 'the body is not as long as content-length says',
  'the path is not a valid URL path'
]

const MEMBERS = ['code', 'detail', 'errors', 'id', 'message', 'status', 'title', 'type']

/**
 * @param parameters of every method of the path: it may be another one that answers
 * @returns what is wrong with an answer; undefined: nothing
 */
export function wrongWith (sent: Sent, { status, headers, body }: Reply, parameters: Operation['parameters']): string | undefined {
  if (status >= 500) return `it answers ${status}`
  // An answer without a body has nothing further to say.
  if (status < 300 || sent.method === 'HEAD') return undefined
  if (status < 400) return `it answers ${status}`
  const { code, title, message, detail, type } = body
  if (!String(headers['content-type']).startsWith('application/problem+json')) return `its content type is ${String(headers['content-type'])}`
  if (![code, title, message, detail, type].every(text => typeof text === 'string' && text !== '')) return 'a member is no text'
  if (Object.keys(body).some(member => !MEMBERS.includes(member))) return `it has the members ${Object.keys(body).join(', ')}`
  const known = errors[code as ErrorCode] as { status: number, title: string } | undefined
  if (known === undefined || !Object.hasOwn(errors, code)) return `no error has the code ${String(code)}`
  if (known.status !== status || body.status !== status || known.title !== title) return 'status, code and title do not belong together'
  if (type !== `urn:tollgate:error:${String(code)}` || detail !== message) return 'type or detail are not as they should be'
  return status === 400 ? unnamed(sent, body, parameters) : undefined
}

function unnamed (sent: Sent, { message, errors: problems }: Body, parameters: Operation['parameters']): string | undefined {
  if (problems === undefined || problems.length === 0) return UNREADABLE.includes(message) ? undefined : `it names no field, and says "${String(message)}"`
  for (const { pointer, detail } of problems as Array<{ pointer: unknown, detail: unknown }>) {
    if (typeof pointer !== 'string' || typeof detail !== 'string' || detail === '') return 'a problem has no pointer or no detail'
    if (pointer === '' || (pointer.startsWith('/') && leadsSomewhere(sent, pointer))) continue
    // What is wrong with something explains what is missing in it.
    if (problems.some((other: { pointer: unknown }) => pointer.startsWith(`${String(other.pointer)}/`))) continue
    const name = pointer.replace(/^\?/, '').replaceAll('~1', '/').replaceAll('~0', '~')
    const known = pointer.startsWith('?') ? sent.queried : Object.keys(sent.headers)
    // One element of a parameter that was sent several times.
    if (known.includes(name) || parameters.some(parameter => name === parameter.name || name.replace(/\/\d+$/, '') === parameter.name)) continue
    return `${pointer} points at nothing`
  }
  return undefined
}

/** To a member of the body that was sent, or to one that an object there lacks. */
function leadsSomewhere ({ payload }: Sent, pointer: string): boolean {
  let value: unknown
  try {
    // Nothing at all is an object without members, as in Tier.
    value = payload?.length === 0 ? {} : JSON.parse(String(payload))
  } catch {
    return false
  }
  const names = pointer.slice(1).split('/').map(name => name.replaceAll('~1', '/').replaceAll('~0', '~'))
  return names.every(name => {
    // null is an empty object, as Tier's clients write one.
    const there = typeof value === 'object'
    value = (value as Record<string, unknown> | null | undefined)?.[name]
    return there
  })
}
