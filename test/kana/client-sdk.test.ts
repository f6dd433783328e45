import t from 'tap'
import { postgresMissing } from '../fixtures/postgres.ts'
import { redisMissing } from '../fixtures/redis.ts'
import { clientSpecification } from './client-specification.ts'

await t.test('Kana\'s client SDK on the embedded ledger', async t => await clientSpecification(t, { on: 'embedded' }))
await t.test('Kana\'s client SDK on Postgres and Redis', { skip: postgresMissing || redisMissing }, async t => {
  await clientSpecification(t, { on: 'servers' })
})
