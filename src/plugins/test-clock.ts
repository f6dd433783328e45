import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { loggable, TollgateError } from '../errors.ts'
import { enterClock } from '../operations/clocks.ts'
import type { Stores } from '../storage/stores.ts'

/** Names a test clock; Tier's header, which its SDK sends with every call of a client made by `withClock`. */
export const CLOCK_HEADER = 'tier-clock'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** About the environment that the key opens, whatever test clock a call names. */
    ownEnvironment?: true
  }
}

/**
 * A call that names a test clock of the key's environment happens in the clock's environment. Behind auth, and the one
 * place that looks at the header: everything after it sees the environment alone. An empty header is none, as in Tier.
 */
export default fp(async app => {
  app.addHook('onRequest', (request, _reply, done) => {
    const id = request.headers[CLOCK_HEADER]
    if (id === undefined || id === '' || request.routeOptions.config.ownEnvironment === true) return done()
    enter(app.stores, request, String(id)).then(() => done(), done)
  })
}, { name: 'test-clock', dependencies: ['auth'] })

async function enter (stores: Stores, request: FastifyRequest, id: string): Promise<void> {
  try {
    const environment = await enterClock(stores, request.principal.environment, id, CLOCK_HEADER, error => {
      request.log.warn({ reqId: request.id, err: loggable(error) }, 'the use of a test clock could not be noted')
    })
    request.principal = { ...request.principal, environment }
  } catch (error) {
    throw error instanceof TollgateError && error.code === 'clock_not_found' ? unknownClock(request, error) : error
  }
}

/** Where the call is about an org, Tier's answer: on a clock that does not exist, there is no such org. */
function unknownClock ({ routeOptions: { schema } }: FastifyRequest, error: TollgateError): TollgateError {
  const aboutOrg = [schema?.querystring, schema?.params, schema?.body].some(part => {
    const { properties } = (part ?? {}) as { properties?: Readonly<Record<string, unknown>> }
    return properties?.org !== undefined
  })
  return aboutOrg ? new TollgateError('org_not_found', 'org not found', { problems: error.problems }) : error
}
