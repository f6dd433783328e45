import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'
import { amountOf, ceilAmount, floorAmount } from '../domain/amount.ts'
import { metadataTexts, type OrgInfo } from '../domain/org-info.ts'
import { parseInstant } from '../domain/time.ts'
import type { Window as DomainWindow } from '../domain/window.ts'
import { TollgateError } from '../errors.ts'
import { checkPaymentMethods } from '../operations/checkout.ts'
import { getEnvironment } from '../operations/environments.ts'
import { limits } from '../operations/limits.ts'
import { phase, phases, type PhaseView } from '../operations/phases.ts'
import { subscribe } from '../operations/subscribe.ts'
import { whois } from '../operations/whois.ts'
import { anyCase } from './member-names.ts'
import { Figure, Flag, Nullable, OrgId, problems, SentTime, Tax, Time, timeText, timeTextOrNull } from './schemas.ts'

/** How Tier's wire writes unlimited: the greatest int64, digit by digit. */
const UNLIMITED = amountOf(9_223_372_036_854_775_807n)
/** How Go writes an unset time. */
const NO_TIME = '0001-01-01T00:00:00Z'
const FEATURES_MAX = 500
const PHASES_MAX = 100

const OrgQuery = Type.Object({ org: OrgId }, { additionalProperties: false })

const Text = Type.Unsafe<string | null>({ type: ['string', 'null'] })

const PaymentMethodId = Type.Unsafe<string | null>({
  type: ['string', 'null'], maxLength: 255, description: 'One of `GET /v1/payment_methods`; empty: none'
})

const Info = Type.Object({
  email: Type.Optional(Text),
  name: Type.Optional(Text),
  description: Type.Optional(Text),
  phone: Type.Optional(Text),
  metadata: Type.Optional(Nullable<Record<string, string>>({ type: 'object', additionalProperties: { type: 'string' } })),
  created: Type.Optional(Type.Unsafe<string | null>({ ...Text, description: 'Taken and ignored: Go clients send back what they read' })),
  payment_method: Type.Optional(PaymentMethodId),
  invoice_settings: Type.Optional(Nullable<{ default_payment_method?: string | null }>(
    Type.Object({ default_payment_method: Type.Optional(PaymentMethodId) }, { additionalProperties: false })))
}, { additionalProperties: false })

const SentPhase = Type.Object({
  effective: Type.Optional(SentTime),
  features: Type.Optional(Nullable<string[]>(Type.Array(Type.String({ maxLength: 800 }), { maxItems: FEATURES_MAX }))),
  trial: Type.Optional(Flag),
  coupon: Type.Optional(Text)
}, { additionalProperties: false })

const Subscribe = Type.Object({
  org: OrgId,
  phases: Type.Optional(Nullable<Array<Static<typeof SentPhase>>>(Type.Array(SentPhase, { maxItems: PHASES_MAX }))),
  info: Type.Optional(Nullable<Static<typeof Info>>(Info)),
  payment_method_id: Type.Optional(PaymentMethodId),
  tax: Type.Optional(Nullable<Static<typeof Tax>>(Tax))
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
  tax: Type.Optional(Type.Object({ automatic: Type.Boolean() })),
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
  metadata: Type.Optional(Type.Record(Type.String(), Type.String())),
  payment_method: Type.Optional(Type.String()),
  invoice_settings: Type.Optional(Type.Object({ default_payment_method: Type.String() }))
})

const Whoami = Type.Object({
  id: Type.String({ description: 'The environment that the key opens' }),
  email: Type.String(),
  key_source: Type.String(),
  isolated: Type.Boolean(),
  created: Type.Optional(Time),
  url: Type.String()
})

export const orgRoutes: FastifyPluginAsyncTypebox = async app => {
  app.post('/subscribe', {
    config: { scope: 'write', idempotency: 'keep' },
    schema: {
      tags: ['orgs'],
      summary: 'Subscribe an org to plans, now or later',
      description: 'Replaces what is scheduled. A first phase without `effective` starts now; an empty phase cancels.',
      body: Subscribe,
      response: { 200: Type.Object({}), ...problems }
    },
    preValidation: anyCase(Subscribe)
  }, async ({ body: { org, phases, info: sent, tax, payment_method_id: method }, principal: { environment } }) => {
    const { payment_method: own, invoice_settings: invoices, ...info } = sent ?? {}
    await checkPaymentMethods(app.payments, environment, org, [
      ['/payment_method_id', method ?? ''],
      ['/info/payment_method', own ?? ''],
      ['/info/invoice_settings/default_payment_method', invoices?.default_payment_method ?? '']
    ])
    await subscribe(app.stores, {
      environment,
      org,
      info: sent === undefined || sent === null ? undefined : info,
      phases: (phases ?? []).map(phaseFrom),
      automaticTax: tax?.automatic ?? undefined
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
    const own = current === null ? {} : { current: period(current) }
    return { current: { effective: NO_TIME, end: NO_TIME }, ...own, phases: views.map(view => ({ ...shown(view), ...own })) }
  })

  app.get('/whois', {
    config: { scope: 'read' },
    schema: { tags: ['orgs'], summary: 'Who an org is', querystring: WhoisQuery, response: { 200: Whois, ...problems } }
  }, async ({ query, principal: { environment } }) => {
    const { org, id, createdAt, info } = await whois(app.stores, environment, query.org)
    return { org, stripe_id: id, ...(query.include !== undefined && { ...shownInfo(info), created: timeText(createdAt) }) }
  })

  app.get('/whoami', {
    config: { scope: 'read', ownEnvironment: true },
    schema: { tags: ['orgs'], summary: 'Which environment the key opens', response: { 200: Whoami, ...problems } }
  }, async ({ headers, principal: { environment } }) => {
    // Which key this is needs no ledger, so nor does the answer.
    const known = await getEnvironment(app.stores, environment, environment).catch(() => undefined)
    return {
      id: environment,
      email: '',
      key_source: headers.authorization === undefined ? 'none' : 'authorization',
      isolated: true,
      ...(known !== undefined && { created: timeText(known.createdAt) }),
      url: ''
    }
  })
}

function phaseFrom ({ effective, features, trial, coupon }: Static<typeof SentPhase>, index: number) {
  const pointer = `/phases/${index}`
  if (coupon) throw new TollgateError('invalid_request', 'a coupon needs a payment provider; there is none', { pointer: `${pointer}/coupon` })
  return { effectiveAt: parseInstant(effective, `${pointer}/effective`), features: features ?? [], trial: trial ?? false }
}

/** Tier leaves out what is empty. */
function shown ({ effectiveAt, endsAt, features, plans, fragments, trial, automaticTax }: PhaseView) {
  return {
    effective: timeText(effectiveAt),
    ...(endsAt !== null && { end: timeText(endsAt) }),
    ...(features.length > 0 && { features: [...features] }),
    ...(plans.length > 0 && { plans: [...plans] }),
    ...(fragments.length > 0 && { fragments: [...fragments] }),
    ...(trial && { trial }),
    ...(automaticTax && { tax: { automatic: true } })
  }
}

/** The SDK's types promise that each of these is there. */
function shownInfo ({ email = '', name = '', description = '', phone = '', metadata = {} }: OrgInfo) {
  return { email, name, description, phone, metadata: metadataTexts(metadata), payment_method: '', invoice_settings: { default_payment_method: '' } }
}

function period ({ start, end }: DomainWindow) {
  const text = timeTextOrNull(end)
  return { effective: timeText(start), ...(text !== null && { end: text }) }
}
