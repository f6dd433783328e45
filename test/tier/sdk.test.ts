import t from 'tap'
import { postgresMissing } from '../fixtures/postgres.ts'
import { redisMissing } from '../fixtures/redis.ts'
import { sdkSpecification } from './sdk-specification.ts'

await t.test('the tier SDK on the embedded ledger', async t => await sdkSpecification(t, { on: 'embedded' }))
await t.test('the tier SDK on Postgres and Redis', { skip: postgresMissing || redisMissing }, async t => {
  await sdkSpecification(t, { on: 'servers' })
})
