import { test } from 'tap'
import Fastify from 'fastify'
import errors from '../../src/plugins/errors.ts'
import jsonBody from '../../src/plugins/json-body.ts'

const REFUSED = 'n must have at most 15 significant digits as a number; send more as a string'

test('an amount is judged by its digits as they were sent, before they are lost', async t => {
  const app = Fastify()
  await app.register(errors)
  await app.register(jsonBody)
  app.post('/', async ({ body }) => ({ body }))
  const send = async (payload: string) => await app.inject({ method: 'POST', url: '/', headers: { 'content-type': 'application/json' }, payload })

  const lost = ['100000000000000.00001', '100000000000000000001', '-100000000000000.00001', '0.1000000000000000055', '100000000000000.00001e3']
  for (const n of lost) {
    const { statusCode, body } = await send(`{"org":"org:a","n": ${n}}`)
    t.equal(statusCode, 400, n)
    t.match(JSON.parse(body), { code: 'invalid_amount', message: REFUSED, errors: [{ pointer: '/n' }] })
  }

  const kept = ['999999999999999', '100000000000000000000', '0.000000123456789', '1e20', '123456.789012345000000', '"100000000000000000001"']
  for (const n of kept) t.equal((await send(`{"n":${n}}`)).statusCode, 200, n)
  const elsewhere = [
    '{"id":"1234567890123456789","n":1}', '{"properties":{"ratio":0.30000000000000004},"n":1}', '{"\\"n":1,"id":"n\\": 1234567890123456789"}'
  ]
  for (const body of elsewhere) t.equal((await send(body)).statusCode, 200, body)
  t.equal((await send('{"n":1')).statusCode, 400, 'broken')
  await app.close()
})
