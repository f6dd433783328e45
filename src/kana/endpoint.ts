import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { execute, type ExecutionResult, type GraphQLFormattedError, type GraphQLSchema } from 'graphql'
import { loggable, TollgateError } from '../errors.ts'
import { BODY_TOO_LARGE, restOfBody } from '../routes/rest-of-body.ts'
import { documentsOf, type PreparedOperation, type Refused } from './documents.ts'
import { causeOf, failure, formatted, isOurs } from './failures.ts'
import { type Rule, textVariables, type Variables } from './tolerance.ts'

export const BODY_BYTES_MAX = 256 * 1024
/** Their names decide what is made of a query, so they are looked at on every request. */
const VARIABLES_MAX = 1_000
const QUERIES_NOT_BATCHED = 'A request is one operation: an object with "query", and "variables" and "operationName" if need be.'

export interface EndpointOptions<Caller> {
  readonly schema: GraphQLSchema
  readonly rules: readonly Rule[]
  /** A function for each field at the top of a query or mutation: its arguments, then the caller. */
  readonly root: object
  /** @throws what `failures.ts` has */
  readonly callerOf: (request: FastifyRequest) => Promise<Caller>
}

interface Sent {
  readonly query: string
  readonly variables: Variables
  readonly operationName: string | undefined
}

/**
 * Answers `POST /` in this scope, which is its own. Errors come with status 200, as Kana's, and JSON is read whatever the
 * content type says (R10).
 */
export function graphqlEndpoint<Caller> (app: FastifyInstance, { schema, rules, root, callerOf }: EndpointOptions<Caller>): void {
  const documents = documentsOf(schema, rules)
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<string>('*', { parseAs: 'string', bodyLimit: BODY_BYTES_MAX }, (request, body, done) => {
    void parse(request, body, done)
  })
  app.setErrorHandler<FastifyError>(refuse)

  app.post('/', { prefixTrailingSlash: 'no-slash', schema: { hide: true }, bodyLimit: BODY_BYTES_MAX }, async (request, reply) => {
    const { query, variables, operationName } = sentOf(request.body)
    const prepared = documents(query, variables)
    if ('errors' in prepared) return await send(reply, { ...prepared, data: null })
    const operation = chosen(prepared.operations, operationName)
    if (operation === undefined) {
      return await send(reply, refusedBecause(operationName === undefined
        ? 'Must provide operation name if query contains multiple operations.'
        : `Unknown operation named "${operationName}".`))
    }
    const { data, errors } = await execute({
      schema,
      document: prepared.document,
      rootValue: root,
      contextValue: await callerOf(request),
      variableValues: loosened(variables, operation),
      operationName: operationName ?? null
    })
    if (errors !== undefined) for (const error of errors) if (isOurs(error)) logFailure(request, error)
    return await send(reply, {
      ...(errors !== undefined && { errors: errors.map(error => formatted(error)) }),
      data: data === undefined || data === null ? null : withWrapped(data, operation)
    })
  })
}

/** @throws `BAD_REQUEST` */
function sentOf (body: unknown): Sent {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw badRequest(QUERIES_NOT_BATCHED)
  const { query, variables, operationName } = body as Readonly<Record<string, unknown>>
  if (typeof query !== 'string') throw badRequest(QUERIES_NOT_BATCHED)
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string') throw badRequest('operationName must be a text')
  const given = textVariables(variables)
  if (Object.keys(given).length > VARIABLES_MAX) throw badRequest(`A request may have at most ${VARIABLES_MAX} variables.`)
  return { query, variables: given, operationName: operationName ?? undefined }
}

function chosen (operations: readonly PreparedOperation[], name: string | undefined): PreparedOperation | undefined {
  if (name !== undefined) return operations.find(operation => operation.name === name)
  return operations.length === 1 ? operations[0] : undefined
}

function loosened (variables: Variables, { looseVariables }: PreparedOperation): Variables {
  if (looseVariables.size === 0) return variables
  const changed = [...looseVariables].filter(([name]) => Object.hasOwn(variables, name))
    .map(([name, loosen]) => [name, loosen(variables[name])])
  return { ...variables, ...Object.fromEntries(changed) }
}

/** Lists are as documented; an object is where the query asked for it, too. */
function withWrapped (data: NonNullable<ExecutionResult['data']>, { wrapped }: PreparedOperation): object {
  if (wrapped.length === 0) return data
  return Object.fromEntries(Object.entries(data).map(([key, value]) => {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return [key, isObject && wrapped.includes(key) ? { ...value, data: value } : value]
  }))
}

function badRequest (message: string): Error {
  return failure(message, { code: 'BAD_REQUEST' })
}

function refusedBecause (message: string): Refused & { data: null } {
  return { errors: [formatted(failure(message, { code: 'OPERATION_RESOLUTION_FAILURE' }))], data: null }
}

/** What Fastify found wrong before the handler ran, in a text of ours. */
const FROM_FASTIFY: Readonly<Record<string, string>> = {
  [BODY_TOO_LARGE]: `The body must be at most ${BODY_BYTES_MAX} bytes.`,
  FST_ERR_CTP_EMPTY_JSON_BODY: QUERIES_NOT_BATCHED,
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not JSON.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as content-length says.'
}

async function refuse (error: FastifyError, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const known = FROM_FASTIFY[error.code] ?? (error.statusCode === 400 && !(error instanceof TollgateError) ? 'The body is not JSON.' : undefined)
  const shown = known === undefined ? error : badRequest(known)
  if (isOurs(shown)) logFailure(request, error)
  if (error.code === BODY_TOO_LARGE) await restOfBody(request.raw)
  if (error instanceof TollgateError && error.retryAfterSeconds !== undefined) reply.header('retry-after', error.retryAfterSeconds)
  return await send(reply, { errors: [formatted(shown)], data: null })
}

function logFailure (request: FastifyRequest, error: unknown): void {
  request.log.error({ reqId: request.id, err: loggable(causeOf(error)) }, 'request failed')
}

interface Answer {
  readonly errors?: readonly GraphQLFormattedError[]
  readonly data: object | null
}

async function send (reply: FastifyReply, answer: Answer): Promise<FastifyReply> {
  return await reply.code(200).type('application/json; charset=utf-8').send(JSON.stringify(answer))
}
