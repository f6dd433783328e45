import type { FastifyError, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { errors, type ErrorCode, loggable, TollgateError } from '../errors.ts'
import { completeCheckout, offers } from '../operations/checkout.ts'
import type { ManualPayments } from '../payments/manual.ts'
import { asTollgateError } from '../plugins/errors.ts'
import { checkoutPage, completedPage, confirmedPage, refusalPage } from './checkout-view.ts'
import { PAGE_HEADERS } from './layout.ts'

/** The form has no fields. */
const FORM_BYTES_MAX = 1_024

export interface CheckoutPageOptions {
  readonly manual: ManualPayments
}

const WITHDRAWN = {
  status: 410, heading: 'This plan is not offered any more', sentence: 'What this link offers has been withdrawn since. Ask for a new one.'
}

/** What a person is told, and as which status, where the API's words would mean little to them. */
const REFUSALS: { readonly [Code in ErrorCode]?: { readonly status?: number, readonly heading: string, readonly sentence?: string } } = {
  checkout_link_invalid: { heading: 'This link is not right', sentence: 'A part of it is missing or was changed. Open it as it was sent, or ask for a new one.' },
  checkout_expired: { heading: 'This link has expired', sentence: 'It was good for 24 hours. Ask for a new one.' },
  no_payment_provider: { heading: 'This page is switched off' },
  TERR1020: WITHDRAWN,
  plan_unavailable: WITHDRAWN,
  subscription_conflict: { heading: 'This cannot be added', sentence: 'It does not go with what this account holds already. Ask for another link.' },
  org_not_found: { status: 410, heading: 'This account is gone', sentence: 'Whom this link was made for was deleted since.' },
  environment_not_found: { status: 410, heading: 'This link has expired', sentence: 'The environment it was made in was deleted since.' },
  ledger_unavailable: { heading: 'Please try again', sentence: 'The database cannot be reached. Open the link again in a moment: it works once, however often it is tried.' },
  outcome_unknown: { heading: 'Please try again', sentence: 'The database cannot be reached. Open the link again in a moment: it works once, however often it is tried.' }
}

/**
 * The manual checkout's page. It stands outside the guarded routes, as a browser has no key: its address, which is signed
 * and which nobody can guess, is what allows a person to see it and to confirm. So a page of somebody else's has nothing
 * to forge a request with, and there is no cookie that would make one count for more.
 */
const checkout: FastifyPluginAsync<CheckoutPageOptions> = async (app, { manual }) => {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string', bodyLimit: FORM_BYTES_MAX },
    (_request, _body, done) => done(null))
  app.addHook('onRequest', async (_request, reply) => { reply.headers(PAGE_HEADERS) })
  app.setErrorHandler(refuse)

  // A wildcard, so that a link that was cut off or that grew is told so here.
  app.get<Link>('/*', { schema: { hide: true } }, async (request, reply) => {
    const { environment, id } = manual.open(request.params['*'])
    const asked = await offers(app.stores, environment, id)
    const { checkout } = asked
    if (checkout.completedAt !== null) return await send(reply, 410, completedPage(checkout))
    return await send(reply, 200, checkoutPage(asked))
  })

  app.post<Link>('/*', { schema: { hide: true } }, async (request, reply) => {
    const { environment, id } = manual.open(request.params['*'])
    const completed = await completeCheckout(app.stores, environment, id)
    const { successUrl } = completed
    if (successUrl === null) return await send(reply, 200, confirmedPage())
    return await reply.redirect(successUrl, 303)
  })
}

export default checkout

interface Link {
  Params: { '*': string }
}

async function send (reply: FastifyReply, status: number, page: string): Promise<FastifyReply> {
  return await reply.code(status).type('text/html; charset=utf-8').send(page)
}

async function refuse (thrown: FastifyError | TollgateError, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const error = asTollgateError(thrown)
  const { status: standard, title } = errors[error.code]
  const { status = standard, heading = title, sentence = error.message } = REFUSALS[error.code] ?? {}
  if (status >= 500) request.log.error({ reqId: request.id, err: loggable(error), code: error.code }, 'request failed')
  if (error.retryAfterSeconds !== undefined) reply.header('retry-after', error.retryAfterSeconds)
  return await send(reply, status, refusalPage(heading, sentence))
}
