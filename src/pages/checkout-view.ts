import { planText } from '../domain/ids.ts'
import type { Checkout } from '../domain/payment.ts'
import type { Plan, PlanFeature } from '../domain/plan.ts'
import type { Offer, Offers } from '../operations/checkout.ts'
import { html, type Html } from './html.ts'
import { page } from './layout.ts'
import { fixedPrice, hasUsagePrice, intervalText, limitText, moneyText, rateText, tierNote, tierRows } from './plan-text.ts'

const FREE = 'Free'

/** What is asked of the customer. */
export function checkoutPage (asked: Offers): string {
  return asked.offers.length === 0 ? setupPage(asked.checkout) : confirmPage(asked)
}

function confirmPage ({ checkout, offers, replaced }: Offers): string {
  const { org, trialDays, environment, expiresAt } = checkout
  const [first] = offers
  const what = offers.length === 1 && first !== undefined ? first.plan.title : `${offers.length} plans`
  const until = new Date(expiresAt).toISOString().slice(0, 16).replace('T', ' ')
  return page(`Confirm ${what}`, html`
<h1>Confirm <bdi>${what}</bdi></h1>
<p class="soft">for ${whom(org)}</p>
<p class="notice"><strong>Manual checkout: no payment is taken here.</strong> This page is meant for development and internal tools.</p>
${offers.map(offer => offerSection(offer, trialDays))}
${replaced.length === 0 ? null : html`<p class="notice">This replaces what <bdi>${org}</bdi> holds now: <bdi>${replaced.join(', ')}</bdi></p>`}
${actions('Confirm', checkout)}
<p class="soft end">Environment ${environment}. This link works once, until ${until} UTC.</p>`)
}

function setupPage (checkout: Checkout): string {
  return page('Nothing to set up', html`
<h1>Nothing to set up</h1>
<p class="soft">for ${whom(checkout.org)}</p>
<p class="notice"><strong>Manual checkout: no payment is taken here.</strong> You were asked for a way to pay, but there is nothing to pay with on this page,
which is meant for development and internal tools. No plan changes.</p>
${actions('Continue', checkout)}`)
}

function whom (org: string | null): Html {
  return org === null ? html`a new account` : html`<bdi>${org}</bdi>`
}

/** The form has no fields: its address says it all, and is known to nobody who was not sent it. */
function actions (label: string, { cancelUrl }: Checkout): Html {
  return html`<form method="post">
<button class="button main">${label}</button>
${cancelUrl === null ? null : html`<a class="button" href="${cancelUrl}">Cancel</a>`}
</form>`
}

function offerSection ({ plan, features }: Offer, trialDays: number): Html {
  const id = planText(plan.ref)
  const price = priceText(plan, features)
  return html`<section class="plan">
<div class="row"><h2><bdi>${plan.title}</bdi></h2><span class="price">${price}</span></div>
<p class="soft row">${plan.title === id ? html`<span></span>` : html`<bdi>${id}</bdi>`}${hasUsagePrice(features) ? html`<span>plus what is used</span>` : null}</p>
${trialDays === 0 ? null : html`<p><strong>Free trial of ${trialDays} ${trialDays === 1 ? 'day' : 'days'}</strong>, then ${price === FREE ? 'free as well' : price}.</p>`}
<ul>${features.map(feature => featureItem(feature, plan))}</ul>
</section>`
}

function priceText (plan: Plan, features: readonly PlanFeature[]): string {
  const fixed = fixedPrice(features)
  if (fixed === 0 && !hasUsagePrice(features)) return FREE
  return `${moneyText(fixed, plan.currency)} ${intervalText(plan.interval)}`
}

function featureItem (item: PlanFeature, { ref, currency, interval }: Plan): Html {
  const { feature, title, price } = item
  // A title that nobody gave is the feature's id in this plan, and this plan is what is shown.
  const name = title === `${feature}@${planText(ref)}` ? feature : title
  const fixed = price.base === 0 ? null : `${moneyText(price.base, currency)} ${intervalText(interval)}`
  const rows = tierRows(price, currency)
  // Access has no limit beside its price.
  const [first, second] = item.type === 'boolean' && fixed !== null ? [fixed, null] : [limitText(item), fixed ?? rateText(price, currency)]
  return html`
<li><div class="row"><bdi>${name}</bdi><span>${first}</span></div>
${second === null ? null : html`<div class="row soft"><span></span><span>${second}</span></div>`}
${rows.length === 0 ? null : tierTable(rows, tierNote(price))}</li>`
}

function tierTable (rows: ReturnType<typeof tierRows>, note: string): Html {
  const flat = rows.some(({ base }) => base !== null)
  return html`<table><caption>${note}</caption>
<thead><tr><th>Units</th><th>Price of one</th>${flat ? html`<th>Flat fee</th>` : null}</tr></thead>
<tbody>${rows.map(({ units, price, base }) => html`<tr><td>${units}</td><td>${price}</td>${flat ? html`<td>${base ?? 'none'}</td>` : null}</tr>`)}</tbody></table>`
}

/** It was confirmed before: nothing happens a second time. */
export function completedPage ({ org, successUrl }: Checkout): string {
  return page('Already confirmed', html`
<h1>Already confirmed</h1>
<p class="soft">for <bdi>${org}</bdi></p>
<p>This was confirmed before, and each link works once. What <bdi>${org}</bdi> holds now does not change.</p>
${successUrl === null ? null : html`<p class="actions"><a class="button main" href="${successUrl}">Continue</a></p>`}`)
}

/** Where nobody said where to go on. */
export function confirmedPage (): string {
  return page('Confirmed', html`
<h1>Confirmed</h1>
<p>Thank you. You can close this page.</p>`)
}

/** Why there is nothing to confirm. */
export function refusalPage (heading: string, sentence: string): string {
  return page(heading, html`
<h1>${heading}</h1>
<p>${sentence}</p>`)
}
