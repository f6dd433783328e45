import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { type Amount, amountOf } from '../domain/amount.ts'
import type { LineItem } from '../domain/cost.ts'
import { ExactNumber } from '../domain/decimal.ts'
import { moneyText, type TierCharge } from '../domain/price.ts'
import { parseInstant } from '../domain/time.ts'
import { cost } from '../operations/cost.ts'
import { Figure, OrgId, problems, QueryTime, Time, timeText, timeTextOrNull, Window } from './schemas.ts'

const Query = Type.Object({ org: OrgId, at: Type.Optional(QueryTime) }, { additionalProperties: false })

const TierLine = Type.Object({
  upto: Type.Unsafe<number | null>({ type: ['integer', 'null'], description: 'null: unlimited' }),
  quantity: Figure,
  packs: Type.Optional(Type.Unsafe<Amount>({ type: 'integer', description: 'With `divide`: how many packs the quantity makes' })),
  price: Type.Number(),
  base: Type.Number(),
  amount: Type.Unsafe<ExactNumber>({ type: 'number', description: 'Minor units, exact' })
})

const Line = Type.Object({
  subscription: Type.Integer(),
  plan: Type.String(),
  feature: Type.String(),
  title: Type.String(),
  currency: Type.String(),
  window: Window,
  trial: Type.Boolean({ description: 'Held on trial: it costs nothing' }),
  quantity: Type.Unsafe<Amount>({ type: 'number', description: 'What was used; 1 where a fee is owed for the interval' }),
  tiers: Type.Array(TierLine, { description: 'The tiers that were reached; none for a fee' }),
  base: Type.Number({ description: 'The fee of the interval, where there are no tiers' }),
  amount: Type.Unsafe<Amount>({ type: 'integer', description: 'Whole minor units, half a unit rounded up' })
})

const Answer = Type.Object({
  org: Type.String(),
  at: Time,
  lines: Type.Array(Line, { description: 'By subscription, the oldest first, then by feature' }),
  total: Type.Unsafe<Record<string, Amount>>({
    type: 'object', additionalProperties: { type: 'integer' }, description: 'The sum of the lines in minor units, by currency'
  })
}, {
  examples: [{
    org: 'org:acme',
    at: '2026-02-14T12:00:00.000Z',
    lines: [{
      subscription: 1,
      plan: 'plan:pro@1',
      feature: 'feature:api-calls',
      title: 'API calls',
      currency: 'usd',
      window: { start: '2026-01-31T12:00:00.000Z', end: '2026-02-28T12:00:00.000Z' },
      trial: false,
      quantity: 15,
      tiers: [
        { upto: 10, quantity: 10, price: 2, base: 0, amount: 20 },
        { upto: null, quantity: 5, price: 1, base: 0, amount: 5 }
      ],
      base: 0,
      amount: 25
    }],
    total: { usd: 25 }
  }]
})

export const costRoutes: FastifyPluginAsyncTypebox = async app => {
  app.get('/cost', {
    config: { scope: 'read' },
    schema: {
      tags: ['main'],
      summary: 'What it costs',
      description: 'What an org owes for the windows that contain `at`: usage by its tiers, fees by their interval. ' +
        'Money is in minor units of the currency. Without `at`: for the current windows, so far.',
      querystring: Query,
      response: { 200: Answer, ...problems }
    }
  }, async ({ query, principal: { environment } }) => {
    const { org, at, lines, totals } = await cost(app.stores, { environment, org: query.org, at: parseInstant(query.at, '?at') })
    const total = Object.fromEntries([...totals].map(([currency, amount]) => [currency, amountOf(amount)]))
    return { org, at: timeText(at), lines: lines.map(wire), total }
  })
}

function wire ({ window: { start, end }, tiers, amount, ...rest }: LineItem) {
  return { ...rest, window: { start: timeText(start), end: timeTextOrNull(end) }, tiers: tiers.map(wireTier), amount: amountOf(amount) }
}

function wireTier ({ tier, quantity, packs, amount }: TierCharge) {
  return {
    upto: tier.upto,
    quantity,
    ...(packs !== null && { packs: amountOf(packs) }),
    price: tier.price,
    base: tier.base,
    amount: new ExactNumber(moneyText(amount))
  }
}
