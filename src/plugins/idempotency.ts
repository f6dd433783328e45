import type { FastifyRequest, onSendAsyncHookHandler, preHandlerAsyncHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { keyFromHeader } from '../domain/key.ts'
import { type Claim, claimKey, type IdempotentRequest, keepAnswer, releaseKey } from '../operations/idempotency.ts'
import { loggable } from '../errors.ts'
import type { Stores } from '../storage/stores.ts'

/** draft-ietf-httpapi-idempotency-key-header */
export const IDEMPOTENCY_HEADER = 'idempotency-key'

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * It creates something each time it is sent, so `Idempotency-Key` makes sending it again free: its answer is kept for
     * a day. Routes that count usage do without: there the key is the event's id.
     */
    idempotency?: 'keep'
  }
  interface FastifyRequest {
    /** Set: this request is the first with its key. */
    idempotencyClaim: Claim | undefined
  }
}

/**
 * Behind validation, as what cannot begin needs no memory. Answers of success are kept before they are sent; whatever was
 * refused or failed is carried out anew when it is sent again.
 */
export default fp(async app => {
  const { stores } = app
  app.decorateRequest('idempotencyClaim', undefined)
  const begin: preHandlerAsyncHookHandler = async (request, reply) => {
    const key = request.headers[IDEMPOTENCY_HEADER]
    if (key === undefined) return
    const found = await claimKey(stores, requestOf(request, String(key)), Date.now())
    if ('claim' in found) {
      request.idempotencyClaim = found.claim
      return
    }
    const { status, body } = found.answer
    return await reply.code(status).headers({ 'idempotent-replayed': 'true', 'cache-control': 'no-store' }).type('application/json').send(body)
  }
  const end: onSendAsyncHookHandler = async (request, reply, payload) => {
    await settle(stores, request, reply.statusCode, payload)
    return payload
  }
  app.addHook('onRoute', route => {
    if (route.config?.idempotency !== 'keep') return
    route.preHandler = [route.preHandler ?? [], begin].flat()
    route.onSend = [route.onSend ?? [], end].flat()
  })
}, { name: 'idempotency', dependencies: ['auth', 'test-clock'] })

function requestOf ({ method, url, headers, body, principal }: FastifyRequest, key: string): IdempotentRequest {
  return { environment: principal.environment, key, method, url, body, credential: keyFromHeader(headers.authorization) }
}

/** What cannot be noted is answered all the same; whoever sends it again is told to wait until the run counts as dead. */
async function settle (stores: Stores, request: FastifyRequest, status: number, body: unknown): Promise<void> {
  const claim = request.idempotencyClaim
  if (claim === undefined) return
  request.idempotencyClaim = undefined
  try {
    if (status < 300 && typeof body === 'string') await keepAnswer(stores, claim, { status, body })
    else await releaseKey(stores, claim)
  } catch (error) {
    request.log.warn({ reqId: request.id, err: loggable(error) }, 'the outcome of a request with an Idempotency-Key could not be kept')
  }
}
