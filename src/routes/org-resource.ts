import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { TollgateError } from '../errors.ts'
import { mergeOrgs } from '../operations/org-merge.ts'
import { deleteOrg, listOrgs, type OrgView, putTimeZone, readOrg } from '../operations/orgs.ts'
import { NextCursor, Paging, paging } from './page.ts'
import { OrgId, OrgInfo, problems, SubscriptionAnswer, subscriptionAnswer, Time, timeText } from './schemas.ts'

const Params = Type.Object({ org: OrgId })

const Listed = Type.Object({
  org: Type.String(),
  timeZone: Type.String(),
  createdAt: Time,
  info: OrgInfo,
  plans: Type.Array(Type.String(), { description: 'Held now: `plan:pro@1`, or `feature:x@plan:pro@1` for one feature of a plan' })
})

const Read = Type.Object({
  ...Listed.properties,
  subscriptions: Type.Array(SubscriptionAnswer, { description: 'Those that are not over, oldest first' })
})

const Query = Type.Object({
  prefix: Type.Optional(Type.String({ maxLength: 300, description: 'What ids begin with: `org:ac`' })),
  plan: Type.Optional(Type.String({ maxLength: 500, description: 'Orgs that hold all of `plan:pro@1` now' })),
  feature: Type.Optional(Type.String({ maxLength: 300, description: 'Orgs that hold this feature now; with `plan`, through that plan' })),
  missing: Type.Optional(Type.Unsafe<'billingId'>({ type: 'string', enum: ['billingId'], description: 'Orgs without a billing id' })),
  shared: Type.Optional(Type.Unsafe<'email'>({
    type: 'string', enum: ['email'], description: 'Orgs whose e-mail others have as well, those that share one together'
  })),
  ...Paging
}, { additionalProperties: false })

const Changes = Type.Object({
  timeZone: Type.String({ maxLength: 64, description: 'IANA name' })
}, { additionalProperties: false, examples: [{ timeZone: 'Europe/Berlin' }] })

const Merge = Type.Object({
  from: Type.String({ maxLength: 300, description: 'The org that will be no more' })
}, { additionalProperties: false, examples: [{ from: 'org:acme-again' }] })

const Confirm = Type.Object({
  // No example: whoever deletes types it.
  confirm: Type.Optional(Type.String({ maxLength: 300, description: 'The id of the org again' }))
}, { additionalProperties: false })

export const orgResourceRoutes: FastifyPluginAsyncTypebox = async app => {
  app.get('/orgs', {
    config: { scope: 'read' },
    schema: {
      tags: ['orgs'],
      summary: 'List orgs',
      description: 'Oldest first; by id where a prefix alone chooses, by e-mail with `shared`. `missing` and `shared` choose alone.',
      querystring: Query,
      response: { 200: Type.Object({ orgs: Type.Array(Listed), nextCursor: NextCursor }), ...problems }
    }
  }, async ({ query: { missing, shared, prefix, plan, feature, ...query }, principal: { environment } }) => {
    const suspect = shared === undefined ? missing && 'withoutBillingId' : 'sharingEmail'
    if (suspect !== undefined && [missing && shared, prefix, plan, feature].some(other => other !== undefined)) {
      const name = shared === undefined ? 'missing' : 'shared'
      throw new TollgateError('invalid_request', `${name} chooses alone: leave the others out`, { pointer: `?${name}` })
    }
    const { items, nextCursor } = await listOrgs(app.stores, { environment, prefix, plan, feature, suspect, ...paging(query) })
    return { orgs: items.map(listed), nextCursor }
  })

  app.get('/orgs/:org', {
    config: { scope: 'read' },
    schema: { tags: ['orgs'], summary: 'Read an org', params: Params, response: { 200: Read, ...problems } }
  }, async ({ params: { org }, principal: { environment } }) => whole(await readOrg(app.stores, environment, org)))

  app.patch('/orgs/:org', {
    config: { scope: 'admin' },
    schema: {
      tags: ['orgs'],
      summary: 'Change the time zone of an org',
      description: 'From now on: windows that are under way end now, past ones stay as they are.',
      params: Params,
      body: Changes,
      response: { 200: Read, ...problems }
    }
  }, async ({ params: { org }, body: { timeZone }, principal: { environment } }) =>
    whole(await putTimeZone(app.stores, environment, org, timeZone)))

  app.post('/orgs/:org/merge', {
    config: { scope: 'admin' },
    schema: {
      tags: ['orgs'],
      summary: 'Merge another org into this one',
      description: 'What the other one holds and has used is this one\'s from then on, in the same windows: sums and counts add up, and of a maximum or a ' +
        'last value there is one for both. Its id leads here. Events that have the id of one of this org are `<old id>/<event id>`, and the old org\'s ' +
        'id finds them by their own. What is known of this one stays, and what was known of the other one alone is added. There is no way back. Sent again, ' +
        'it does nothing.',
      params: Params,
      body: Merge,
      response: { 200: Read, ...problems }
    }
  }, async ({ params: { org }, body: { from }, principal: { environment } }) => whole(await mergeOrgs(app.stores, environment, org, from)))

  app.delete('/orgs/:org', {
    config: { scope: 'admin' },
    schema: {
      tags: ['orgs'],
      summary: 'Delete an org with everything it has used',
      description: 'There is no way back. `confirm` must repeat the id, which is free again at once.',
      params: Params,
      querystring: Confirm,
      response: { 200: Type.Object({}), ...problems }
    }
  }, async ({ params, query: { confirm }, principal: { environment } }) => {
    await deleteOrg(app.stores, environment, params.org, confirm)
    return {}
  })
}

function listed ({ org: { name, timeZone, createdAt }, info, plans }: OrgView) {
  return { org: name, timeZone, createdAt: timeText(createdAt), info, plans: [...plans] }
}

function whole (view: OrgView) {
  return { ...listed(view), subscriptions: view.subscriptions.map(row => subscriptionAnswer(view.org.name, row)) }
}
