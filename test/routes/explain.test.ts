import { test } from 'tap'
import { openApi } from '../fixtures/api.ts'
import { postgresMissing } from '../fixtures/postgres.ts'
import { redisMissing } from '../fixtures/redis.ts'
import { explainSpecification } from './explain-specification.ts'

test('explanations on the embedded ledger', async t => await explainSpecification(t, await openApi(t, { on: 'embedded' })))

test('explanations on Postgres and Redis', { skip: postgresMissing || redisMissing }, async t =>
  await explainSpecification(t, await openApi(t, { on: 'servers' })))
