import { test } from 'tap'
import { openApi } from '../fixtures/api.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { redisMissing } from '../fixtures/redis.ts'
import { costSpecification } from './cost-specification.ts'

test('costs on the embedded ledger', async t => await costSpecification(t, await openApi(t, { on: 'embedded' })))

test('costs on Postgres and Redis', { skip: postgresMissing || redisMissing }, async t =>
  await costSpecification(t, await openApi(t, { on: 'servers' })))
