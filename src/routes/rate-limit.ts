import type { FastifyReply } from 'fastify'
import type { Instant } from '../domain/entitlement.ts'
import { type Quota, rateLimitOf } from '../domain/rate-limit.ts'

/**
 * Tells a client with the answer how much is left: `RateLimit`, `RateLimit-Policy`, and where it was refused and waiting
 * helps, `Retry-After`.
 * @param now the instant of the verdict
 */
export function tellRateLimit (reply: FastifyReply, quota: Quota, now: Instant): void {
  const told = rateLimitOf(quota, now)
  if (told === undefined) return
  reply.header('ratelimit-policy', told.policy)
  reply.header('ratelimit', told.limit)
  if (told.retryAfterSeconds !== undefined) reply.header('retry-after', told.retryAfterSeconds)
}

/** For the document: `headers` of a response's schema. */
export const rateLimitHeaders = {
  'RateLimit-Policy': text('`"feature:api-calls";q=1000;w=2678400`: the limit, and the seconds of its window. None where nothing is limited'),
  RateLimit: text('`"feature:api-calls";r=997;t=86400`: what remains, and in how many seconds usage is at 0 again'),
  'Retry-After': text('Where it was refused: the seconds until usage is at 0 again')
}

function text (description: string): object {
  return { type: 'string', description }
}
