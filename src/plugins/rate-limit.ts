import rateLimit from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { TollgateError } from '../errors.ts'
import type { RateLimitRedis } from '../storage/rate-limit-redis.ts'

/** Of each process. Those who sent least lately are forgotten first. */
const COUNTS_KEPT_MAX = 10_000
/** In the headers of answers. */
const POLICY = '"per-key"'

export interface RateLimitTerms {
  /** In one window, of one key. */
  readonly requestsMax: number
  readonly windowSeconds: number
  /** undefined: each process counts for itself */
  readonly redis: RateLimitRedis | undefined
}

export interface RateLimitOptions extends RateLimitTerms {
  /** Nobody needs a key: those without one are told apart by their addresses. */
  readonly open: boolean
  /** Told of each request that was let through uncounted. */
  readonly onUncounted: () => void
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What is left of its key's window; undefined: nobody could say. */
    allowance: Allowance | undefined
  }
}

interface Allowance {
  readonly remaining: number
  readonly resetsInSeconds: number
  readonly isExceeded: boolean
}

/**
 * So many requests per key and window, of the scope that it is registered in; behind auth. With Redis away every request is
 * let through: this keeps one caller from the others' share, and what protects the ledger is the bound of its queue.
 */
export default fp<RateLimitOptions>(async (app, { requestsMax, windowSeconds, redis, open, onUncounted }) => {
  const max = requestsMax
  await app.register(rateLimit, {
    global: false,
    max,
    timeWindow: windowSeconds * 1_000,
    keyGenerator: ({ principal: { actor, operator }, ip }) => open && operator ? `address:${ip}` : actor,
    cache: COUNTS_KEPT_MAX,
    ...(redis !== undefined && { redis: redis.client, nameSpace: redis.prefix })
  })
  const countOne = app.createRateLimit()

  async function allowanceOf (request: FastifyRequest): Promise<Allowance | undefined> {
    try {
      const count = await (redis === undefined ? countOne(request) : redis.attempt(async () => await countOne(request)))
      if (count.isAllowed) return undefined
      const { remaining, ttl, isExceeded } = count
      return { remaining, resetsInSeconds: Math.max(1, Math.ceil(ttl / 1_000)), isExceeded }
    } catch {
      onUncounted()
      return undefined
    }
  }

  app.decorateRequest('allowance', undefined)
  app.addHook('onRequest', async request => {
    const allowance = request.allowance = await allowanceOf(request)
    if (allowance?.isExceeded !== true) return
    const { resetsInSeconds } = allowance
    throw new TollgateError('rate_limited', `more than ${max} requests in ${seconds(windowSeconds)}; try again in ${seconds(resetsInSeconds)}`,
      { retryAfterSeconds: resetsInSeconds })
  })
  // draft-ietf-httpapi-ratelimit-headers: lists, in which what a route says of its own limits stands first.
  app.addHook('onSend', (request, reply, payload, done) => {
    const { allowance } = request
    if (allowance !== undefined) {
      const both = (name: string, ours: string): string => [reply.getHeader(name), ours].flat().filter(value => value !== undefined).join(', ')
      reply.header('ratelimit-policy', both('ratelimit-policy', `${POLICY};q=${max};w=${windowSeconds}`))
      reply.header('ratelimit', both('ratelimit', `${POLICY};r=${allowance.remaining};t=${allowance.resetsInSeconds}`))
    }
    done(null, payload)
  })
}, { name: 'rate-limit', decorators: { request: ['principal'] } })

function seconds (count: number): string {
  return count === 1 ? '1 second' : `${count} seconds`
}
