import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { errors, type ErrorCode, loggable, TollgateError } from '../errors.ts'
import { invalidRequest, problemOf } from '../routes/problems.ts'
import { BODY_TOO_LARGE, restOfBody } from '../routes/rest-of-body.ts'
import { toJson } from './json.ts'

/** What Fastify found wrong before a handler ran, in our words. */
const FROM_FASTIFY: Readonly<Record<string, [ErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'the content type must be application/json'],
  [BODY_TOO_LARGE]: ['body_too_large', 'the body is too large'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_request', 'the body must be a JSON object; it is empty'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_request', 'invalid json syntax'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'the body is not as long as content-length says'],
  FST_ERR_BAD_URL: ['invalid_request', 'the path is not a valid URL path']
}

/** Anything that was thrown, as the error that is sent; what nobody foresaw says nothing. */
export function asTollgateError (error: FastifyError | TollgateError): TollgateError {
  if (error instanceof TollgateError) return error
  if (error.validation !== undefined) return invalidRequest(error.validation, error.validationContext)
  const known = FROM_FASTIFY[error.code]
  if (known !== undefined) return new TollgateError(known[0], known[1], { cause: error })
  if (error.code === 'FST_ERR_MAX_PARAM_LENGTH') return new TollgateError('not_found', undefined, { cause: error })
  if (error.statusCode === 400) return new TollgateError('invalid_request', 'invalid json syntax', { cause: error })
  return new TollgateError('internal_error', undefined, { cause: error })
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
  app.setErrorHandler<FastifyError | TollgateError>((error, request, reply) => error.code === BODY_TOO_LARGE
    ? restOfBody(request.raw).then(() => handleError(error, request, reply))
    : handleError(error, request, reply))
  app.setNotFoundHandler((_request, reply) => sendProblem(new TollgateError('not_found'), reply))
}, { name: 'errors' })
