import { TRIAL_DAYS_MAX } from '../domain/payment.ts'
import { command, UsageProblem, wholeOption } from './command.ts'
import { json as jsonText, plain } from './output.ts'
import type { Service } from './service.ts'

const TRIAL_DAYS = { standard: 0, min: 0, max: TRIAL_DAYS_MAX }
const ENDLESS = -1
const DAY_MS = 86_400_000

export const subscribe = command({
  name: 'subscribe',
  summary: 'subscribe an org to plans, or cancel',
  args: ['<org>', '[plan...]'],
  details: `A plan is plan:pro@1, or one feature of it: feature:api-calls@plan:pro@1. They take the place of all that the org holds.
Prints nothing, except with --checkout, which prints the address of a page for the customer and leaves the rest to them.`,
  options: {
    email: { value: 'address', help: 'kept with the org' },
    trial: { value: 'days', help: 'a trial first; negative: one without end', signed: true },
    cancel: { help: 'end what the org holds, at once; takes no plans' },
    checkout: { value: 'url', help: 'let the customer confirm, on a page that then leads to this address' },
    cancel_url: { value: 'url', help: 'where that page leads who does not confirm' },
    require_billing_address: { help: 'that page asks for one, if a payment provider shows it' },
    paymentmethod: { value: 'id', help: 'how the org pays: one of GET /v1/payment_methods' },
    tax: { value: 'auto', help: 'let the payment provider add taxes' }
  },
  remote: true,
  examples: [
    'tollgate subscribe org:acme plan:free@0',
    'tollgate subscribe org:acme plan:pro@1 --trial 14 --email billing@acme.example',
    'tollgate subscribe org:acme --cancel'
  ],
  run: async ({ options, args: [org = '', ...plans], json, terminal: { stdout }, connect }) => {
    const days = trialDays(options.trial)
    const mistake = mistakeIn(options, days, plans)
    if (mistake !== undefined) throw new UsageProblem(mistake)
    const { email, checkout, cancel, paymentmethod } = options
    const info = email === undefined ? {} : { info: { email } }
    const tax = options.tax === undefined ? {} : { tax: { automatic: true } }
    const service = await connect()
    if (checkout !== undefined) {
      if (email !== undefined) await service.call('POST', '/v1/subscribe', { org, ...info })
      const page = {
        success_url: checkout,
        ...(options.cancel_url !== undefined && { cancel_url: options.cancel_url }),
        ...(options.require_billing_address && { require_billing_address: true })
      }
      const answer = await service.callExactly('POST', '/v1/checkout', { org, features: plans, trial_days: days, ...page, ...tax })
      stdout.write(json ? jsonText(answer) : `${plain((answer as { url: string }).url)}\n`)
      return
    }
    const phases = cancel ? [{}] : plans.length === 0 ? [] : await phasesOf(service, plans, days)
    const method = paymentmethod === undefined ? {} : { payment_method_id: paymentmethod }
    const answer = await service.callExactly('POST', '/v1/subscribe', { org, phases, ...info, ...tax, ...method })
    if (json) stdout.write(jsonText(answer))
  }
})

/** Negative: `ENDLESS`. @throws UsageProblem */
function trialDays (text: string | undefined): number {
  return text !== undefined && /^-\d+$/.test(text) ? ENDLESS : wholeOption('trial', text, TRIAL_DAYS)
}

type Given = Readonly<Record<'cancel' | 'require_billing_address', boolean>> &
  Readonly<Record<'email' | 'trial' | 'checkout' | 'cancel_url' | 'paymentmethod' | 'tax', string | undefined>>

/** What does not go together. */
function mistakeIn (options: Given, days: number, plans: readonly string[]): string | undefined {
  const { cancel, checkout, email, trial, tax, paymentmethod } = options
  const some = plans.length > 0
  const checks: ReadonlyArray<readonly [wrong: boolean, mistake: string]> = [
    [cancel && some, '--cancel ends all that the org holds, and takes no plans'],
    [cancel && checkout !== undefined, '--cancel and --checkout do not go together'],
    [trial !== undefined && !some, '--trial needs a plan to try'],
    [checkout !== undefined && days === ENDLESS, '--checkout is for trials that end: give --trial a number of days'],
    [checkout !== undefined && paymentmethod !== undefined, '--checkout lets the customer choose how to pay: leave out --paymentmethod'],
    [checkout === undefined && options.cancel_url !== undefined, '--cancel_url needs --checkout'],
    [checkout === undefined && options.require_billing_address, '--require_billing_address needs --checkout'],
    [tax !== undefined && tax !== 'auto', `--tax must be auto, not "${tax}"`],
    [!some && !cancel && [checkout, email, paymentmethod].every(text => text === undefined), 'subscribe needs a plan, or --cancel, --checkout or --email']
  ]
  return checks.find(([wrong]) => wrong)?.[1]
}

/** What Tier's SDK sends. */
async function phasesOf (service: Service, features: readonly string[], days: number): Promise<object[]> {
  if (days === 0) return [{ features }]
  if (days === ENDLESS) return [{ features, trial: true }]
  const end = new Date(await presentOf(service) + days * DAY_MS)
  return [{ features, trial: true }, { features, effective: end.toISOString() }]
}

/** From when the days of a trial are counted: time stands still on a test clock, and in an environment where it was frozen. */
async function presentOf (service: Service): Promise<number> {
  const name = service.clock ?? (await service.call('GET', '/v1/whoami') as { id: string }).id
  const { now } = await service.call('GET', `/v1/environments/${encodeURIComponent(name)}`) as { now: string | null }
  return now === null ? Date.now() : Date.parse(now)
}
