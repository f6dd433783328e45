import t from 'tap'
import { applyOrgImports } from '../src/background/org-imports.ts'
import { type Body, openApi } from './fixtures/api.ts'
import { filledIn, operationsOf } from './fixtures/operations.ts'

/** The order in which a person may press "Execute" in Swagger UI, on an empty ledger, without filling anything in. */
const ORDER = [
  'get /healthz',
  'get /readyz',
  'get /v1/whoami',
  'post /v1/push',
  'get /v1/pull',
  'post /v1/plans',
  'get /v1/plans',
  'get /v1/plans/{plan}',
  'put /v1/plans/{plan}/prices',
  'put /v1/plans/{plan}/addons',
  'get /v1/plans/{plan}/addons',
  'post /v1/billing-templates',
  'get /v1/billing-templates',
  'get /v1/billing-templates/{id}',
  'put /v1/plans/{plan}',
  'delete /v1/plans/{plan}',
  'post /v1/plans/{plan}/publish',
  'get /v1/features',
  'get /v1/features/{feature}',
  'patch /v1/features/{feature}',
  'post /v1/segment/rules',
  'get /v1/segment/rules',
  'get /v1/segment/rules/{id}',
  'delete /v1/segment/rules/{id}',
  'post /v1/subscribe',
  'post /v1/report',
  'get /v1/can',
  'post /v1/can',
  'get /v1/usage',
  'post /v1/consume',
  'post /v1/reports',
  'post /v1/reservations',
  'get /v1/reservations/{id}',
  'get /v1/reservations',
  'post /v1/reservations/{id}/extend',
  'post /v1/reservations/{id}/commit',
  'post /v1/reservations/{id}/release',
  'get /v1/cost',
  'get /v1/events',
  'get /v1/events/{id}',
  'post /v1/events/{id}/amend',
  'post /v1/events/{id}/void',
  'post /v1/verify',
  'get /v1/limits',
  'get /v1/phase',
  'get /v1/phases',
  'get /v1/whois',
  'post /v1/checkout',
  'get /v1/payment_methods',
  'get /v1/orgs',
  'get /v1/orgs/{org}',
  'post /v1/org-imports',
  'get /v1/org-imports',
  'get /v1/org-imports/{id}',
  'get /v1/orgs.csv',
  'post /v1/orgs/{org}/merge',
  'post /v1/orgs/{org}/subscriptions',
  'get /v1/orgs/{org}/subscriptions',
  'put /v1/orgs/{org}/overrides/{feature}',
  'get /v1/orgs/{org}/overrides',
  'delete /v1/orgs/{org}/overrides/{feature}',
  'get /v1/subscriptions/{id}',
  'patch /v1/subscriptions/{id}',
  'delete /v1/subscriptions/{id}',
  'patch /v1/orgs/{org}',
  'post /v1/clock',
  'get /v1/clock',
  'post /v1/keys',
  'get /v1/keys',
  'get /v1/keys/{id}',
  'post /v1/keys/{id}/rotate',
  'post /v1/keys/{id}/revoke',
  'delete /v1/billing-templates/{id}',
  'post /v1/plans/{plan}/archive',
  'put /v1/environments/{name}',
  'get /v1/environments/{name}',
  'get /v1/environments',
  'delete /v1/orgs/{org}',
  // Of the clock that was made above.
  'delete /v1/environments/{name}'
]

/**
 * Ids that nobody can know before: the example in the document shows their form, and the value is taken from an earlier
 * answer, as a person would. By operation: the parameter, and where its value comes from.
 */
const TAKEN: Readonly<Record<string, (answers: ReadonlyMap<string, Body>) => Record<string, string>>> = {
  'get /v1/org-imports/{id}': answers => ({ id: answers.get('post /v1/org-imports')?.id }),
  'get /v1/segment/rules/{id}': answers => ({ id: answers.get('post /v1/segment/rules')?.id }),
  'delete /v1/segment/rules/{id}': answers => ({ id: answers.get('post /v1/segment/rules')?.id }),
  'get /v1/clock': answers => ({ id: answers.get('post /v1/clock')?.id }),
  'get /v1/keys/{id}': answers => ({ id: answers.get('post /v1/keys')?.id }),
  'post /v1/keys/{id}/rotate': answers => ({ id: answers.get('post /v1/keys')?.id }),
  'post /v1/keys/{id}/revoke': answers => ({ id: answers.get('post /v1/keys')?.id }),
  'delete /v1/orgs/{org}': () => ({ confirm: 'org:acme' }),
  'delete /v1/environments/{name}': answers => {
    const id = answers.get('post /v1/clock')?.id
    return { name: id, confirm: id }
  }
}

const api = await openApi(t)
const operations = new Map((await operationsOf(api)).map(operation => [operation.name, operation]))

t.test('every operation of the document has its place in the order', async t => {
  t.strictSame([...operations.keys()].filter(name => !ORDER.includes(name)), [], 'add what is new where its examples can work')
  t.strictSame(ORDER.filter(name => !operations.has(name)), [], 'nothing is left of what is gone')
  t.strictSame(Object.keys(TAKEN).filter(name => !operations.has(name)), [])
})

t.test('the examples of every operation work as they stand, in order', async t => {
  const answers = new Map<string, Body>()
  for (const name of ORDER) {
    const operation = operations.get(name)
    if (operation === undefined) continue
    const { status, raw, body } = await api.send(filledIn(operation, TAKEN[name]?.(answers)))
    t.ok(status >= 200 && status < 300, `${name} answers ${status} ${status < 300 ? '' : raw}`)
    answers.set(name, body)
    // A server does so by itself, within a second.
    if (name === 'post /v1/org-imports') await applyOrgImports(api.stores)
  }
  t.strictSame((answers.get('post /v1/push')?.results as Body[]).map(({ status }) => status), ['ok', 'ok', 'ok'])
  t.hasStrict(answers.get('get /v1/can'), { ok: true, used: 3, limit: 1000 })
  t.strictSame((answers.get('post /v1/can')?.results as Body[]).map(({ ok }) => ok), [true, false])
  t.hasStrict(answers.get('get /v1/usage'), { current: { used: 3 } })
  t.strictSame(answers.get('get /v1/events')?.events.map(({ id, n }: Body) => [id, n]), [
    ['job-1/commit', 8], ['batch-2', 5], ['batch-1', 2], ['call-2', 2], ['call-1', 3]
  ])
})

t.end()
