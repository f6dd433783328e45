import type { FastifySchemaValidationError } from 'fastify'
import { errors, type FieldProblem, TollgateError } from '../errors.ts'

const PROBLEMS_SHOWN_MAX = 20

/** RFC 9457, with the members that the Tier SDK reads (`status`, `code`, `message`); the one shape of every error. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly message: string
  readonly errors?: readonly FieldProblem[]
}

export function problemOf (error: TollgateError): Problem {
  const { status, title } = errors[error.code]
  const problems = error.problems.slice(0, PROBLEMS_SHOWN_MAX)
  return {
    type: `urn:tollgate:error:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    message: error.message,
    ...(problems.length > 0 && { errors: problems }),
    ...error.members
  }
}

/** In Tier's words. */
const REQUIRED: Readonly<Record<string, string>> = { org: 'org must be prefixed with "org:"' }

/** What a schema found wrong, in our words. @param context the part of the request; undefined: its body */
export function invalidRequest (found: readonly FastifySchemaValidationError[], context: string | undefined): TollgateError {
  // Of what may also be null, ajv says three things: what it should be, that it is not null, and that it is neither.
  const validation = found.filter(({ keyword, params }) => keyword !== 'anyOf' && !(keyword === 'type' && params.type === 'null'))
  const problems = validation.map(({ keyword, instancePath, params, message = 'is not valid' }) => {
    const named = { additionalProperties: params.additionalProperty, required: params.missingProperty }[keyword] as string | undefined
    const path = named === undefined ? instancePath : `${instancePath}/${named.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const name = named ?? path.slice(path.lastIndexOf('/') + 1)
    const pointer = context === 'querystring' || context === 'params' ? `?${path.slice(1)}` : context === 'headers' ? path.slice(1) : path
    if (keyword === 'additionalProperties') return { pointer, detail: `unknown field "${name}"` }
    if (keyword === 'required') return { pointer, detail: REQUIRED[name] ?? `${name} is required` }
    return { pointer, detail: `${name === '' ? 'the body' : path.slice(1)} ${readable(keyword, params, message)}` }
  })
  // Tier's server reads the body before it looks at what is in it, and names the first field that it does not know.
  const isUnknown = ({ keyword }: { keyword: string }): boolean => keyword === 'additionalProperties'
  const first = problems[validation.findIndex(isUnknown)] ?? problems[0]
  return new TollgateError('invalid_request', first?.detail, { problems })
}

function readable (keyword: string, params: Record<string, unknown>, message: string): string {
  if (keyword === 'type') return `must be ${[params.type].flat().join(' or ').replaceAll(',', ' or ')}`
  if (keyword === 'enum') return `must be one of ${(params.allowedValues as string[]).join(', ')}`
  return message
}
