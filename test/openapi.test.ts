import { readFileSync } from 'node:fs'
import t from 'tap'
import { type Body, openApi } from './fixtures/api.ts'
import { openapiYaml } from './fixtures/openapi.ts'
import { ROOT } from './fixtures/root.ts'

const api = await openApi(t)
const { paths } = (await api.get('/openapi.json')).body as { paths: Record<string, Record<string, Body>> }
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))

t.test('openapi.yaml is what the routes say', async t => {
  t.equal(readFileSync(new URL('openapi.yaml', ROOT), 'utf8'), await openapiYaml(), 'run `npm run openapi`')
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

t.end()
