import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import { Type } from 'typebox'
import { within } from '../storage/database.ts'
import type { Stores } from '../storage/stores.ts'
import { loggable } from '../errors.ts'

const CHECK_TIMEOUT_MS = 1_000

const Ready = Type.Object({
  ready: Type.Boolean(),
  checks: Type.Record(Type.String(), Type.String(), { description: '`ok`, `none` or what is wrong, by part' })
}, { examples: [{ ready: true, checks: { ledger: 'ok', mirror: 'ok' } }] })

export interface HealthOptions {
  readonly stores: Stores
  readonly stopping: () => boolean
}

/**
 * `/healthz`: the process answers. `/readyz`: it can do its work, and names what keeps it from that. A lost mirror is
 * named and does not make it unready: it is a cache, and taking every replica out of service would be the outage.
 */
export default fp<HealthOptions>(async (app, { stores, stopping }) => {
  app.get('/healthz', {
    schema: { tags: ['operations'], summary: 'Is the process alive?', security: [], response: { 200: Type.Object({ ok: Type.Boolean() }) } }
  }, async () => ({ ok: true }))

  app.get('/readyz', {
    schema: {
      tags: ['operations'],
      summary: 'Can it do its work, and if not, what is missing?',
      security: [],
      response: { 200: Ready, 503: Ready }
    }
  }, async (request, reply) => {
    const { log } = request
    const [ledger, mirror] = await Promise.all([
      check(stores.reader.ping(), log), stores.mirror === undefined ? 'none' : check(stores.mirror.ping(), log)
    ])
    const ready = ledger === 'ok' && !stopping()
    return await reply.code(ready ? 200 : 503).send({ ready, checks: { ledger, mirror, process: stopping() ? 'stopping' : 'ok' } })
  })
}, { name: 'health' })

/** Why is for the log: this page is public, and a driver's message may name hosts and users. */
async function check (answer: Promise<void>, log: FastifyBaseLogger): Promise<'ok' | 'unreachable'> {
  try {
    await within(CHECK_TIMEOUT_MS, answer)
    return 'ok'
  } catch (error) {
    log.warn({ err: loggable(error) }, 'a store cannot be reached')
    return 'unreachable'
  }
}
