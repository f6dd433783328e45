import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import stripJsonComments from 'strip-json-comments'
import { Type } from 'typebox'
import { planText } from '../domain/ids.ts'
import { documentOf, type PlanStatus } from '../domain/plan.ts'
import type { PlanPrice } from '../domain/plan-price.ts'
import type { Properties } from '../domain/properties.ts'
import { archivePlan, createDraft, deleteDraft, listPlans, publishPlan, putDraft, readPlan } from '../operations/drafts.ts'
import { pull, push, type PushResult } from '../operations/plans.ts'
import { type PlanPreview, previewPush } from '../operations/push-preview.ts'
import type { CatalogPlan } from '../storage/catalog.ts'
import { NextCursor, Paging, paging } from './page.ts'
import { Price } from './plan-sales.ts'
import { PlanId, problems, Time, timeText } from './schemas.ts'

const BODY_BYTES_MAX = 4 * 1024 * 1024

/** A plan document is checked by the domain, which names every bad place in Tier's words. */
const Document = Type.Unsafe<unknown>({
  type: 'object',
  properties: { plans: { type: 'object' } },
  description: 'Tier\'s plan document, with our optional members: see docs/plans.md',
  examples: [{
    plans: {
      'plan:free@0': {
        title: 'Free',
        features: { 'feature:api-calls': { tiers: [{ upto: 1000 }] }, 'feature:sso': { type: 'boolean' } }
      },
      'plan:boost@1': { title: 'Boost', addon: true, features: { 'feature:api-calls': { tiers: [{ upto: 10000 }] } } }
    }
  }]
})

const Pushed = Type.Object({
  results: Type.Unsafe<PushResult[]>(Type.Array(Type.Object({
    feature: Type.String(),
    status: Type.String({ enum: ['ok', 'failed'] }),
    reason: Type.String()
  })))
}, { examples: [{ results: [{ feature: 'feature:api-calls@plan:free@0', status: 'ok', reason: 'created' }] }] })

const Draft = Type.Unsafe<unknown>({
  type: 'object',
  properties: { plans: { type: 'object' } },
  description: 'A document as push takes it, with one plan',
  examples: [{ plans: { 'plan:pro@1': { title: 'Pro', features: { 'feature:api-calls': { tiers: [{ upto: 50000 }] } } } } }]
})

const DraftBody = Type.Unsafe<unknown>({
  type: 'object',
  properties: { features: { type: 'object' } },
  description: 'What a document for push says of one plan',
  examples: [{ title: 'Team', features: { 'feature:api-calls': { tiers: [{ upto: 200000 }] } } }]
})

const STATUSES: readonly PlanStatus[] = ['draft', 'published', 'archived']
const Status = Type.Unsafe<PlanStatus>({ type: 'string', enum: STATUSES })

const Plan = Type.Object({
  plan: Type.String(),
  status: Status,
  createdAt: Time,
  updatedAt: Time,
  metadata: Type.Optional(Type.Unsafe<Properties>({ type: 'object', additionalProperties: true })),
  prices: Type.Optional(Type.Unsafe<readonly PlanPrice[]>(Type.Array(Price, { description: 'Of a payment provider' }))),
  title: Type.String(),
  currency: Type.Optional(Type.String()),
  interval: Type.Optional(Type.String()),
  addon: Type.Optional(Type.Boolean()),
  anchor: Type.Optional(Type.String()),
  features: Type.Unsafe<object>({ type: 'object', additionalProperties: { type: 'object' } })
}, {
  examples: [{
    plan: 'plan:pro@1',
    status: 'draft',
    createdAt: '2026-01-31T12:00:00.000Z',
    updatedAt: '2026-01-31T12:00:00.000Z',
    title: 'Pro',
    features: { 'feature:api-calls': { tiers: [{ upto: 50000 }] } }
  }]
})

const PlanQuery = Type.Object({
  status: Type.Optional(Status),
  name: Type.Optional(Type.String({ maxLength: 300, description: '`plan:pro`: all its versions' })),
  feature: Type.Optional(Type.String({ maxLength: 300, description: 'Only plans that have this feature' })),
  addon: Type.Optional(Type.Unsafe<'true' | 'false'>({ type: 'string', enum: ['true', 'false'] })),
  ...Paging
}, { additionalProperties: false })

/** Examples differ, so that each call works as it stands, in the order of the document. */
const planParams = (example: string) => Type.Object({ plan: Type.String({ ...PlanId, examples: [example] }) })
const PushQuery = Type.Object({
  dryRun: Type.Optional(Type.Unsafe<'true' | 'false'>({
    type: 'string', enum: ['true', 'false'], description: '`true`: write nothing, and say what would become of each plan'
  }))
}, { additionalProperties: false })

const Terms = Type.Array(Type.Object({
  term: Type.String(),
  before: Type.Optional(Type.Unknown({ description: 'Absent: not said. As `limit`, null is unlimited' })),
  after: Type.Optional(Type.Unknown({ description: 'Likewise' }))
}))

const Previewed = Type.Object({
  plans: Type.Unsafe<PlanPreview[]>(Type.Array(Type.Object({
    plan: Type.String(),
    outcome: Type.String({ enum: ['created', 'exists', 'refused'] }),
    reason: Type.Union([Type.String(), Type.Null()], { description: 'Why it would not be created' }),
    identical: Type.Union([Type.Boolean(), Type.Null()], { description: 'Of a plan that exists: does it say the same?' }),
    features: Type.Array(Type.String()),
    earlier: Type.Union([Type.Object({
      plan: Type.String(),
      orgs: Type.Integer({ description: 'How many hold it now, or a feature of it' }),
      orgsCapped: Type.Boolean({ description: 'There are more' }),
      terms: Terms,
      features: Type.Array(Type.Object({
        feature: Type.String(),
        change: Type.String({ enum: ['added', 'removed', 'changed'] }),
        terms: Terms
      }))
    }), Type.Null()], { description: 'The newest version before a new one, and what the new one changes' })
  })))
})

const Pulled = Type.Unsafe<unknown>({ type: 'object', properties: { plans: { type: 'object' } } })

export const planRoutes: FastifyPluginAsyncTypebox = async app => {
  // Plan documents are written by people: they may have comments and trailing commas, as Tier takes them.
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    void parse(request, stripJsonComments(body, { trailingCommas: true }), done)
  })

  app.post('/push', {
    config: { scope: 'admin', idempotency: 'keep' },
    bodyLimit: BODY_BYTES_MAX,
    schema: {
      tags: ['plans'],
      summary: 'Publish plans',
      description: '200 also where plans were refused: look at `results`, one per feature. A plan never changes: publish a new version. ' +
        'With `dryRun=true` nothing is written: the answer says what would be created, what exists or is refused, and how a new version ' +
        'differs from the one before.',
      querystring: PushQuery,
      body: Document,
      response: { 200: Type.Union([Pushed, Previewed], { description: 'What became of each feature; in a dry run, of each plan' }), ...problems }
    }
  }, async ({ query: { dryRun }, body, principal: { environment } }) => dryRun === 'true'
    ? { plans: await previewPush(app.stores, environment, body) }
    : { results: await push(app.stores, environment, body) })

  app.get('/pull', {
    config: { scope: 'read' },
    schema: { tags: ['plans'], summary: 'All published plans, as a document to push', response: { 200: Pulled, ...problems } }
  }, async ({ principal: { environment } }) => await pull(app.stores, environment))

  app.get('/plans', {
    config: { scope: 'read' },
    schema: {
      tags: ['plans'],
      summary: 'List plans',
      description: 'Of all statuses, by name and version, each as push takes it.',
      querystring: PlanQuery,
      response: { 200: Type.Object({ plans: Type.Array(Plan), nextCursor: NextCursor }), ...problems }
    }
  }, async ({ query: { status, name, feature, addon, ...query }, principal: { environment } }) => {
    const { items, nextCursor } = await listPlans(app.stores, {
      environment, status, name, feature, addon: addon === undefined ? undefined : addon === 'true', ...paging(query)
    })
    return { plans: items.map(wire), nextCursor }
  })

  app.post('/plans', {
    config: { scope: 'admin', idempotency: 'keep' },
    bodyLimit: BODY_BYTES_MAX,
    schema: {
      tags: ['plans'],
      summary: 'Create a draft',
      description: 'A draft may be changed and is held by nobody, until it is published.',
      body: Draft,
      response: { 200: Plan, ...problems }
    }
  }, async ({ body, principal: { environment } }) => wire(await createDraft(app.stores, environment, body)))

  app.get('/plans/:plan', {
    config: { scope: 'read' },
    schema: { tags: ['plans'], summary: 'Read a plan', params: planParams('plan:free@0'), response: { 200: Plan, ...problems } }
  }, async ({ params: { plan }, principal: { environment } }) => wire(await readPlan(app.stores, environment, plan)))

  app.put('/plans/:plan', {
    config: { scope: 'admin' },
    bodyLimit: BODY_BYTES_MAX,
    schema: {
      tags: ['plans'],
      summary: 'Create or replace a draft',
      description: 'A published plan never changes: create another version.',
      params: planParams('plan:team@1'),
      body: DraftBody,
      response: { 200: Plan, ...problems }
    }
  }, async ({ params: { plan }, body, principal: { environment } }) => wire(await putDraft(app.stores, environment, plan, body)))

  app.delete('/plans/:plan', {
    config: { scope: 'admin' },
    schema: { tags: ['plans'], summary: 'Delete a draft', params: planParams('plan:team@1'), response: { 200: Type.Object({}), ...problems } }
  }, async ({ params: { plan }, principal: { environment } }) => {
    await deleteDraft(app.stores, environment, plan)
    return {}
  })

  app.post('/plans/:plan/publish', {
    config: { scope: 'admin' },
    schema: {
      tags: ['plans'],
      summary: 'Publish a plan',
      description: 'From now on orgs can be subscribed to it, and it never changes. An archived plan becomes available again.',
      params: planParams('plan:pro@1'),
      response: { 200: Plan, ...problems }
    }
  }, async ({ params: { plan }, principal: { environment } }) => wire(await publishPlan(app.stores, environment, plan)))

  app.post('/plans/:plan/archive', {
    config: { scope: 'admin' },
    schema: {
      tags: ['plans'],
      summary: 'Archive a plan',
      description: 'Nobody is subscribed to it any more who does not hold it; who does keeps it.',
      params: planParams('plan:pro@1'),
      response: { 200: Plan, ...problems }
    }
  }, async ({ params: { plan }, principal: { environment } }) => wire(await archivePlan(app.stores, environment, plan)))
}

function wire ({ plan, status, metadata, prices, createdAt, updatedAt }: CatalogPlan) {
  const times = { createdAt: timeText(createdAt), updatedAt: timeText(updatedAt) }
  const notes = { ...(Object.keys(metadata).length > 0 && { metadata }), ...(prices.length > 0 && { prices }) }
  return { plan: planText(plan.ref), status, ...times, ...notes, ...documentOf(plan) }
}
