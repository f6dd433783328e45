import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { amountOf, ceilAmount, floorAmount } from '../domain/amount.ts'
import { parseInstant } from '../domain/time.ts'
import type { Window as DomainWindow } from '../domain/window.ts'
import { limits } from '../operations/limits.ts'
import { phase, phases, type PhaseView } from '../operations/phases.ts'
import { subscribe } from '../operations/subscribe.ts'
import { whois } from '../operations/whois.ts'
import { Figure, OrgId, problems, SentTime, Time, timeText, timeTextOrNull } from './schemas.ts'

/** How Tier's wire writes unlimited: the greatest int64, digit by digit. */
const UNLIMITED = amountOf(9_223_372_036_854_775_807n)
/** How Go writes an unset time. */
const NO_TIME = '0001-01-01T00:00:00Z'
const FEATURES_MAX = 500
const PHASES_MAX = 100

const OrgQuery = Type.Object({ org: OrgId }, { additionalProperties: false })

const Nullable = <T>(schema: object): ReturnType<typeof Type.Unsafe<T | null>> => Type.Unsafe<T | null>({ anyOf: [schema, { type: 'null' }] })
const Text = Type.Unsafe<string | null>({ type: ['string', 'null'] })

const Info = Type.Object({
  email: Type.Optional(Text),
  name: Type.Optional(Text),
  description: Type.Optional(Text),
  phone: Type.Optional(Text),
  metadata: Type.Optional(Nullable<Record<string, string>>({ type: 'object', additionalProperties: { type: 'string' } }))
}, { additionalProperties: false })

const Subscribe = Type.Object({
  org: OrgId,
  phases: Type.Optional(Type.Array(Type.Object({
    effective: Type.Optional(SentTime),
    features: Type.Optional(Type.Array(Type.String({ maxLength: 800 }), { maxItems: FEATURES_MAX })),
    trial: Type.Optional(Type.Boolean())
  }, { additionalProperties: false }), { maxItems: PHASES_MAX })),
  info: Type.Optional(Info)
}, { additionalProperties: false, examples: [{ org: 'org:acme', phases: [{ features: ['plan:free@0'] }] }] })

const Limits = Type.Object({
  org: Type.String(),
  usage: Type.Array(Type.Object({ feature: Type.String(), used: Figure, limit: Figure }))
})

const Period = Type.Object({ effective: Time, end: Type.Optional(Time) })

const Phase = Type.Object({
  effective: Time,
  end: Type.Optional(Time),
  features: Type.Optional(Type.Array(Type.String())),
  plans: Type.Optional(Type.Array(Type.String())),
  fragments: Type.Optional(Type.Array(Type.String())),
  trial: Type.Optional(Type.Boolean()),
  current: Type.Optional(Period)
})

const WhoisQuery = Type.Object({
  org: OrgId,
  include: Type.Optional(Type.Unsafe<'info' | Array<'info'>>({ anyOf: [{ type: 'string', enum: ['info'] }, { type: 'array', items: { type: 'string', enum: ['info'] } }] }))
}, { additionalProperties: false })

const Whois = Type.Object({
  org: Type.String(),
  stripe_id: Type.String({ description: 'Opaque and stable' }),
  email: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  phone: Type.Optional(Type.String()),
  created: Type.Optional(Time),
  metadata: Type.Optional(Type.Record(Type.String(), Type.String()))
})

const Whoami = Type.Object({
  id: Type.String({ description: 'The environment that the key opens' }),
  email: Type.String(),
  key_source: Type.String(),
  isolated: Type.Boolean(),
  url: Type.String()
})

export const orgRoutes: FastifyPluginAsyncTypebox = async app => {
  app.post('/subscribe', {
    config: { scope: 'write' },
    schema: {
      tags: ['orgs'],
      summary: 'Subscribe an org to plans, now or later',
      description: 'Replaces what is scheduled. A first phase without `effective` starts now; an empty phase cancels.',
      body: Subscribe,
      response: { 200: Type.Object({}), ...problems }
    }
  }, async ({ body: { org, phases = [], info }, principal: { environment } }) => {
    await subscribe(app.stores, {
      environment,
      org,
      info,
      phases: phases.map(({ effective, features = [], trial = false }, i) => ({
        effectiveAt: parseInstant(effective, `/phases/${i}/effective`), features, trial
      }))
    })
    return {}
  })

  app.get('/limits', {
    config: { scope: 'read' },
    schema: {
      tags: ['orgs'],
      summary: 'What an org holds, as Tier shows it',
      description: 'Whole numbers: used is rounded up, limits down; unlimited is 9223372036854775807.',
      querystring: OrgQuery,
      response: { 200: Limits, ...problems }
    }
  }, async ({ query: { org }, principal: { environment } }) => {
    const usage = await limits(app.stores, environment, org)
    return {
      org,
      usage: usage.map(({ feature, used, limit }) => ({
        feature, used: ceilAmount(used), limit: limit === null ? UNLIMITED : floorAmount(limit)
      }))
    }
  })

  app.get('/phase', {
    config: { scope: 'read' },
    schema: { tags: ['orgs'], summary: 'The current phase', querystring: OrgQuery, response: { 200: Phase, ...problems } }
  }, async ({ query: { org }, principal: { environment } }) => {
    const { current, ...view } = await phase(app.stores, environment, org)
    return { ...shown(view), current: period(current) }
  })

  app.get('/phases', {
    config: { scope: 'read' },
    schema: {
      tags: ['orgs'],
      summary: 'The current phase and those that are scheduled',
      querystring: OrgQuery,
      response: { 200: Type.Object({ current: Period, phases: Type.Array(Phase) }), ...problems }
    }
  }, async ({ query: { org }, principal: { environment } }) => {
    const { current, phases: views } = await phases(app.stores, environment, org)
    return {
      current: current === null ? { effective: NO_TIME, end: NO_TIME } : period(current),
      phases: views.map(shown)
    }
  })

  app.get('/whois', {
    config: { scope: 'read' },
    schema: { tags: ['orgs'], summary: 'Who an org is', querystring: WhoisQuery, response: { 200: Whois, ...problems } }
  }, async ({ query, principal: { environment } }) => {
    const { org, id, createdAt, info } = await whois(app.stores, environment, query.org)
    return { org, stripe_id: id, ...(query.include !== undefined && { ...info, created: timeText(createdAt) }) }
  })

  app.get('/whoami', {
    config: { scope: 'read' },
    schema: { tags: ['orgs'], summary: 'Which environment the key opens', response: { 200: Whoami, ...problems } }
  }, async ({ headers, principal: { environment } }) => ({
    id: environment, email: '', key_source: headers.authorization === undefined ? 'none' : 'authorization', isolated: true, url: ''
  }))
}

/** Tier leaves out what is empty. */
function shown ({ effectiveAt, endsAt, features, plans, fragments, trial }: PhaseView) {
  return {
    effective: timeText(effectiveAt),
    ...(endsAt !== null && { end: timeText(endsAt) }),
    ...(features.length > 0 && { features: [...features] }),
    ...(plans.length > 0 && { plans: [...plans] }),
    ...(fragments.length > 0 && { fragments: [...fragments] }),
    ...(trial && { trial })
  }
}

function period ({ start, end }: DomainWindow) {
  const text = timeTextOrNull(end)
  return { effective: timeText(start), ...(text !== null && { end: text }) }
}
