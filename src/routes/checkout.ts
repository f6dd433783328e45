import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'
import { TRIAL_DAYS_MAX, URL_CHARS_MAX } from '../domain/payment.ts'
import { checkout, paymentMethods } from '../operations/checkout.ts'
import { anyCase } from './member-names.ts'
import { Flag, Nullable, OrgId, problems, Tax } from './schemas.ts'

const FEATURES_MAX = 500

const WebUrl = Type.String({ maxLength: URL_CHARS_MAX, description: 'http or https' })

const Checkout = Type.Object({
  org: OrgId,
  success_url: WebUrl,
  cancel_url: Type.Optional(Nullable<string>(WebUrl)),
  features: Type.Optional(Nullable<string[]>(Type.Array(Type.String({ maxLength: 800 }), {
    maxItems: FEATURES_MAX, description: '`plan:pro@1`, `feature:x@plan:pro@1`. Without any, the customer is asked for a way to pay'
  }))),
  trial_days: Type.Optional(Nullable<number>(Type.Integer({ minimum: 0, maximum: TRIAL_DAYS_MAX }))),
  require_billing_address: Type.Optional(Type.Unsafe<boolean | null>({
    ...Flag, description: 'For a payment provider; the manual page asks for none'
  })),
  tax: Type.Optional(Nullable<Static<typeof Tax>>(Tax))
}, {
  additionalProperties: false,
  examples: [{
    org: 'org:acme', features: ['plan:free@0'], success_url: 'https://app.example.com/welcome', cancel_url: 'https://app.example.com/pricing'
  }]
})

const Link = Type.Object({ url: Type.String({ description: 'Where to send the customer; good for 24 hours, and for one confirmation' }) })

const PaymentMethods = Type.Object({
  org: Type.String(),
  methods: Type.Array(Type.Object({ id: Type.String() }), { description: 'Empty without a payment provider' })
})

export const checkoutRoutes: FastifyPluginAsyncTypebox = async app => {
  app.post('/checkout', {
    config: { scope: 'write', idempotency: 'keep' },
    schema: {
      tags: ['orgs'],
      summary: 'A page on which a customer confirms a plan',
      description: 'Creates the org, and subscribes it once its customer has confirmed; then their browser goes to `success_url`. ' +
        'Without a payment provider it is a page of this service, which takes no payment: for development and internal tools. ' +
        'Environment `live` refuses it, unless the setting MANUAL_CHECKOUT_IN_LIVE allows it.',
      body: Checkout,
      response: { 200: Link, ...problems }
    },
    preValidation: anyCase(Checkout)
  }, async ({ body, principal: { environment }, protocol, host }) => ({
    url: await checkout(app.stores, app.payments, {
      environment,
      org: body.org,
      features: body.features ?? [],
      adds: false,
      trialDays: body.trial_days ?? 0,
      successUrl: body.success_url,
      cancelUrl: body.cancel_url || null,
      requireBillingAddress: body.require_billing_address ?? false,
      tax: { automatic: body.tax?.automatic ?? false, collectId: body.tax?.collect_id ?? false },
      reachedAt: `${protocol}://${host}`
    })
  }))

  app.get('/payment_methods', {
    config: { scope: 'read' },
    schema: {
      tags: ['orgs'],
      summary: 'How an org can pay',
      querystring: Type.Object({ org: OrgId }, { additionalProperties: false }),
      response: { 200: PaymentMethods, ...problems }
    }
  }, async ({ query: { org }, principal: { environment } }) => {
    const methods = await paymentMethods(app.stores, app.payments, environment, org)
    return { org, methods: [...methods] }
  })
}
