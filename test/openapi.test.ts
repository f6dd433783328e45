import { readFileSync } from 'node:fs'
import t from 'tap'
import { type Body, openApi } from './fixtures/api.ts'
import { openapiYaml } from './fixtures/openapi.ts'

const api = await openApi(t)
const { paths } = (await api.get('/openapi.json')).body as { paths: Record<string, Record<string, Body>> }
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))

t.test('openapi.yaml is what the routes say', async t => {
  t.equal(readFileSync(new URL('../openapi.yaml', import.meta.url), 'utf8'), await openapiYaml(), 'run `npm run openapi`')
})

t.test('every operation says what it is, where it belongs, and how it fails', async t => {
  t.ok(operations.length >= 15)
  for (const { path, method, operation: { summary, tags, responses, security } } of operations) {
    const name = `${method} ${path}`
    t.ok(summary.length > 0 && tags.length === 1, name)
    t.ok(responses['200'], name)
    if (path.startsWith('/v1/')) t.ok(responses['4XX'] && responses['5XX'], `${name} documents its errors`)
    else t.strictSame(security, [], `${name} needs no key`)
  }
})

/** What a person finds filled in, and sends as it stands. */
function exampleOf (body: Body): unknown {
  const { example, examples, schema } = body
  return example ?? examples?.[0] ?? Object.values(examples ?? {})[0] ?? schema?.example ?? schema?.examples?.[0]
}

t.test('the documented examples work as they stand: push, subscribe, report, can, usage, cost, checkout', async t => {
  for (const [method, path] of [
    ['post', '/v1/push'], ['post', '/v1/subscribe'], ['post', '/v1/report'], ['get', '/v1/can'], ['get', '/v1/usage'],
    ['get', '/v1/cost'], ['post', '/v1/checkout'], ['get', '/v1/payment_methods']
  ] as const) {
    const operation = paths[path]?.[method]
    const content = operation?.requestBody?.content['application/json']
    const parameters = (operation?.parameters ?? []) as Body[]
    const filled = parameters.filter(({ in: place }) => place === 'query').map(it => [it.name, exampleOf(it)])
    const query = Object.fromEntries(filled.filter(([, example]) => example !== undefined)) as Record<string, string>
    if (method === 'get') t.equal(query.org, 'org:acme', `${path} says which org`)
    else t.type(exampleOf(content), 'object', `${path} has an example`)
    const { status, raw } = method === 'get' ? await api.get(path, query) : await api.post(path, exampleOf(content))
    t.equal(status, 200, `${path} ${raw}`)
    if (path === '/v1/push') t.notMatch(raw, 'failed')
  }
  const { used, limit } = await api.can('org:acme', 'feature:api-calls')
  t.strictSame([used, limit], [3, 1000])
})

t.end()
