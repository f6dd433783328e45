import type { Payments } from '../domain/payment.ts'
import { TollgateError } from '../errors.ts'
import { signedLinks } from './signed-link.ts'

export interface ManualOptions {
  /** The ledger's. */
  readonly secret: string
  /** Where customers' browsers reach this service; undefined: where the caller did. */
  readonly publicUrl: string | undefined
  /** Without it, an environment `live` gives nothing away. */
  readonly inLive: boolean
}

/** No payment provider: a page of our own, on which whoever was sent the link confirms. */
export interface ManualPayments extends Payments {
  /**
   * @param path `<environment>/<token>`, as it came back
   * @throws TollgateError `checkout_link_invalid`, `no_payment_provider`
   */
  open (path: string): { readonly environment: string, readonly id: string }
}

/** Where the page is served. */
export const MANUAL_PATH = '/checkout'
const LIVE = 'live'
/** A scheme, a name or address, a port: what a `Host` header says is not taken on trust. */
const ADDRESS = /^https?:\/\/(\[[\da-f:.]+\]|[\w.-]+)(:\d{1,5})?$/i

export function manualPayments ({ secret, publicUrl, inLive }: ManualOptions): ManualPayments {
  const links = signedLinks(secret)

  function admit (environment: string): void {
    if (environment !== LIVE || inLive) return
    throw new TollgateError('no_payment_provider',
      `manual checkout takes no payment, so environment ${LIVE} refuses it; the setting MANUAL_CHECKOUT_IN_LIVE=true allows it`)
  }

  return {
    checkout: async ({ environment, id, reachedAt }) => {
      admit(environment)
      return `${publicUrl ?? checkedAddress(reachedAt)}${MANUAL_PATH}/${environment}/${links.sign(environment, id)}`
    },
    paymentMethods: async () => [],
    open: path => {
      const [environment = '', token = '', ...rest] = path.split('/')
      const id = rest.length > 0 ? undefined : links.read(environment, token)
      if (id === undefined) throw new TollgateError('checkout_link_invalid')
      admit(environment)
      return { environment, id }
    }
  }
}

function checkedAddress (url: string): string {
  if (ADDRESS.test(url) && URL.canParse(url)) return url
  throw new TollgateError('invalid_request', 'the header Host must name this service, or the setting PUBLIC_URL must', { pointer: 'host' })
}
