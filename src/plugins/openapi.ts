import swagger, { type SwaggerTransform } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fp from 'fastify-plugin'
import { IDEMPOTENCY_HEADER } from './idempotency.ts'
import { toJson } from './json.ts'
import { CLOCK_HEADER } from './test-clock.ts'

const DESCRIPTION = `Report what customers use, ask what they may still use, read it back.

The examples work as they stand, in this order: push, subscribe, report, can, usage. Amounts are exact decimals,
times are RFC 3339 in UTC, \`null\` is unlimited. Without an admin key the server is open to this machine, and nothing needs to be
filled in under Authorize.`

const CLOCK = { type: 'string', description: 'The id of a test clock: the call happens there, at its time' }

const IDEMPOTENCY_KEY = {
  type: 'string',
  description: 'Makes it safe to send this again, for 24 hours: the same request with the same key is carried out once, and answered the ' +
    'same, with `Idempotent-Replayed: true`. 1 to 255 printable characters, new for each request. 409 while the first one is carried out, ' +
    '422 for another request or another caller. What was refused is carried out anew.'
}

/** Headers that are looked at in one place, around routes, are shown here, so that no route has to read them. */
const withHeaders: SwaggerTransform = ({ schema, url, route: { config } }) => {
  const ours = {
    ...(config?.idempotency === 'keep' && { [IDEMPOTENCY_HEADER]: IDEMPOTENCY_KEY }),
    ...(config?.scope !== undefined && config.ownEnvironment !== true && { [CLOCK_HEADER]: CLOCK })
  }
  if (Object.keys(ours).length === 0) return { schema, url }
  const headers = (schema.headers ?? { type: 'object' }) as { properties?: object }
  return { schema: { ...schema, headers: { ...headers, properties: { ...headers.properties, ...ours } } }, url }
}

export interface OpenapiOptions {
  readonly version: string
}

/** The document is made from the routes that are registered after it: `/openapi.json`, and Swagger UI at `/docs`. */
export default fp<OpenapiOptions>(async (app, { version }) => {
  await app.register(swagger, {
    transform: withHeaders,
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Tollgate', version, description: DESCRIPTION, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
      servers: [{ url: '/' }],
      tags: [
        { name: 'main', description: 'Report, ask, read back' },
        { name: 'events', description: 'What was recorded, one by one' },
        { name: 'plans', description: 'What is sold' },
        { name: 'orgs', description: 'Who holds what' },
        { name: 'environments', description: 'Separate data sets, and test clocks' },
        { name: 'keys', description: 'Who may ask' },
        { name: 'operations', description: 'For those who run it' }
      ],
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer', description: 'A private key: `prv_<environment>_...`' },
          basic: { type: 'http', scheme: 'basic', description: 'The key as user name, with an empty password' }
        }
      },
      security: [{ key: [] }, { basic: [] }, {}]
    }
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    theme: { title: 'Tollgate' },
    uiConfig: { layout: 'BaseLayout', tryItOutEnabled: true, displayRequestDuration: true, defaultModelsExpandDepth: -1 },
    staticCSP: true,
    // Swagger UI sets style attributes from its script.
    transformStaticCSP: header => header.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
  })
  // Made once: it is large, and anybody may ask for it, as often as they like.
  let text: Buffer | undefined
  app.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) => {
    text ??= Buffer.from(toJson(app.swagger()))
    return await reply.type('application/json; charset=utf-8').send(text)
  })
}, { name: 'openapi' })
