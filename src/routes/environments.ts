import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { parseInstant } from '../domain/time.ts'
import { TollgateError } from '../errors.ts'
import { getEnvironment, putEnvironment } from '../operations/environments.ts'
import type { Environment } from '../storage/environments.ts'
import { problems, TimeOrNull, timeTextOrNull } from './schemas.ts'

const Params = Type.Object({ name: Type.String({ maxLength: 63, examples: ['test'] }) })

const Settings = Type.Object({
  defaultPlan: Type.Optional(Type.Unsafe<string | null>({
    type: ['string', 'null'], maxLength: 500, description: 'An org is subscribed to it on first sight; null: an unknown org is an error'
  })),
  now: Type.Optional(Type.Unsafe<string | null>({
    type: ['string', 'null'], maxLength: 64, description: 'Frozen time for everything in this environment; null: the real time'
  }))
}, { additionalProperties: false, examples: [{ defaultPlan: 'plan:free@0' }] })

const Answer = Type.Object({
  name: Type.String(),
  defaultPlan: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
  now: TimeOrNull
})

export const environmentRoutes: FastifyPluginAsyncTypebox = async app => {
  app.get('/environments/:name', {
    config: { scope: 'read' },
    schema: { tags: ['environments'], summary: 'Settings of an environment', params: Params, response: { 200: Answer, ...problems } }
  }, async ({ params: { name }, principal }) => {
    own(name, principal.environment)
    return wire(await getEnvironment(app.stores, name))
  })

  app.put('/environments/:name', {
    config: { scope: 'admin' },
    schema: {
      tags: ['environments'],
      summary: 'Replace the settings of an environment',
      description: 'What is left out is reset. Other replicas follow within 5 seconds.',
      params: Params,
      body: Settings,
      response: { 200: Answer, ...problems }
    }
  }, async ({ params: { name }, body: { defaultPlan = null, now }, principal }) => {
    own(name, principal.environment)
    return wire(await putEnvironment(app.stores, name, { defaultPlan, fixedNow: parseInstant(now, '/now') }))
  })
}

/** A key opens one environment, and says nothing of the others, not even whether they exist. */
function own (name: string, environment: string): void {
  if (name !== environment) throw new TollgateError('forbidden', `this key is for environment ${environment}`)
}

function wire ({ name, defaultPlan, fixedNow }: Environment) {
  return { name, defaultPlan, now: timeTextOrNull(fixedNow) }
}
