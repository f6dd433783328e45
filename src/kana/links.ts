import { planText } from '../domain/ids.ts'
import { checkout } from '../operations/checkout.ts'
import { readOrg } from '../operations/orgs.ts'
import { readTemplate } from '../operations/plan-sales.ts'
import { TollgateError } from '../errors.ts'
import type { Caller } from './caller.ts'
import { failure, noSuch } from './failures.ts'
import { looked, sought } from './names.ts'

interface SentLink {
  readonly userId?: string | null
  readonly templateId: string
  readonly successUrl: string
  readonly cancelUrl: string
}

interface LinkTarget {
  readonly userId?: string | null
  readonly successUrl: string | null
  readonly cancelUrl: string | null
}

export const links = {
  generateSubscriptionLink: async (sent: SentLink, caller: Caller) => await toTemplate(sent, caller),
  generateSubscriptionLinks: async (sent: SentLink, caller: Caller) => await toTemplate(sent, caller),

  paymentLink: async ({ packageIds }: { packageIds: readonly string[] }, caller: Caller) => {
    caller.allow('write')
    const plans = await Promise.all(packageIds.map(async id => await sought(caller.plan.load(looked.package(id)), noSuch.package)))
    if (plans.length === 0 || plans.some(({ prices }) => prices.length === 0)) {
      throw failure('A payment link is for packages that have a price.', { name: 'SubscriptionLinkError' })
    }
    return await linkTo(plans.map(({ plan }) => planText(plan.ref)), { userId: null, successUrl: null, cancelUrl: null }, caller)
  }
}

async function toTemplate ({ templateId, ...sent }: SentLink, caller: Caller): Promise<{ url: string }> {
  caller.allow('write')
  const { plan } = await template(templateId, caller)
  if (typeof sent.userId === 'string') await sought(readOrg(caller.stores, caller.environment, looked.user(sent.userId)), noSuch.user)
  return await linkTo([plan], sent, caller)
}

async function template (id: string, { stores, environment }: Caller) {
  try {
    return await readTemplate(stores, environment, id)
  } catch (error) {
    throw error instanceof TollgateError && error.code === 'invalid_id' ? noSuch.template() : error
  }
}

/** Whoever goes through with it is subscribed by that; without a user, they become one. */
async function linkTo (
  plans: readonly string[], { userId, successUrl, cancelUrl }: LinkTarget, { stores, payments, environment, reachedAt }: Caller
): Promise<{ url: string }> {
  const url = await checkout(stores, payments, {
    environment,
    org: typeof userId === 'string' ? looked.user(userId) : null,
    features: plans,
    adds: true,
    trialDays: 0,
    successUrl,
    cancelUrl,
    requireBillingAddress: false,
    tax: { automatic: false, collectId: false },
    reachedAt
  })
  return { url }
}
