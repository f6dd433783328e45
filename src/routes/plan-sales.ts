import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { PLAN_PRICES_MAX, type PlanPrice, PRICE_AMOUNT_MAX } from '../domain/plan-price.ts'
import {
  createTemplate, deleteTemplate, listTemplates, putAddons, putPrices, readAddons, readTemplate
} from '../operations/plan-sales.ts'
import type { BillingTemplate } from '../storage/plan-sales.ts'
import { NextCursor, Paging, paging } from './page.ts'
import { PlanId, problems, Time, timeText } from './schemas.ts'

const ADDONS_MAX = 100
const PROVIDER_CHARS_MAX = 50
const INTERVAL_CHARS_MAX = 50

/** What a payment provider sells a plan for, as it is sent and shown. */
export const Price = Type.Object({
  provider: Type.String({ minLength: 1, maxLength: PROVIDER_CHARS_MAX, pattern: '^[A-Z][A-Z0-9_]*$', examples: ['STRIPE'] }),
  id: Type.String({ maxLength: 300, description: 'The provider\'s' }),
  amount: Type.Integer({ minimum: 0, maximum: PRICE_AMOUNT_MAX, description: 'Minor units' }),
  currency: Type.String({ pattern: '^[a-z]{3}$', description: 'An ISO 4217 code in lower case' }),
  interval: Type.Unsafe<string | null>({
    type: ['string', 'null'], maxLength: INTERVAL_CHARS_MAX, pattern: '^[a-z]+$', description: '`month`; null: paid once'
  })
}, { additionalProperties: false })

const PRICE: PlanPrice = { provider: 'STRIPE', id: 'price_free', amount: 0, currency: 'usd', interval: 'month' }

const Prices = Type.Object({
  prices: Type.Array(Price, { maxItems: PLAN_PRICES_MAX, description: 'In the order in which they are shown' })
}, { additionalProperties: false, examples: [{ prices: [PRICE] }] })

const ShownPrices = Type.Object({ plan: Type.String(), prices: Type.Unsafe<readonly PlanPrice[]>(Type.Array(Price)) })

const Addons = Type.Object({
  addons: Type.Array(Type.String({ maxLength: 500 }), { maxItems: ADDONS_MAX, description: '`plan:boost@1`' })
}, { additionalProperties: false, examples: [{ addons: ['plan:boost@1'] }] })

const ShownAddons = Type.Object({ plan: Type.String(), addons: Type.Unsafe<readonly string[]>(Type.Array(Type.String())) })

const TemplateId = Type.String({ maxLength: 300, examples: ['free-monthly'] })

const NewTemplate = Type.Object({
  id: TemplateId,
  plan: PlanId,
  price: Type.String({ maxLength: 300, description: 'The id of one of the plan\'s prices' })
}, { additionalProperties: false, examples: [{ id: 'free-monthly', plan: 'plan:free@0', price: PRICE.id }] })

const Template = Type.Object({ id: Type.String(), plan: Type.String(), price: Price, createdAt: Time }, {
  examples: [{ id: 'free-monthly', plan: 'plan:free@0', price: PRICE, createdAt: '2026-01-31T12:00:00.000Z' }]
})

const PlanParams = Type.Object({ plan: PlanId })
const TemplateParams = Type.Object({ id: TemplateId })

/** How plans are sold, besides what they say themselves: prices of a payment provider, add-ons, billing templates. */
export const planSaleRoutes: FastifyPluginAsyncTypebox = async app => {
  app.put('/plans/:plan/prices', {
    config: { scope: 'admin' },
    schema: {
      tags: ['plans'],
      summary: 'Link a plan to prices of a payment provider',
      description: 'In place of those it was linked to. They are shown with the plan, and nothing is computed with them.',
      params: PlanParams,
      body: Prices,
      response: { 200: ShownPrices, ...problems }
    }
  }, async ({ params: { plan }, body: { prices }, principal: { environment } }) =>
    ({ plan, prices: (await putPrices(app.stores, environment, plan, prices)).prices }))

  app.put('/plans/:plan/addons', {
    config: { scope: 'admin' },
    schema: {
      tags: ['plans'],
      summary: 'Name the add-ons that may be taken on top of a base plan',
      description: 'In place of those it named. An add-on that no base plan names may be taken on top of any. Kana\'s `subscribe` ' +
        'keeps to this, and pages that confirm what it links to.',
      params: PlanParams,
      body: Addons,
      response: { 200: ShownAddons, ...problems }
    }
  }, async ({ params: { plan }, body: { addons }, principal: { environment } }) =>
    ({ plan, addons: await putAddons(app.stores, environment, plan, addons) }))

  app.get('/plans/:plan/addons', {
    config: { scope: 'read' },
    schema: {
      tags: ['plans'], summary: 'The add-ons that a base plan names', params: PlanParams, response: { 200: ShownAddons, ...problems }
    }
  }, async ({ params: { plan }, principal: { environment } }) => ({ plan, addons: await readAddons(app.stores, environment, plan) }))

  app.post('/billing-templates', {
    config: { scope: 'admin', idempotency: 'keep' },
    schema: {
      tags: ['plans'],
      summary: 'Name a plan at one of its prices',
      description: 'Kana\'s `generateSubscriptionLink` makes links by that name.',
      body: NewTemplate,
      response: { 200: Template, ...problems }
    }
  }, async ({ body, principal: { environment } }) => wire(await createTemplate(app.stores, environment, body)))

  app.get('/billing-templates', {
    config: { scope: 'read' },
    schema: {
      tags: ['plans'],
      summary: 'List billing templates',
      querystring: Type.Object(Paging, { additionalProperties: false }),
      response: { 200: Type.Object({ templates: Type.Array(Template), nextCursor: NextCursor }), ...problems }
    }
  }, async ({ query, principal: { environment } }) => {
    const { items, nextCursor } = await listTemplates(app.stores, { environment, ...paging(query) })
    return { templates: items.map(wire), nextCursor }
  })

  app.get('/billing-templates/:id', {
    config: { scope: 'read' },
    schema: { tags: ['plans'], summary: 'Read a billing template', params: TemplateParams, response: { 200: Template, ...problems } }
  }, async ({ params: { id }, principal: { environment } }) => wire(await readTemplate(app.stores, environment, id)))

  app.delete('/billing-templates/:id', {
    config: { scope: 'admin' },
    schema: {
      tags: ['plans'],
      summary: 'Delete a billing template',
      description: 'Links that were made by it stay.',
      params: TemplateParams,
      response: { 200: Type.Object({}), ...problems }
    }
  }, async ({ params: { id }, principal: { environment } }) => {
    await deleteTemplate(app.stores, environment, id)
    return {}
  })
}

function wire ({ id, plan, price, createdAt }: BillingTemplate) {
  return { id, plan, price, createdAt: timeText(createdAt) }
}
