import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Properties } from '../domain/properties.ts'
import { STATUSES, type SubscriptionStatus } from '../domain/schedule.ts'
import { parseInstant } from '../domain/time.ts'
import {
  addSubscription, alterSubscription, endSubscription, listSubscriptions, type OwnedSubscription, readSubscription
} from '../operations/subscriptions.ts'
import { NextCursor, Paging, paging } from './page.ts'
import { FeatureId, OrgId, problems, SentTime, SubscriptionAnswer, subscriptionAnswer } from './schemas.ts'

const OrgParams = Type.Object({ org: OrgId })
const Params = Type.Object({ id: Type.String({ pattern: '^[1-9][0-9]{0,14}$', examples: ['1'] }) })

const Status = Type.Unsafe<SubscriptionStatus>({
  type: 'string',
  enum: STATUSES,
  description: '`active` and `trialing` give access; `cancelled` does until it ends; the others do not'
})
const End = Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 64, description: 'RFC 3339; null: without end' })

const Addition = Type.Object({
  plan: Type.String({ maxLength: 500, description: '`plan:`, a name, `@` and a version' }),
  feature: Type.Optional(Type.String({ ...FeatureId, description: 'Only this feature of the plan' })),
  startsAt: Type.Optional(SentTime),
  endsAt: Type.Optional(End),
  status: Type.Optional(Status),
  anchorAt: Type.Optional(Type.Unsafe<string | null>({
    type: ['string', 'null'], maxLength: 64, description: 'Where its periods are counted from; null: as those of what is held'
  }))
}, { additionalProperties: false, examples: [{ plan: 'plan:boost@1' }] })

const Changes = Type.Object({
  status: Type.Optional(Status),
  endsAt: Type.Optional(End),
  metadata: Type.Optional(Type.Unsafe<Properties>({
    type: 'object', additionalProperties: true, description: 'Your own notes, in place of those there are: at most 8,192 bytes'
  }))
}, { additionalProperties: false, examples: [{ status: 'trialing' }] })

export const subscriptionRoutes: FastifyPluginAsyncTypebox = async app => {
  app.get('/orgs/:org/subscriptions', {
    config: { scope: 'read' },
    schema: {
      tags: ['orgs'],
      summary: 'List the subscriptions of an org',
      description: 'Past, present and scheduled ones, oldest first.',
      params: OrgParams,
      querystring: Type.Object(Paging, { additionalProperties: false }),
      response: { 200: Type.Object({ subscriptions: Type.Array(SubscriptionAnswer), nextCursor: NextCursor }), ...problems }
    }
  }, async ({ params: { org }, query, principal: { environment } }) => {
    const { items, nextCursor } = await listSubscriptions(app.stores, org, { environment, ...paging(query) })
    return { subscriptions: items.map(wire), nextCursor }
  })

  app.post('/orgs/:org/subscriptions', {
    config: { scope: 'write', idempotency: 'keep' },
    schema: {
      tags: ['orgs'],
      summary: 'Add a plan, or one feature of a plan, to what an org holds',
      description: 'Ends nothing else. What is held already over that time is refused, so a request that is sent twice adds once.',
      params: OrgParams,
      body: Addition,
      response: { 200: SubscriptionAnswer, ...problems }
    }
  }, async ({ params: { org }, body: { plan, feature, startsAt, endsAt, status = 'active', anchorAt }, principal: { environment } }) =>
    wire(await addSubscription(app.stores, {
      environment,
      org,
      plan,
      feature,
      status,
      startsAt: parseInstant(startsAt, '/startsAt'),
      endsAt: parseInstant(endsAt, '/endsAt'),
      anchorAt: parseInstant(anchorAt, '/anchorAt')
    })))

  app.get('/subscriptions/:id', {
    config: { scope: 'read' },
    schema: { tags: ['orgs'], summary: 'Read a subscription', params: Params, response: { 200: SubscriptionAnswer, ...problems } }
  }, async ({ params: { id }, principal: { environment } }) => wire(await readSubscription(app.stores, environment, Number(id))))

  app.patch('/subscriptions/:id', {
    config: { scope: 'write' },
    schema: {
      tags: ['orgs'],
      summary: 'Change the status, the end or the metadata of a subscription',
      description: 'From now on. Where the new status gives access and the old one did not, or the other way round, this subscription ' +
        'ends and another one goes on, with an id of its own, which is the answer. `cancelled` without an end ends it now.',
      params: Params,
      body: Changes,
      response: { 200: SubscriptionAnswer, ...problems }
    }
  }, async ({ params: { id }, body: { status, endsAt, metadata }, principal: { environment } }) =>
    wire(await alterSubscription(app.stores, environment, Number(id), {
      status, endsAt: endsAt === undefined ? undefined : parseInstant(endsAt, '/endsAt')
    }, metadata)))

  app.delete('/subscriptions/:id', {
    config: { scope: 'write' },
    schema: {
      tags: ['orgs'],
      summary: 'End a subscription now',
      description: 'What was held and used stays. One that has not begun was never held, and is gone.',
      params: Params,
      response: { 200: Type.Object({}), ...problems }
    }
  }, async ({ params: { id }, principal: { environment } }) => {
    await endSubscription(app.stores, environment, Number(id))
    return {}
  })
}

function wire ({ org, subscription }: OwnedSubscription) {
  return subscriptionAnswer(org, subscription)
}
