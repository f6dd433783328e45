import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { errors, type ErrorCode, type FieldProblem, TollgateError } from '../errors.ts'
import { toJson } from './json.ts'

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

/** What Fastify found wrong before a handler ran, in our words. */
const FROM_FASTIFY: Readonly<Record<string, [ErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'the content type must be application/json'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['body_too_large', 'the body is too large'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_request', 'the body must be a JSON object; it is empty'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_request', 'invalid json syntax'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'the body is not as long as content-length says'],
  FST_ERR_BAD_URL: ['invalid_request', 'the path is not a valid URL path']
}

/** Anything that was thrown, as the error that is sent; what nobody foresaw says nothing. */
export function asTollgateError (error: FastifyError | TollgateError): TollgateError {
  if (error instanceof TollgateError) return error
  if (error.validation !== undefined) return invalid(error)
  const known = FROM_FASTIFY[error.code]
  if (known !== undefined) return new TollgateError(known[0], known[1], { cause: error })
  if (error.code === 'FST_ERR_MAX_PARAM_LENGTH') return new TollgateError('not_found', undefined, { cause: error })
  if (error.statusCode === 400) return new TollgateError('invalid_request', 'invalid json syntax', { cause: error })
  return new TollgateError('internal_error', undefined, { cause: error })
}

/** In Tier's words. */
const REQUIRED: Readonly<Record<string, string>> = { org: 'org must be prefixed with "org:"' }

function invalid ({ validation: found = [], validationContext }: FastifyError): TollgateError {
  // Of what may also be null, ajv says three things: what it should be, that it is not null, and that it is neither.
  const validation = found.filter(({ keyword, params }) => keyword !== 'anyOf' && !(keyword === 'type' && params.type === 'null'))
  const problems = validation.map(({ keyword, instancePath, params, message = 'is not valid' }) => {
    const named = { additionalProperties: params.additionalProperty, required: params.missingProperty }[keyword] as string | undefined
    const path = named === undefined ? instancePath : `${instancePath}/${named.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const name = named ?? path.slice(path.lastIndexOf('/') + 1)
    const pointer = validationContext === 'querystring' || validationContext === 'params' ? `?${path.slice(1)}` : validationContext === 'headers' ? path.slice(1) : path
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

export function sendProblem (error: TollgateError, reply: FastifyReply): FastifyReply {
  if (error.retryAfterSeconds !== undefined) reply.header('retry-after', error.retryAfterSeconds)
  if (error.code === 'unauthorized') reply.header('www-authenticate', 'Bearer')
  const problem = problemOf(error)
  return reply.code(problem.status).type('application/problem+json').send(problem)
}

export function handleError (thrown: FastifyError | TollgateError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = asTollgateError(thrown)
  if (errors[error.code].status >= 500) request.log.error({ reqId: request.id, err: loggable(error), code: error.code }, 'request failed')
  return sendProblem(error, reply)
}

/**
 * What may be logged of an error: the innermost cause, which is what failed, without the rows and parameters that
 * database errors carry around it.
 */
export function loggable (error: unknown): Record<string, unknown> {
  let inner = error
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause
  if (!(inner instanceof Error)) return { message: String(inner) }
  const { name, message, stack } = inner
  return { type: name, message, code: (inner as { code?: unknown }).code, stack }
}

/** For bytes that never became a request: there is no reply object, only the socket. */
export function clientErrorText (code: string | undefined): string {
  const error = code === 'HPE_HEADER_OVERFLOW'
    ? new TollgateError('headers_too_large')
    : code === 'ERR_HTTP_REQUEST_TIMEOUT' ? new TollgateError('request_timeout') : new TollgateError('invalid_request', 'this is not HTTP')
  const body = toJson(problemOf(error))
  const { status, title } = errors[error.code]
  return `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
    `connection: close\r\n\r\n${body}`
}

export default fp(async app => {
  app.setErrorHandler<FastifyError | TollgateError>(handleError)
  app.setNotFoundHandler((_request, reply) => sendProblem(new TollgateError('not_found'), reply))
}, { name: 'errors' })
