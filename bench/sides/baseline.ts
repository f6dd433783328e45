import Fastify, { type FastifyInstance, type FastifySchema } from 'fastify'
import { canRoutes } from '../../src/routes/can.ts'
import { consumeRoutes } from '../../src/routes/consume.ts'
import { reportRoutes } from '../../src/routes/report.ts'

/** What the service is measured beside: Fastify as it comes, with the service's own schemas, taken from its routes. */

export interface Schemas {
  readonly can: FastifySchema
  readonly report: FastifySchema
  readonly consume: FastifySchema
}

export async function schemasOfTheService (): Promise<Schemas> {
  const found = new Map<string, FastifySchema>()
  const app = Fastify()
  app.addHook('onRoute', ({ method, url, schema }) => { if (schema !== undefined) found.set(`${String(method)} ${url}`, schema) })
  for (const routes of [canRoutes, reportRoutes, consumeRoutes]) await app.register(routes)
  const [can, report, consume] = [found.get('GET /can'), found.get('POST /report'), found.get('POST /consume')]
  if (can === undefined || report === undefined || consume === undefined) throw new Error('the routes of the service have moved')
  return { can, report, consume }
}

export interface CanQuery { org: string, feature: string }

export interface ReportBody { org: string, feature: string, n: number }

/** What every side says of a limit that nothing reaches. */
export const LIMIT = 1_000_000_000

/** Fastify's defaults, and its request logs. */
export function bareFastify (): FastifyInstance {
  return Fastify({ logger: true })
}

export async function listen (app: FastifyInstance): Promise<void> {
  await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
  process.on('SIGTERM', () => { void app.close() })
}
